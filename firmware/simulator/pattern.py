"""A sound that carries its own sample numbers: who sent each sample, and which one it is. Not for listening.

Sixteen samples are one 64-bit word: speaker (24 bits) and group number (sample number // 16, 32 bits) through a
bijective mixer (the finaliser of splitmix64, which makes them look like noise), four bits a sample. Each sample is one
of sixteen A-law codes of one segment, so the sound is white noise of about -15 dBm0 that no tone detector takes for a
digit. Any sixteen samples that came through unharmed give speaker and sample number back; 32 bits of the word are
known beforehand (speaker and zeroes), so a false find is one in four thousand million.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

BLOCK = 80
GROUP = 16
"""Samples in a word. A block is five whole groups, so blocks that are lost or doubled never cut one."""

Alaw = NDArray[np.uint8]
_U64 = NDArray[np.uint64]

_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_FIRST, _SECOND = (np.uint64(value) for value in _MULTIPLIERS)
_FIRST_INVERSE, _SECOND_INVERSE = (np.uint64(pow(value, -1, 1 << 64)) for value in _MULTIPLIERS)
_SHIFT = {bits: np.uint64(bits) for bits in (4, 27, 30, 31, 32, 54, 60, 62)}
_NIBBLES = np.arange(0, 64, 4, dtype=np.uint64)
_LOW = np.uint64(0xFFFFFFFF)


def _codes() -> Alaw:
    """The A-law code of each four bits: sign, segment 4 (2048 to 4096 of 32768), three bits, and their parity."""
    values = []
    for nibble in range(16):
        sign, step = nibble >> 3, nibble & 7
        parity = nibble.bit_count() & 1
        values.append((sign << 7 | 4 << 4 | step << 1 | parity) ^ 0x55)
    return np.array(values, dtype=np.uint8)


CODES = _codes()
_NOT_OURS = 16
_NIBBLE_OF = np.full(256, _NOT_OURS, dtype=np.uint8)
_NIBBLE_OF[CODES] = np.arange(16, dtype=np.uint8)


def _mix(word: _U64) -> _U64:
    word = (word ^ (word >> _SHIFT[30])) * _FIRST
    word = (word ^ (word >> _SHIFT[27])) * _SECOND
    mixed: _U64 = word ^ (word >> _SHIFT[31])
    return mixed


def _unmix(word: _U64) -> _U64:
    word = (word ^ (word >> _SHIFT[31]) ^ (word >> _SHIFT[62])) * _SECOND_INVERSE
    word = (word ^ (word >> _SHIFT[27]) ^ (word >> _SHIFT[54])) * _FIRST_INVERSE
    plain: _U64 = word ^ (word >> _SHIFT[30]) ^ (word >> _SHIFT[60])
    return plain


def pattern_blocks(speakers: NDArray[np.integer], first_sample: int) -> Alaw:
    """One block of each speaker's pattern: [speakers, 80] A-law, from sample `first_sample`, a multiple of 80."""
    groups = np.arange(first_sample // GROUP, first_sample // GROUP + BLOCK // GROUP, dtype=np.uint64)
    words = _mix((speakers.astype(np.uint64) << _SHIFT[32])[:, np.newaxis] | groups)
    nibbles = (words[:, :, np.newaxis] >> _NIBBLES) & np.uint64(15)
    return CODES[nibbles.astype(np.intp)].reshape(len(speakers), BLOCK)


def pattern_samples(speaker: int, first_sample: int, count: int) -> Alaw:
    """`count` A-law samples of a speaker's pattern from any sample number on."""
    first_group, last_group = first_sample // GROUP, (first_sample + count + GROUP - 1) // GROUP
    words = _mix(np.uint64(speaker) << _SHIFT[32] | np.arange(first_group, last_group, dtype=np.uint64))
    nibbles = (words[:, np.newaxis] >> _NIBBLES) & np.uint64(15)
    start = first_sample - first_group * GROUP
    return CODES[nibbles.astype(np.intp)].reshape(-1)[start : start + count]


def _plain_words(heard: Alaw) -> tuple[_U64, NDArray[np.bool_]]:
    """The unmixed word that would start at each position, and whether all its samples are of our alphabet."""
    nibbles = _NIBBLE_OF[heard]
    positions = len(heard) - GROUP + 1
    words = np.zeros(positions, dtype=np.uint64)
    for index in range(GROUP):
        words |= nibbles[index : index + positions].astype(np.uint64) << _NIBBLES[index]
    strange = np.concatenate(([0], np.cumsum(nibbles == _NOT_OURS)))
    return _unmix(words), strange[GROUP:] == strange[:-GROUP]


def locate(heard: Alaw, speaker: int) -> NDArray[np.int64]:
    """The speaker's sample number of each heard sample, -1 where it is not (recognisably) this speaker's pattern.

    Up to 15 samples of a cut group are found from their neighbours, so a cut inside a group is placed right but for
    chance: a sample agrees by accident once in sixteen. Counts stay right; cuts between groups are exact.
    """
    numbers = np.full(len(heard), -1, dtype=np.int64)
    if len(heard) < GROUP:
        return numbers
    words, ours = _plain_words(heard)
    hits = np.flatnonzero(ours & (words >> _SHIFT[32] == np.uint64(speaker)))
    groups = (words[hits] & _LOW).astype(np.int64)
    for index in range(GROUP):
        numbers[hits + index] = groups * GROUP + index
    for run in _runs(numbers):
        _extend(heard, speaker, numbers, run)
    return numbers


def _extend(heard: Alaw, speaker: int, numbers: NDArray[np.int64], run: Run) -> None:
    end, after = run.position + run.count, run.first + run.count
    ahead = pattern_samples(speaker, after, GROUP)
    for index in range(min(GROUP, len(heard) - end)):
        if numbers[end + index] >= 0 or heard[end + index] != ahead[index]:
            break
        numbers[end + index] = after + index
    reach = min(GROUP, run.position, run.first)
    behind = pattern_samples(speaker, run.first - reach, reach)
    for index in range(1, reach + 1):
        if numbers[run.position - index] >= 0 or heard[run.position - index] != behind[-index]:
            break
        numbers[run.position - index] = run.first - index


class Run(msgspec.Struct, frozen=True):
    """`count` samples heard from `position` on (samples from the beginning), numbered from `first` by their sender."""

    position: int
    first: int
    count: int


class Stretch(msgspec.Struct, frozen=True):
    """`count` consecutive sender's sample numbers from `first` on."""

    first: int
    count: int


class PatternReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one sender's samples at one receiver."""

    speaker: int
    runs: tuple[Run, ...]
    """What was heard, in the order in which it was heard; one run if nothing went wrong."""
    missing: tuple[Stretch, ...]
    duplicated: tuple[Stretch, ...]
    """Samples heard more than once (each stretch once, however often it was heard)."""
    out_of_order: int
    """Runs that go back behind what was heard before, other than by repeating it."""
    foreign: int
    """Samples between the first and the last pattern sample heard that are not the pattern."""
    first: int
    """First and (exclusive) last sample number that was asked for, or heard if none was asked for."""
    last: int

    @property
    def exactly_once(self) -> bool:
        """Every sample asked for was heard once, in order, unharmed. False if nothing was heard."""
        return bool(self.runs) and not (self.missing or self.duplicated or self.out_of_order or self.foreign)

    def __str__(self) -> str:
        if not self.runs:
            return f"speaker {self.speaker}: nothing was heard"
        if self.exactly_once:
            return f"speaker {self.speaker}: samples {self.first} to {self.last - 1}, each once"

        def listed(stretches: tuple[Stretch, ...]) -> str:
            shown = ", ".join(f"{s.first}+{s.count}" for s in stretches[:5])
            return f"{len(stretches)} ({shown}{' …' if len(stretches) > 5 else ''})"

        return (
            f"speaker {self.speaker}, samples {self.first} to {self.last - 1}: missing {listed(self.missing)}, "
            f"twice {listed(self.duplicated)}, out of order {self.out_of_order}, foreign {self.foreign}"
        )


def _runs(numbers: NDArray[np.int64]) -> list[Run]:
    """Stretches of positions whose numbers count up by one."""
    known = np.flatnonzero(numbers >= 0)
    if not len(known):
        return []
    breaks = np.flatnonzero((np.diff(known) != 1) | (np.diff(numbers[known]) != 1)) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(known)]))
    return [
        Run(int(known[start]), int(numbers[known[start]]), int(end - start))
        for start, end in zip(starts, ends, strict=True)
    ]


