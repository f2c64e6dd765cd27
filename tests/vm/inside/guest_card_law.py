"""Cards that speak mu-law. The driver says so of spans that are no E1; it converts nothing, so the board has to.

The span has eight ports, as a card; the driver calls every dynamic span mu-law.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.base import Board
from boards.dahdi_analogue import DahdiAnalogueBoard
from boards.mu_law import ALAW_OF_MU, MU_LAW_SILENCE, MU_OF_ALAW
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import LAW_ALAW, LAW_MULAW, Signalling
from firmware.box.commands.boards import system_conf
from firmware.core.line_schemas import BoardEntry, DahdiPorts
from tests.vm.inside.far_line import BoardEnd, FarLine, channels_that_heard, run
from tests.vm.inside.spans import DynamicSpan, create

PORTS = ("fxs", "fxs")
EVERY_CODE = [
    np.roll(np.tile(np.arange(256, dtype=np.uint8), 5), 7)[begin : begin + 80] for begin in range(0, 1280, 80)
]
BLOCKS = [np.stack([codes, codes[::-1]]) for codes in EVERY_CODE]


@pytest.fixture
def spans() -> Iterator[tuple[DynamicSpan, DynamicSpan]]:
    pair = create(3, 0, slots=8), create(3, 1, slots=8)
    yield pair
    for span in pair:
        span.destroy()


def ends(board: Board, far: FarLine) -> BoardEnd:
    board.open()
    end = BoardEnd(board)
    run([end, far], 0.3)
    far.to_play = list(BLOCKS)
    end.to_play = list(BLOCKS)
    run([end, far], 0.5)
    return end


@pytest.mark.parametrize(("law", "translated"), [("card", True), ("mu", True), ("a", False)])
def test_a_card_of_mu_law_gives_and_takes_a_law(
    spans: tuple[DynamicSpan, DynamicSpan], law: str, translated: bool
) -> None:
    """Taken for A-law its codes come as they are: what the driver is told of the law alters no sample."""
    settings = DahdiPorts(span=spans[0].number, ports=PORTS, law=law)  # type: ignore[arg-type]
    board, far = DahdiAnalogueBoard("phones", settings), FarLine(spans[1], Signalling.FXSKS, (1, 2))
    try:
        end = ends(board, far)
        with Control() as control:
            told = control.channels_of(spans[0].number)[0].law
    finally:
        board.close()
        far.close()

    inward = [ALAW_OF_MU[block] for block in BLOCKS] if translated else BLOCKS
    outward = [MU_OF_ALAW[block] for block in BLOCKS] if translated else BLOCKS
    assert channels_that_heard(inward, end.heard) == len(PORTS)
    assert channels_that_heard(outward, far.heard) == len(PORTS)
    assert told == (LAW_MULAW if translated else LAW_ALAW)
    if translated:  # cushion, rest and the driver's own idle code (zero of the other sign) are no click
        assert set(far.heard[0].flat) <= {MU_LAW_SILENCE, MU_LAW_SILENCE & 0x7F, int(MU_OF_ALAW[0xD5])}


def test_a_channel_that_is_configured_by_the_written_file_still_tells_its_cards_law(
    spans: tuple[DynamicSpan, DynamicSpan], tmp_path: Path
) -> None:
    entry = BoardEntry(board="phones", kind="dahdi_analogue", ports=DahdiPorts(span=spans[0].number, ports=PORTS))
    with Control() as control:
        span = control.span(spans[0].number)
        written = system_conf([span], [control.channels_of(span.number)], [entry])

    assert "law=" not in written
