"""Samples through pyalsaaudio's PCM, played by a simulated one: slots, xruns, short writes, a card that goes."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import numpy as np
import pytest

from drivers.simulated.tdm import SimulatedTdm
from drivers.spi_line_chip import ChipError
from drivers.tdm_alsa import BLOCK, BLOCKS_AT_ONCE, PREFILL, TdmStream, open_pcms


@pytest.fixture
def tdm() -> SimulatedTdm:
    return SimulatedTdm(4, lambda ms: None)


class Clock:
    ns = 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(tdm: SimulatedTdm, clock: Clock) -> Iterator[TdmStream]:
    stream = TdmStream(4, "a_law", "board x", lambda: tdm.open(timed=False), lambda: clock.ns)
    yield stream
    stream.close()


def test_slots_become_rows_and_rows_slots(tdm: SimulatedTdm, stream: TdmStream) -> None:
    block = np.random.default_rng(1).integers(0, 256, (4, 80), dtype=np.uint8)
    tdm.give(block)

    (got,) = stream.read_blocks()
    assert np.array_equal(got, block)
    assert stream.write_block(block)
    assert np.array_equal(tdm.take()[PREFILL], block)


def test_an_overrun_is_counted_with_all_that_came_since_nothing_waited(
    tdm: SimulatedTdm, stream: TdmStream, clock: Clock
) -> None:
    """The card stops when it runs over, so only the clock knows how much came meanwhile."""
    clock.ns = 600_000_000
    tdm.give(np.zeros((4, 80), np.uint8))
    tdm.give(-errno.EPIPE)
    tdm.give(np.zeros((4, 80), np.uint8))

    assert len(stream.read_blocks()) == 2
    assert (stream.counters.overruns, stream.counters.lost_inward) == (1, 59)


def test_an_overrun_that_the_library_keeps_to_itself_is_seen_by_the_state(
    tdm: SimulatedTdm, stream: TdmStream, clock: Clock
) -> None:
    clock.ns = 400_000_000
    tdm.next_state = 4
    tdm.give(np.zeros((4, 80), np.uint8))

    assert len(stream.read_blocks()) == 1
    assert (stream.counters.overruns, stream.counters.lost_inward) == (1, 40)


@pytest.mark.parametrize("raises", [False, True])
def test_an_underrun_is_counted_and_the_cushion_put_back(tdm: SimulatedTdm, stream: TdmStream, raises: bool) -> None:
    tdm.take()
    tdm.raises = raises
    tdm.next_write = -errno.EPIPE

    assert stream.write_block(np.zeros((4, 80), np.uint8))
    assert stream.counters.underruns == 1
    assert [int(block[0, 0]) for block in tdm.take()] == [0xD5] * (PREFILL - 1) + [0]


def test_a_full_card_costs_blocks(tdm: SimulatedTdm, stream: TdmStream) -> None:
    written = [stream.write_block(np.zeros((4, 80), np.uint8)) for _ in range(10)]

    assert written.count(False) == stream.counters.lost_outward == 10 - (8 - PREFILL)


def test_a_card_that_goes_is_an_error_that_names_the_board(tdm: SimulatedTdm, stream: TdmStream) -> None:
    tdm.pulled = True
    for act in (stream.read_blocks, lambda: stream.write_block(np.zeros((4, 80), np.uint8))):
        with pytest.raises(ChipError, match="board x: the TDM stream failed"):
            act()


def test_a_device_without_a_clock_does_not_hold_up_the_gateway(tdm: SimulatedTdm, stream: TdmStream) -> None:
    for _ in range(BLOCKS_AT_ONCE + 5):
        tdm.give(np.zeros((4, 80), np.uint8))

    assert [len(stream.read_blocks()) for _ in range(3)] == [BLOCKS_AT_ONCE, 5, 0]


class ScriptedPcm:
    """A PCM of two 16-bit slots that gives and takes frames in portions, as sound cards do whose position is finer than
    a period."""

    def __init__(self, gives: list[tuple[int, bytes]], takes: list[int]) -> None:
        self.gives, self.takes = gives, takes
        self.wrote = b""

    def read(self) -> tuple[int, bytes]:
        return self.gives.pop(0) if self.gives else (0, b"")

    def write(self, data: bytes) -> int:
        taken = min(self.takes.pop(0) if self.takes else BLOCK, len(data) // 4)
        self.wrote += data[: 4 * taken]
        return taken

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(7, 1)]

    def state(self) -> int:
        return 3

    def close(self) -> None: ...


def words(left: np.ndarray, right: np.ndarray) -> bytes:
    return np.stack([left, right], axis=1).astype("<u2").tobytes()


def test_sixteen_bit_slots_carry_the_code_in_the_lower_byte() -> None:
    pcm = ScriptedPcm([(0, b""), (80, words(np.full(80, 0xD5), np.full(80, 0x55)))], [])
    stream = TdmStream(2, "word", "board x", lambda: (pcm, pcm))

    (block,) = stream.read_blocks()
    assert (set(block[0]), set(block[1])) == ({0xD5}, {0x55})
    assert len(pcm.wrote) == PREFILL * 80 * 2 * 2
    assert stream.descriptor == 7


def test_parts_of_a_period_are_put_together() -> None:
    line = np.arange(240)
    parts = [line[begin:end] for begin, end in ((0, 80), (80, 83), (83, 163), (163, 170), (170, 240))]
    pcm = ScriptedPcm([(len(part), words(part, part // 2)) for part in parts], [])
    stream = TdmStream(2, "word", "board x", lambda: (pcm, pcm))

    blocks = [block for _ in range(4) for block in stream.read_blocks()]

    assert [block.shape for block in blocks] == [(2, 80)] * 3
    assert np.array_equal(np.concatenate(blocks, axis=1), np.stack([line, line // 2]))


def test_a_block_of_which_the_card_takes_a_part_goes_out_whole_before_the_next() -> None:
    pcm = ScriptedPcm([], [])
    stream = TdmStream(2, "word", "board x", lambda: (pcm, pcm))
    blocks = [np.full((2, 80), number, np.uint8) for number in range(1, 5)]
    pcm.wrote = b""
    pcm.takes = [30, 50, 79, 0, 1, 80]  # the third block finds no room at all, and is lost as a whole

    assert [stream.write_block(block) for block in blocks] == [True, True, False, True]
    assert stream.counters.lost_outward == 1
    samples = np.frombuffer(pcm.wrote, "<u2").reshape(-1, 2)[:, 0]
    assert np.array_equal(samples, np.repeat([1, 2, 4], 80))


def test_without_the_library_or_card_it_says_what_to_do() -> None:
    with pytest.raises(ChipError) as error:
        open_pcms("hw:CARD=nothing", 4, "a_law", "board x")
    assert error.value.remedy
    assert "board x" in str(error.value)