def _stretches(wanted: NDArray[np.bool_], offset: int) -> tuple[Stretch, ...]:
    """Where `wanted` is true, as stretches; index 0 is sample number `offset`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
    return tuple(
        Stretch(int(start) + offset, int(end - start)) for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


def verify_pattern(heard: Alaw, speaker: int, first: int | None = None, last: int | None = None) -> PatternReport:
    """What of a speaker's samples `first` to `last` (exclusive; default: all between the first and last heard) arrived.

    `heard` is A-law [samples] as the receiver got it, with whatever came before and after.
    """
    numbers = locate(heard, speaker)
    runs = _runs(numbers)
    known = np.flatnonzero(numbers >= 0)
    if not runs:
        missing = (Stretch(first, last - first),) if first is not None and last is not None and last > first else ()
        return PatternReport(
            speaker=speaker, runs=(), missing=missing, duplicated=(), out_of_order=0, foreign=0,
            first=first or 0, last=last or 0,
        )  # fmt: skip
    arrived = numbers[known]
    lowest = int(arrived.min()) if first is None else first
    highest = int(arrived.max()) + 1 if last is None else last
    inside = arrived[(arrived >= lowest) & (arrived < highest)]
    # Counted from `lowest` on, so that a conversation late in a long day costs no more than an early one.
    times = np.bincount(inside - lowest, minlength=max(highest - lowest, 0))
    out_of_order, reached = 0, -1
    for run in runs:
        if run.first < reached and not bool(
            (times[max(run.first - lowest, 0) : run.first + run.count - lowest] > 1).any()
        ):
            out_of_order += 1
        reached = max(reached, run.first + run.count)
    return PatternReport(
        speaker=speaker,
        runs=tuple(runs),
        missing=_stretches(times == 0, lowest),
        duplicated=_stretches(times > 1, lowest),
        out_of_order=out_of_order,
        foreign=int(known[-1] - known[0] + 1 - len(known)),
        first=lowest,
        last=highest,
    )


def speakers_in(heard: Alaw) -> dict[int, int]:
    """Whose patterns are in `heard`: speaker → number of groups that stand before another of the same speaker."""
    if len(heard) < 2 * GROUP:
        return {}
    words, ours = _plain_words(heard)
    next_to = ours[:-GROUP] & ours[GROUP:] & (words[GROUP:] - words[:-GROUP] == np.uint64(1))
    found, counts = np.unique(words[:-GROUP][next_to] >> _SHIFT[32], return_counts=True)
    return {int(speaker): int(count) for speaker, count in zip(found, counts, strict=True)}
