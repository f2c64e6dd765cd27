"""`linebox doctor` on the displays at the seats: the devices that the configuration names are there and may be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.paths import BoxPaths

GROUPS = {"serial": "dialout", "hd44780": "i2c"}
"""Kind of display → the group whose members may use its device."""


def displays(paths: BoxPaths) -> Iterator[Finding]:
    try:
        configuration, _ = load_configuration_or_last_good(paths)
    except ConfigurationError:
        return  # told by the check of the configuration
    good = 0
    for seat in configuration.seats:
        if seat.display is None:
            continue
        device, whose = Path(seat.display.device), f"the display of seat {seat.seat}"
        if not device.exists():
            remedy = f"plug it in, switch the bus on, or correct the device in seats.json ({seat.seat})"
            yield Finding("displays", WARN, f"there is no {device} for {whose}", remedy)
        elif not os.access(device, os.R_OK | os.W_OK):
            remedy = f"put the user that runs Linebox into the group {GROUPS[seat.display.kind]}, and sign in anew"
            yield Finding("displays", BAD, f"{device} may not be used for {whose}", remedy)
        else:
            good += 1
    if good:
        yield Finding("displays", OK, f"{good} devices of displays at seats are there")


def display_checks() -> tuple[Check, ...]:
    return (displays,)
