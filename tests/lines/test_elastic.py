"""The buffer between the tick and a board that is not its clock: nothing is lost, nothing clicks, little is delayed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.base import ALAW_SILENCE, BLOCK, Block
from firmware.lines.elastic import BAND, DEPTH, ElasticBuffer
from firmware.media import codec
from firmware.media.interpolation import AHEAD
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.fsk import FskDetector, modulate, with_check_byte
from firmware.tones.generate import DIGITS, dtmf, pause

TICK_US = 10_000
HZ = 1020.0
"""What lines are tested with (ITU-T O.6): no whole part of 8000, so that every phase is met."""


def block(number: int) -> Block:
    return np.full((1, BLOCK), number, np.uint8)


@dataclass
class Answering:
    """A board that answers each block with one; `late` says which of its answers come a tick too late."""

    buffer: ElasticBuffer = field(default_factory=lambda: ElasticBuffer(has_clock=False))
    ticks: int = 0
    waiting: int = 0

    def tick(self, answers: int) -> int | None:
        """`answers` blocks come 2 ms after the last tick, numbered; what the next tick gets."""
        for _ in range(answers):
            self.buffer.put(block(self.waiting % 200), self.ticks * TICK_US + 2000)
            self.waiting += 1
        self.ticks += 1
        missing = self.buffer.underruns
        got = self.buffer.take(self.ticks * TICK_US)
        return None if got is None or self.buffer.underruns > missing else int(got[0, -1])


@dataclass
class Drifting:
    """A board whose clock is off by so many millionths, and the tick."""

    ppm: float
    jitter_us: float = 0.0
    phase: float = 0.3
    late_block: int = -1
    """One block that comes 12 ms late, and those after it when it does."""
    late_at_first_us: float = 0.0
    """By how much blocks of the first second come late, at random; its last ones are in time."""
    stalled_every: int = 0
    """After so many ticks the gateway stands still for 17 ms, and then does at once what was due."""
    buffer: ElasticBuffer = field(default_factory=lambda: ElasticBuffer(has_clock=True))
    waits_us: list[float] = field(default_factory=list)
    """From when the first sample of each tick could have come, blocks coming whole and at their time."""

    def run(self, line: Block) -> Block:
        """Until the board has given all of `line` [channels, samples]; what the ticks got, from their first on."""
        blocks = line.shape[1] // BLOCK
        random = np.random.default_rng(3)
        arrivals = (np.arange(blocks) + self.phase) * TICK_US / (1 + self.ppm * 1e-6)
        arrivals += random.exponential(self.jitter_us, blocks) if self.jitter_us else 0.0
        if self.late_at_first_us:
            arrivals[:90] += random.uniform(0, self.late_at_first_us, 90)
            arrivals[:90] = np.maximum.accumulate(arrivals[:90])
        if self.late_block >= 0:
            late = arrivals[self.late_block] + 12_000
            arrivals[self.late_block :] = np.maximum(arrivals[self.late_block :], late)
        heard: list[Block] = []
        come, tick, stalled_until = 0, 0, 0
        while come < blocks:
            tick += 1
            now = max(tick * TICK_US, stalled_until)
            if self.stalled_every and tick % self.stalled_every == 0:
                now = stalled_until = now + 15_000
                noticed = now
            else:
                noticed = 0
            while come < blocks and arrivals[come] < now:
                self.buffer.put(line[:, come * BLOCK : (come + 1) * BLOCK], max(int(arrivals[come]), noticed))
                come += 1
            first = come * BLOCK - len(self.buffer)
            got = self.buffer.take(now)
            if got is not None:
                self.waits_us.append(now - (first / BLOCK + self.phase) * TICK_US / (1 + self.ppm * 1e-6))
                heard.append(got)
            elif heard:
                heard.append(np.full((line.shape[0], BLOCK), ALAW_SILENCE, np.uint8))
        return np.concatenate(heard, axis=1)


def tone_line(seconds: float) -> Block:
    phase = 2 * np.pi * HZ / codec.SAMPLE_RATE * np.arange(round(seconds * codec.SAMPLE_RATE))
    return codec.encode(codec.peak_of(-10.0) * np.sin(phase)[None, :])


def beside_the_tone_db(codes: NDArray[np.uint8], at: int) -> float:
    """All that is not the tone in the 20 ms around a place, below it; the tone may be off by 0.6 % there."""
    piece = codec.decode(codes[at - BLOCK : at + BLOCK]).astype(np.float64)
    time = 2 * np.pi * np.arange(piece.size) / codec.SAMPLE_RATE
    best = np.inf
    for hz in HZ * (1 + np.linspace(-0.006, 0.006, 13)):
        waves = np.stack([np.sin(hz * time), np.cos(hz * time)], axis=1)
        of_tone = waves @ np.linalg.lstsq(waves, piece, rcond=None)[0]
        best = min(best, float(np.sum((piece - of_tone) ** 2) / np.sum(of_tone**2)))
    return 10 * float(np.log10(best))


def largest_step(codes: NDArray[np.uint8]) -> float:
    return float(np.abs(np.diff(codec.decode(codes))).max())


# ---- a board without a clock -----------------------------------------------------------------------------------------


def test_blocks_come_out_in_order_and_wait_for_nothing() -> None:
    board = Answering()
    assert [board.tick(answers) for answers in (1, 1, 1, 0)] == [0, 1, 2, None]
    assert board.buffer.underruns == 1


def test_before_the_first_block_nothing_is_missing() -> None:
    buffer = ElasticBuffer(has_clock=False)
    assert buffer.take(TICK_US) is None
    assert buffer.underruns == 0


def test_of_a_burst_of_the_board_the_newest_stay_and_the_rest_is_counted() -> None:
    board = Answering()
    board.tick(1)
    for _ in range(10):
        board.tick(0)
    assert board.tick(10) == 7
    assert board.buffer.overruns == 10 - DEPTH
    assert board.buffer.underruns == 10


def test_a_tick_without_a_block_is_bridged_and_a_longer_gap_fades_out() -> None:
    buffer, line = ElasticBuffer(has_clock=False), tone_line(2)
    heard = []
    for number in range(100):
        if number not in (30, 60, 61, 62, 63, 64, 65, 66, 67, 68):
            buffer.put(line[:, number * BLOCK : (number + 1) * BLOCK], number * TICK_US + 2000)
        got = buffer.take((number + 1) * TICK_US)
        heard.append(np.full((1, BLOCK), ALAW_SILENCE, np.uint8) if got is None else got)
    levels = [codec.level_of(codec.decode(one)) for one in heard]
    assert buffer.underruns == 10
    assert levels[30] == pytest.approx(-10.0, abs=0.5)
    assert levels[60] == pytest.approx(-10.0, abs=0.5)
    assert -13.0 < levels[61] < -10.5
    assert sorted(levels[60:66], reverse=True) == levels[60:66]
    assert max(levels[66:69]) < -60.0
    assert largest_step(np.concatenate(heard, axis=1)[0]) < 1.1 * largest_step(line[0])


def test_a_missing_block_of_a_board_with_a_clock_is_silence() -> None:
    board = Drifting(0.0, late_block=2000)
    heard = board.run(tone_line(30))[0]
    assert (
        sum(set(piece.tolist()) == {ALAW_SILENCE} for piece in heard[: heard.size // BLOCK * BLOCK].reshape(-1, 80))
        == 1
    )


def test_after_a_stall_of_the_gateway_every_block_that_waited_is_played() -> None:
    # Given that the gateway stood still for 300 ms, and then takes all that waits and makes up for its ticks
    buffer = ElasticBuffer(has_clock=False)
    buffer.put(block(0), 2000)
    assert buffer.take(TICK_US) is not None
    late = TICK_US + 300_000
    for number in range(1, 31):
        buffer.put(block(number), late)
    got = [buffer.take(late + number) for number in range(30)]
    assert [int(one[0, -1]) for one in got if one is not None] == list(range(1, 31))
    assert (buffer.overruns, buffer.underruns) == (0, 0)


def test_a_block_that_came_late_bridges_the_next_late_one() -> None:
    board = Answering()
    assert [board.tick(answers) for answers in (1, 0, 2, 1, 0, 2, 1)] == [0, None, 1, 2, 3, 4, 5]
    assert board.buffer.underruns == 1


def test_delay_that_is_not_needed_is_given_back_without_a_click() -> None:
    # Given that after the first tick three blocks wait for nothing
    buffer, line = ElasticBuffer(has_clock=False), tone_line(110)
    heard, come = [], 0
    for number in range(10_000):
        for _ in range(4 if number == 1 else 1):
            buffer.put(line[:, come * BLOCK : (come + 1) * BLOCK], number * TICK_US + 2000)
            come += 1
        got = buffer.take((number + 1) * TICK_US)
        assert got is not None
        heard.append(got[0])
    # Then a minute and a half later it is far less than one
    assert len(buffer) <= AHEAD + BAND
    assert buffer.dropped == 3 * BLOCK - len(buffer)
    assert (buffer.underruns, buffer.overruns, buffer.repeated) == (0, 0, 0)
    assert largest_step(np.concatenate(heard)) < 1.1 * largest_step(line[0])


# ---- a board with a clock of its own ---------------------------------------------------------------------------------


@pytest.mark.parametrize("jitter_us", [0.0, 300.0])
@pytest.mark.parametrize("ppm", [50.0, -50.0, 200.0, -200.0])
def test_a_clock_that_is_off_costs_single_samples_and_never_a_block(ppm: float, jitter_us: float) -> None:
    seconds = 120 if abs(ppm) == 50 else 60
    board, line = Drifting(ppm, jitter_us), tone_line(seconds)
    heard = board.run(line)[0]
    buffer = board.buffer
    # Then nothing was missing and nothing thrown away, but for as many samples as the clocks drifted apart
    assert (buffer.underruns, buffer.overruns) == (0, 0)
    drift = ppm * 1e-6 * seconds * codec.SAMPLE_RATE
    seen_late = 2 * BAND + abs(drift) / seconds * 10 + (0 if not jitter_us else 16)
    assert buffer.dropped - buffer.repeated == pytest.approx(drift, abs=seen_late)
    assert buffer.slips <= abs(drift) + 2 * BAND + (0 if not jitter_us else 30)
    # no sample waited longer than a tick and what the interpolation, the band and the jitter want
    settled = np.array(board.waits_us[1500:])
    wanted_ms = (AHEAD + 2 * BAND) / 8 + abs(ppm) * 1e-6 * 12_000 + (0 if not jitter_us else 4.0)
    assert settled.max() / 1000 <= 10 + wanted_ms
    # and nothing clicked
    assert largest_step(heard) < 1.06 * largest_step(line[0])


def test_slips_are_below_what_a_law_itself_does_to_a_tone_and_far_below_a_sample_or_a_block_left_out() -> None:
    line = tone_line(30)
    alone = max(beside_the_tone_db(line[0], at) for at in range(400, 200_000, 997))
    slipped = Drifting(200.0).run(line)[0]
    worst = max(beside_the_tone_db(slipped, at) for at in range(400, slipped.size - 400, 397))
    at_once = max(beside_the_tone_db(np.delete(line[0], at), at) for at in range(4000, 4400, 7))
    whole = max(beside_the_tone_db(np.delete(line[0], slice(at, at + BLOCK)), at) for at in range(4000, 4400, 7))
    assert alone < -37.0
    assert worst < -31.5  # two A-law encodings, one after the other, give -34
    assert at_once > -13.0
    assert whole > -7.0


def test_between_slips_every_code_passes_as_it_is() -> None:
    line = np.random.default_rng(1).integers(0, 256, (2, 180 * codec.SAMPLE_RATE), dtype=np.uint8)
    board = Drifting(20.0)
    heard = board.run(line)
    said = line.tobytes()[: line.shape[1]]
    exact = sum(heard[0, at : at + BLOCK].tobytes() in said for at in range(0, heard.shape[1] - BLOCK, 40 * BLOCK))
    of = len(range(0, heard.shape[1] - BLOCK, 40 * BLOCK))
    assert board.buffer.slips > 10
    assert exact / of > 0.6


def test_a_block_that_came_too_late_costs_one_tick_and_its_delay_is_given_back() -> None:
    board = Drifting(0.0, late_block=2000)
    board.run(tone_line(150))
    buffer = board.buffer
    assert (buffer.underruns, buffer.overruns) == (1, 0)
    assert buffer.repeated <= 2 * BAND
    assert buffer.dropped - buffer.repeated == pytest.approx(BLOCK, abs=2 * BAND)


def test_a_gateway_that_stands_still_now_and_then_takes_no_delay_from_it() -> None:
    board = Drifting(0.0, stalled_every=1300)
    board.run(tone_line(120))
    assert (board.buffer.underruns, board.buffer.overruns, board.buffer.slips) == (0, 0, 0)


def test_equal_clocks_never_slip() -> None:
    for phase in (0.0, 0.3, 0.99):
        line = np.random.default_rng(1).integers(0, 256, (1, 40 * codec.SAMPLE_RATE), dtype=np.uint8)
        board = Drifting(0.0, phase=phase)
        heard = board.run(line)[0]
        assert board.buffer.slips == 0
        assert heard.tobytes() in line[0].tobytes()


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.6, 0.9])
def test_what_is_wrong_when_a_board_begins_is_put_right_before_anybody_talks(phase: float) -> None:
    line = np.random.default_rng(1).integers(0, 256, (1, 20 * codec.SAMPLE_RATE), dtype=np.uint8)
    board = Drifting(0.0, phase=phase, late_at_first_us=6000.0)
    board.run(line[:, : 3 * codec.SAMPLE_RATE])
    at_first = board.buffer.slips
    assert 0 < at_first <= 2 * BLOCK

    board = Drifting(0.0, phase=phase, late_at_first_us=6000.0)
    heard = board.run(line)[0]
    # Then after three seconds nothing is slipped and every code passes
    assert board.buffer.slips == at_first
    assert heard[3 * codec.SAMPLE_RATE :].tobytes() in line[0].tobytes()
    # and nothing waits longer than on a board that was in time from the first block
    assert max(board.waits_us[300:]) <= 10_000 + (AHEAD + 2 * BAND) * 125


@pytest.mark.parametrize("ppm", [50.0, -50.0, 200.0, -200.0])
def test_every_digit_and_every_caller_id_gets_through(ppm: float) -> None:
    digits = np.concatenate([np.concatenate([dtmf(digit, 40), pause(40)]) for digit in DIGITS])
    message = with_check_byte(0x04, b"1122083013800138000")
    caller_id = codec.encode(np.pad(modulate(message), 2000))
    seconds = 70 if abs(ppm) == 50 else 40
    samples = seconds * codec.SAMPLE_RATE
    rounds = samples // caller_id.size
    line = np.stack([np.resize(digits, samples), np.resize(caller_id, samples)])
    board = Drifting(ppm, 200.0)
    heard = codec.decode(board.run(line))
    assert board.buffer.slips > 5
    dtmf_detector, fsk_detector = DtmfDetector(1), FskDetector(1)
    found: list[str] = []
    messages = 0
    for at in range(0, heard.shape[1] - BLOCK + 1, BLOCK):
        piece = np.ascontiguousarray(heard[:, at : at + BLOCK])
        found += [one.digit for one in dtmf_detector.process(piece[:1], at)]
        messages += len(fsk_detector.process(np.ascontiguousarray(piece[1:]), np.arange(1)))
    sent = (samples - samples % digits.size) // (digits.size // 16)
    place = "".join(DIGITS).index(found[0])
    assert "".join(found) in "".join(DIGITS) * (sent // 16 + 2)
    assert len(found) >= sent - 3, place
    assert messages >= rounds - 1


def test_a_board_that_was_the_clock_begins_anew() -> None:
    board = Drifting(0.0)
    board.run(tone_line(1))
    board.buffer.restart()
    assert len(board.buffer) == 0
    assert board.buffer.take(2_000_000) is None
    assert board.buffer.underruns == 0
