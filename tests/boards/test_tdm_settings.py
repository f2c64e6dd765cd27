"""What boards.json says of the TDM bus is what a real board opens its sound card with."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from boards import framer_e1, spi_analogue
from boards.base import BoardError
from drivers.spi_line_chip import ChipError
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import box_paths

TDM = {"card": "hw:CARD=town,DEV=1", "slots": 64, "samples": "word"}
SECTIONS: list[tuple[Any, dict[str, Any]]] = [
    (spi_analogue, {"analogue": {"ports": [{"chip": "si3210", "spi": "/dev/spidev9.0", "slot": 0}], "tdm": TDM}}),
    (framer_e1, {"framer": {"spi": "/dev/spidev9.0", "tdm": TDM}}),
]


@pytest.mark.parametrize(("module", "section"), SECTIONS)
def test_card_slots_and_width_of_the_samples_are_those_of_the_configuration(
    module: Any, section: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def no_card(*arguments: object) -> None:
        asked.append(arguments)
        raise ChipError(fault("tdm_absent", card=arguments[0], error="none here"), "TDM")

    monkeypatch.setattr(module, "open_pcms", no_card)
    kind = module.__name__.removeprefix("boards.")
    entry = msgspec.convert({"board": "town", "kind": kind, **section}, BoardEntry)
    board = module.open_board(entry, box_paths(None))
    with pytest.raises(BoardError, match="none here"):
        board.open()

    assert [one[:3] for one in asked] == [("hw:CARD=town,DEV=1", 64, "word")]
