"""What a card's module was loaded with, from a sysfs laid out as the kernel's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.dahdi_card_module import CardModule, card_module


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
    assert card_module(1, sysfs_with(tmp_path, module, **parameters)).law == law


@pytest.mark.parametrize(
    ("parameters", "country", "ring_hertz"),
    [
        ({"opermode": "FCC", "fastringer": "0"}, "FCC", 20),
        ({"opermode": "China", "fastringer": "1"}, "CHINA", 25),
        ({"opermode": "TBR21"}, "TBR21", 0),
        ({"fastringer": "0"}, "", 20),
        ({}, "", 0),
    ],
)
def test_the_country_and_the_ringing_that_the_module_was_told(
    tmp_path: Path, parameters: dict[str, str], country: str, ring_hertz: int
) -> None:
    module = card_module(1, sysfs_with(tmp_path, "wctdm", **parameters))

    assert (module.country, module.ring_hertz, module.hidden) == (country, ring_hertz, False)
    assert module.name == ("wctdm" if parameters else "")


def test_a_span_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert card_module(7, sysfs_with(tmp_path, "wctdm", alawoverride="1")) == CardModule()


def test_what_only_root_may_read_is_known_to_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sysfs = sysfs_with(tmp_path, "wctdm24xxp", opermode="FCC", fastringer="0", companding="auto")
    read = Path.read_text

    def as_somebody(path: Path, *arguments: Any) -> str:
        if path.exists():
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", as_somebody)

    assert card_module(1, sysfs) == CardModule("wctdm24xxp", hidden=True)
