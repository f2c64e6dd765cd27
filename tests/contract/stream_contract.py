"""The Board contract for boards on a real driver (DAHDI, ALSA): its far end is a line, which goes on whatever they do.

What the general suite says block by block is said here of a stream in the guest's time; far ends are those of
tests/vm/inside. `driver_contract.py` and `alsa_contract.py` bring the card. Runs in the test guest only
(`scripts/test vm`).
"""

from __future__ import annotations

import gc
import os
import select
import time
from collections.abc import Iterator

import numpy as np
import pytest

from boards.base import BLOCK, Board, BoardError, NotSupported
from boards.signals import TO_KIND, Connect, FromBoard, Loop, Release, Ring, ToBoard
from tests.contract.suite import BoardContract, cannot_apply
from tests.vm.inside.far_line import BoardEnd, StreamEnd, channels_that_heard, random_blocks, rows_of, run

GUEST_STOOD_STILL = 0.05
"""Seconds. While the guest waits for its disk its clock runs ahead, and more blocks wait than came."""


def wait_for_a_block(end: BoardEnd, far: StreamEnd) -> None:
    """Until a moment at which one has just come."""
    known = len(end.heard)
    assert run([end, far], 2, lambda: len(end.heard) > known)


class StreamBoardContract(BoardContract):
    """Subclasses give `make_board`, `far`, how the card is pulled, and what happens on their kind of line."""

    has_clock = True

    held_seconds: float
    """So much of what comes the card or its driver keeps for a board that does not look."""

    blocks_at_a_time = 1
    """More only where the card's own clock is coarser than a block."""

    @pytest.fixture
    def line(self, board: Board) -> Iterator[object]:
        """The card is there and has a line, and nobody is at its far end; `far` comes there. Closes the board."""
        raise NotImplementedError

    def pull(self, far: StreamEnd) -> None:
        """Take the card away."""
        raise NotImplementedError

    def put_back(self, far: StreamEnd) -> None:
        """Put the pulled card back where it was, after the board has closed."""
        raise NotImplementedError

    def come_to_rest(self, board: Board, far: StreamEnd) -> None:
        """Wait until the line tells all that happens, if it does not at once."""

    def happen(self, far: StreamEnd) -> None:
        """The far end does something on channel 0."""
        raise NotImplementedError

    def happened(self) -> FromBoard:
        """What the board tells then."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self, board: Board, far: StreamEnd) -> Board:  # type: ignore[override]
        board.open()
        run([BoardEnd(board), far], 0.3)
        return board

    # ---- blocks ------------------------------------------------------------------------------------------------------

    def test_a_far_end_that_hangs_delays_the_gateway_once_and_for_a_moment_only(  # type: ignore[override]
        self, board: Board, line: object
    ) -> None:
        took = []
        for _ in range(3):
            board.close()
            start = time.monotonic()
            board.open()  # nobody has configured or opened the far end
            took.append(time.monotonic() - start)
        assert min(took) < 0.2  # the guest may have waited for its disk in one
        end = BoardEnd(board)
        for _ in range(5):
            end.heard.clear()
            run([end], 0.3)
            if len(end.heard) >= 29:
                break
        assert len(end.heard) >= 29

    def test_blocks_come_in_whole_and_in_order(self, opened: Board, far: StreamEnd) -> None:  # type: ignore[override]
        sent = random_blocks(1, 30, self.channels)
        run([BoardEnd(opened), far], 0.2)  # making them took longer than the line waits
        end = BoardEnd(opened)
        before = opened.counters.blocks_received
        far.to_play = list(sent)
        run([end, far], 0.6)

        assert {block.shape for block in end.heard} == {(self.channels, BLOCK)}
        assert channels_that_heard(sent, end.heard) == self.channels
        assert opened.counters.blocks_received - before == len(end.heard)
        assert opened.counters.lost_inward == 0

    def test_it_is_readable_when_there_is_something_and_quiet_when_not(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        end = BoardEnd(opened)
        wait_for_a_block(end, far)
        at_a_time: list[int] = []
        for _ in range(20):
            end.look()
            quiet_since = time.monotonic()
            assert select.select([opened.fileno()], [], [], 0)[0] == []
            assert opened.receive() == ([], [])
            assert select.select([opened.fileno()], [], [], 1)[0] == [opened.fileno()]
            blocks, _ = opened.receive()
            for block in blocks:  # a line that is given nothing has something to tell, too
                opened.send_block(block)
            if time.monotonic() - quiet_since < GUEST_STOOD_STILL:
                at_a_time.append(len(blocks))

        assert len(at_a_time) > 15
        assert 1 <= min(at_a_time) <= max(at_a_time) <= self.blocks_at_a_time, at_a_time

    def test_blocks_go_out_whole_and_numbered(self, opened: Board, far: StreamEnd) -> None:  # type: ignore[override]
        """Whole; a line has no numbers."""
        sent = random_blocks(2, 30, self.channels)
        run([BoardEnd(opened), far], 0.2)
        end = BoardEnd(opened)
        before = opened.counters.blocks_sent
        end.to_play = list(sent)
        run([end, far], 0.6)

        assert channels_that_heard(sent, far.heard) == self.channels
        assert opened.counters.blocks_sent - before == len(end.heard)
        assert opened.counters.lost_outward == 0

    def test_a_gap_in_what_comes_is_counted(self, opened: Board, far: StreamEnd) -> None:  # type: ignore[override]
        end = BoardEnd(opened)
        started = time.monotonic()
        run([far], 0.6)  # longer than anybody holds it
        run([end, far], 1.2)  # some counters are read each second
        passed = round((time.monotonic() - started) * 100)

        print(f"{len(end.heard)} blocks came, {passed} passed, {opened.counters.lost_inward} counted as lost")
        assert opened.counters.lost_inward > 20
        assert abs(len(end.heard) + opened.counters.lost_inward - passed) <= 3

    def test_after_a_stall_everything_that_waits_comes_in_the_order_of_time(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        """All blocks, then what happened: drivers keep no order between samples and events."""
        self.come_to_rest(opened, far)
        far.to_play = [np.full((self.channels, BLOCK), number, np.uint8) for number in range(1, 61)]
        end = BoardEnd(opened)
        run([end, far], 0.1)
        wait_for_a_block(end, far)
        lost, before = opened.counters.lost_inward, len(end.heard)
        stall = self.held_seconds * 0.9
        run([far], stall / 2)
        self.happen(far)
        run([far], stall / 2)

        blocks, signals = opened.receive()
        assert len(blocks) > stall * 100 - 2
        numbers = rows_of([*end.heard[:before], *blocks])[0].astype(int)
        steps = np.diff(numbers[(numbers > 0) & (numbers < 61)])
        assert set(steps) == {0, 1}
        end.signals += signals
        assert run([end, far], 0.5, lambda: self.happened() in end.signals)
        assert opened.counters.lost_inward == lost

    def test_a_far_end_that_does_not_read_costs_blocks_and_not_the_gateway(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        block = np.zeros((self.channels, BLOCK), np.uint8)
        before = opened.counters.blocks_sent
        for _ in range(20):
            opened.send_block(block)
        sent = opened.counters.blocks_sent - before
        assert opened.counters.lost_outward == 20 - sent > 0

        end = BoardEnd(opened)
        run([end, far], 0.3)
        assert opened.counters.blocks_sent - before > sent + 20
        lost_later = opened.counters.lost_outward - (20 - sent)
        assert lost_later < self.blocks_at_a_time  # both ways may be apart by one of the card's steps, once

    test_blocks_that_the_gateway_drops_leave_a_gap_for_the_far_end_to_see = cannot_apply(
        "samples on a line carry no number: a block that was dropped is not seen at the far end"
    )

    # ---- signals -----------------------------------------------------------------------------------------------------

    def test_a_signal_that_the_channel_cannot_do_is_refused_and_the_board_goes_on(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        for channel in (0, self.channels - 1):
            place = opened.channels[channel]
            said: list[ToBoard] = [Ring(channel, True), Connect(channel), Loop(channel, True)]
            for signal in said:
                if isinstance(signal, TO_KIND[place.kind]):
                    continue
                with pytest.raises(NotSupported) as error:
                    opened.send_signal(signal)
                assert place.label in error.value.where
        with pytest.raises(BoardError):
            opened.send_signal(Release(self.channels))

        end = BoardEnd(opened)
        run([end, far], 0.1)
        assert end.heard

    # ---- trouble -----------------------------------------------------------------------------------------------------

    def test_a_far_end_that_dies_is_an_error_after_what_it_still_said(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        """The card is pulled. A far end that is gone is no error of the board but an alarm of its line."""
        self.pull(far)
        with pytest.raises(BoardError) as error:
            run([BoardEnd(opened), far], 1.0)
        assert f"board {opened.name}" in error.value.where
        assert error.value.remedy
        self.put_back(far)
        opened.open()  # a span may only be destroyed after what was open when it was pulled was opened again

    def test_after_trouble_it_can_be_opened_again_as_new(  # type: ignore[override]
        self, opened: Board, far: StreamEnd
    ) -> None:
        opened.counters.lost_outward += 5
        self.pull(far)
        with pytest.raises(BoardError):
            run([BoardEnd(opened), far], 1.0)
        with pytest.raises(BoardError):
            opened.open()
        opened.close()
        self.put_back(far)
        opened.open()

        sent = random_blocks(5, 30, self.channels)
        end = BoardEnd(opened)
        run([end, far], 0.3)
        far.to_play = list(sent)
        run([end, far], 0.6)
        assert channels_that_heard(sent, end.heard) == self.channels
        assert (opened.counters.lost_inward, opened.counters.lost_outward) == (0, 0)

    def test_closing_frees_its_descriptors(self, board: Board, far: StreamEnd) -> None:  # type: ignore[override]
        board.open()
        board.close()
        gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            board.open()
            board.close()

        assert len(os.listdir("/proc/self/fd")) == before
