"""What a board of boards.json needs of this machine and is not there: driver, libraries, devices, GPIO lines.

Looked at without opening a board, for `linebox boards` and `linebox doctor` while the box does not run; while it does
the boards tell it themselves. Boards that need nothing of the kind (simulator, SIP, somebody else's) have no faults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from drivers.dahdi import DahdiError
from drivers.dahdi_control import Control
from drivers.gpio_lines import USER, line_user
from drivers.libpri_build import REMEDY, can_be_bound
from firmware.core.faults import Fault, fault, said
from firmware.core.line_schemas import BoardEntry, TdmBus

CARDS = Path("/proc/asound")


def missing(entry: BoardEntry, cards: Path = CARDS) -> Iterator[Fault]:
    """A fault for each thing. `cards`: where ALSA lists its cards."""
    if not entry.enabled:
        return
    if entry.kind == "dahdi_e1" and entry.e1 is not None:
        yield from _span(entry.e1.span)
        if entry.e1.signalling == "pri" and not can_be_bound():
            yield said("ISDN needs libpri, a C compiler and Python.h, and not all are there", f"Run as root: {REMEDY}")
    elif entry.kind == "dahdi_analogue" and entry.ports is not None:
        yield from _span(entry.ports.span)
    elif entry.kind == "spi_analogue" and entry.analogue is not None and entry.analogue.hardware == "real":
        yield from _spi(port.spi for port in entry.analogue.ports)
        yield from _tdm(entry.analogue.tdm, cards)
        yield from _gpio((entry.analogue.reset, entry.analogue.interrupt))
    elif entry.kind == "framer_e1" and entry.framer is not None and entry.framer.hardware == "real":
        yield from _spi((entry.framer.spi,))
        yield from _tdm(entry.framer.tdm, cards)
        yield from _gpio((entry.framer.reset,))


def no_span(number: int) -> Fault:
    return said(f"the driver has no span {number}", "load the module of its card, or correct boards.json")


def _span(number: int) -> Iterator[Fault]:
    try:
        with Control() as control:
            try:
                control.span(number)
            except DahdiError:
                yield no_span(number)
    except DahdiError as error:
        yield error.fault.at(error.where)


def _spi(devices: Iterable[str]) -> Iterator[Fault]:
    if find_spec("periphery") is None:
        yield fault("periphery_missing", error="not installed")
    for device in devices:
        if not os.access(device, os.R_OK | os.W_OK):
            error = "not permitted" if os.path.exists(device) else "no such device"
            yield fault("spi_absent", device=device, error=error)


def _tdm(bus: TdmBus, cards: Path) -> Iterator[Fault]:
    if find_spec("alsaaudio") is None:
        yield fault("alsaaudio_missing", error="not installed")
    named = re.fullmatch(r"hw:(?:CARD=)?(\w+)(?:,.*)?", bus.card)  # other names ALSA's own configuration explains
    if named is not None:
        card = f"card{named[1]}" if named[1].isdecimal() else named[1]
        if not (cards / card).exists():
            yield fault("tdm_absent", card=bus.card, error="no such card")


def _gpio(lines: Iterable[str]) -> Iterator[Fault]:
    for line in filter(None, lines):
        try:
            user = line_user(line)
        except OSError as error:
            yield fault("gpio_absent", error=error.strerror).at(line)
            continue
        if user not in ("", USER):
            yield fault("gpio_taken", error=user).at(line)
