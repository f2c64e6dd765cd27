"""What a block-link board refuses to work with. What it does when all is well is in tests/contract/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.base import BoardError, ChannelPlace
from boards.linked import LinkedBoard
from boards.signals import ChannelKind
from drivers.block_link import VERSION, Hello
from tests.contract.far_end import FarEnd, hello_of

CHANNELS = (ChannelPlace(ChannelKind.TRUNK, "T-1"), ChannelPlace(ChannelKind.EXTENSION, "P-1"))


@pytest.fixture
def board(tmp_path: Path) -> Iterator[LinkedBoard]:
    board = LinkedBoard("card", tmp_path / "card.sock", CHANNELS, has_clock=True, absent="simulator_absent")
    yield board
    board.close()


def open_against(board: LinkedBoard, path: Path, hello: Hello) -> None:
    far = FarEnd(path, hello)
    try:
        with pytest.raises(BoardError):
            board.open()
        far.accept()
        board.open()
    finally:
        far.close()


@pytest.mark.parametrize(
    ("hello", "what"),
    [
        (hello_of(CHANNELS, has_clock=False), "has no clock"),
        (hello_of(CHANNELS[:1], has_clock=True), "has 1 channels, 2 were expected"),
        (hello_of(CHANNELS[::-1], has_clock=True), "has extension P-1 where trunk T-1 was expected"),
        (hello_of(CHANNELS, has_clock=True, version=VERSION + 1), f"speaks version {VERSION + 1}"),
    ],
)
def test_a_far_process_of_another_kind_or_version_is_refused(
    board: LinkedBoard, tmp_path: Path, hello: Hello, what: str
) -> None:
    with pytest.raises(BoardError, match=what) as error:
        open_against(board, tmp_path / "card.sock", hello)

    assert error.value.remedy
    with pytest.raises(BoardError):
        board.receive()


def test_a_far_process_that_goes_before_its_hello_is_tried_again(board: LinkedBoard, tmp_path: Path) -> None:
    path = tmp_path / "card.sock"
    far = FarEnd(path, hello_of(CHANNELS, has_clock=True))
    with pytest.raises(BoardError, match="not greeted"):
        board.open()
    far.close()
    with pytest.raises(BoardError):
        board.open()

    open_against(board, path, hello_of(CHANNELS, has_clock=True))
