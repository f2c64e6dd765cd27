"""`linebox doctor` on the front panel: the GPIO lines that box.json names are there, may be used, and are free."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import msgspec

from drivers.gpio_lines import USER, line_user
from firmware.box.commands.doctor_finding import BAD, OK, WARN, Check, Finding
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.faults import fault
from firmware.core.paths import BoxPaths


def panel(paths: BoxPaths) -> Iterator[Finding]:
    try:
        configuration, _ = load_configuration_or_last_good(paths)
    except ConfigurationError:
        return  # told by the check of the configuration
    lines = {key: line for key, line in msgspec.structs.asdict(configuration.box.panel).items() if line}
    good = 0
    for key, line in lines.items():
        found = _look(f"{line} for {key} of the front panel", line)
        good += found is None
        if found is not None:
            yield found
    if good:
        yield Finding("panel", OK, f"{good} GPIO lines of the front panel are there")


def _look(what: str, line: str) -> Finding | None:
    try:
        user = line_user(line)
    except FileNotFoundError:
        remedy = "correct the line in box.json: gpioinfo lists chips and lines"
        return Finding("panel", WARN, f"there is no {what}", remedy)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return Finding(
                "panel", WARN, f"the chip has no such line: {what}", "correct the line in box.json: gpioinfo"
            )
        return Finding("panel", BAD, f"{what}: {error.strerror}", fault("gpio_absent", error=error).remedy)
    if user not in ("", USER):
        return Finding("panel", BAD, f"{what} is used by {user}", fault("gpio_taken", error="").remedy)
    return None


def panel_checks() -> tuple[Check, ...]:
    return (panel,)
