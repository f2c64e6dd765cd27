"""What the kernel module of an analogue card was told when it was loaded, as sysfs shows it. Asks no card.

The modules of Digium's cards and of those built like them (wctdm, wctdm24xxp, wcaxx, opvxa1200 …) have the same names
for it; most let only root read them. The law a driver itself says only of channels that were configured without one
(`drivers/dahdi.py`, `set_law`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SYSFS = Path("/sys")


class CardModule(NamedTuple):
    """Empty where the module has no such parameter, or we may not read it."""

    name: str = ""
    law: str = ""
    """`a` or `mu`."""
    country: str = ""
    """For which country's lines its FXO ports are set, in capitals: `FCC` is North America's."""
    ring_hertz: int = 0
    """20 or 25, of its FXS ports."""
    hidden: bool = False
    """It has parameters that we may not read."""


def card_module(span: int, sysfs: Path = SYSFS) -> CardModule:
    """The module of the card of a span.

    The law is `companding` of wctdm24xxp and wcaxx (`auto` is mu-law unless an ISDN module sits on the card), else
    `alawoverride`."""
    device = (sysfs / "bus/dahdi_spans/devices" / f"span-{span}").resolve()
    for folder in (device, *device.parents):
        parameters = folder / "driver" / "module" / "parameters"
        said, hidden = _read(parameters)
        if said or hidden:
            companding, override = said.get("companding", ""), said.get("alawoverride", "")
            return CardModule(
                name=parameters.parent.resolve().name,
                law={"": "", "alaw": "a"}.get(companding, "mu") or {"": "", "1": "a"}.get(override, "mu"),
                country=said.get("opermode", "").upper(),
                ring_hertz={"": 0, "0": 20}.get(said.get("fastringer", ""), 25),
                hidden=hidden,
            )
    return CardModule()


def _read(parameters: Path) -> tuple[dict[str, str], bool]:
    """Those of the parameters that are there and may be read, and whether there are others."""
    said: dict[str, str] = {}
    hidden = False
    for name in ("companding", "alawoverride", "opermode", "fastringer"):
        try:
            said[name] = (parameters / name).read_text().strip().lower()
        except PermissionError:
            hidden = True
        except OSError:
            pass
    return said, hidden
