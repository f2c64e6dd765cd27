"""What the kernel module of an analogue card was told of A-law and mu-law, as sysfs shows it. Asks no card.

The driver itself says it only of channels that were configured without a law (`drivers/dahdi.py`, `set_law`).
"""

from __future__ import annotations

from pathlib import Path

SYSFS = Path("/sys")


def module_law(span: int, sysfs: Path = SYSFS) -> str:
    """`a` or `mu`; empty if the span's card has no module with such a parameter, or we may not read it.

    wctdm24xxp and wcaxx have `companding` (`auto` is mu-law unless an ISDN module sits on the card), wctdm has
    `alawoverride`."""
    device = (sysfs / "bus/dahdi_spans/devices" / f"span-{span}").resolve()
    for folder in (device, *device.parents):
        parameters = folder / "driver" / "module" / "parameters"
        for name, alaw in (("companding", "alaw"), ("alawoverride", "1")):
            try:
                said = (parameters / name).read_text().strip().lower()
            except OSError:
                continue
            return "a" if said == alaw else "mu"
    return ""
