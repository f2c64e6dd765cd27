"""What is wrong with how the kernel module of an analogue card was loaded, for the ports that boards.json gives it.

For `linebox boards` and `linebox doctor`. Not here: the law of its samples (`boards.py`), what boards tell themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drivers.dahdi_card_module import SYSFS, CardModule, card_module
from firmware.box.commands.doctor_finding import OK, WARN, Check, Finding
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.faults import Fault, fault
from firmware.core.line_schemas import DahdiPorts
from firmware.core.paths import BoxPaths

COUNTRY, RING_HERTZ = "CHINA", 25


def card_faults(ports: DahdiPorts, module: CardModule) -> Iterator[Fault]:
    """Lines of another country, another ringing; or that nobody but root can know it."""
    if "fxo" in ports.ports and module.country not in ("", COUNTRY):
        yield fault("card_country", country=module.country, module=module.name)
    if "fxs" in ports.ports and module.ring_hertz not in (0, RING_HERTZ):
        yield fault("card_ringing", hertz=module.ring_hertz, module=module.name)
    if module.hidden:
        yield fault("card_hidden", module=module.name)


def cards(paths: BoxPaths, sysfs: Path = SYSFS) -> Iterator[Finding]:
    """A finding for each of these faults; nothing while there is no configuration."""
    try:
        entries = load_configuration_or_last_good(paths)[0].boards
    except ConfigurationError:
        return  # another check says so
    for entry in entries:
        if entry.enabled and entry.kind == "dahdi_analogue" and entry.ports is not None:
            for found in card_faults(entry.ports, card_module(entry.ports.span, sysfs)):
                level = OK if found.code == "card_hidden" else WARN
                yield Finding("boards", level, f"board {entry.board}: {found.what}", found.remedy)


def card_checks() -> tuple[Check, ...]:
    return (cards,)
