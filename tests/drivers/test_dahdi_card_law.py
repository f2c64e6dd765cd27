"""The law that a card's module was loaded with, from a sysfs laid out as the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.dahdi_card_law import module_law


def sysfs_with(root: Path, module: str, **parameters: str) -> Path:
    """A card of this module on the PCI bus, with span 1."""
    card = root / "devices/pci0000:00/0000:00:04.0"
    span = card / "pci:0000:00:04.0/span-1"
    for folder in (span, root / "module" / module / "parameters", root / "bus/pci/drivers" / module):
        folder.mkdir(parents=True)
    (root / "bus/dahdi_spans/devices").mkdir(parents=True)
    (root / "bus/dahdi_spans/devices/span-1").symlink_to(span)
    (card / "driver").symlink_to(root / "bus/pci/drivers" / module)
    (root / "bus/pci/drivers" / module / "module").symlink_to(root / "module" / module)
    for name, said in parameters.items():
        (root / "module" / module / "parameters" / name).write_text(said + "\n")
    return root


@pytest.mark.parametrize(
    ("module", "parameters", "law"),
    [
        ("wctdm24xxp", {"companding": "auto", "alawoverride": "0"}, "mu"),
        ("wctdm24xxp", {"companding": "alaw", "alawoverride": "1"}, "a"),
        ("wcaxx", {"companding": "ulaw"}, "mu"),
        ("wctdm", {"alawoverride": "0"}, "mu"),
        ("wctdm", {"alawoverride": "1"}, "a"),
        ("xpp_usb", {}, ""),
    ],
)
def test_what_the_module_was_told(tmp_path: Path, module: str, parameters: dict[str, str], law: str) -> None:
    assert module_law(1, sysfs_with(tmp_path, module, **parameters)) == law


def test_a_span_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert module_law(7, sysfs_with(tmp_path, "wctdm", alawoverride="1")) == ""
