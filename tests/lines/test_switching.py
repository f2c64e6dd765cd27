"""Everyone hears exactly whom they should: each line speaks a tone of its own, and a spectrum says who is heard.

Any sequence of join, hold, conference, monitor, whisper, barge-in, leave, levels, music and lines that come and go,
with any time between, is played through the gateway's core and held against `Office`, a model that knows only the words
of `firmware/lines/line_commands.py`. Whisper is looked for in what may be recorded, and every sample for a click.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from boards.base import ChannelPlace
from boards.signals import Cause, ChannelKind, HookChange, Release, Setup
from firmware.core.clock import VirtualClock
from firmware.core.line_schemas import LineLevels
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import (
    AnswerLeg,
    AnyLineCommand,
    ClearLeg,
    Conference,
    ConfigureLines,
    Hear,
    Join,
    Leave,
    Play,
    SetLevel,
    StopPlay,
    Supervise,
)
from firmware.lines.messages import IncomingCall, PhoneLifted
from firmware.media import codec
from firmware.media.sounds import SoundStore
from tests.lines.switching_office import Expected, Mode, Office

TRUNKS, PHONES = 3, 4
LINES = TRUNKS + PHONES
MUSIC = LINES
"""The voice of the music, beside those of the lines."""
DBM0 = -26.0
PEAK = codec.peak_of(DBM0)
HZ = 400 + 50 * np.arange(LINES + 1)
WINDOW = 160
"""20 ms: whole periods of all voices."""
ABSENT_DBM0 = -50.0
TOLERANCE_DB = 0.4

Codes = NDArray[np.uint8]


def voice(number: int, sample: int, samples: int = 80) -> NDArray[np.float64]:
    phase = 2 * np.pi * HZ[number] / codec.SAMPLE_RATE * (sample + np.arange(samples)) + number
    wave: NDArray[np.float64] = PEAK * np.sin(phase)
    return wave


def levels_in(codes: Codes) -> NDArray[np.float64]:
    """dB above its own level of each voice in a row of 20 ms."""
    time = np.arange(WINDOW) / codec.SAMPLE_RATE
    waves = np.exp(-2j * np.pi * HZ[:, None] * time)
    peaks = np.abs(waves @ codec.decode(codes)) * 2 / WINDOW
    levels: NDArray[np.float64] = 20 * np.log10(np.maximum(peaks, 1e-3) / PEAK)
    return levels


class Exchange:
    """The gateway's core with lines that all speak, always; and the model beside it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(utc_us=1_700_000_000_000_000, mono_us=5_000_000)
        places = [ChannelPlace(ChannelKind.TRUNK, f"T-{number}") for number in range(TRUNKS)]
        places += [ChannelPlace(ChannelKind.EXTENSION, f"P-{number}") for number in range(PHONES)]
        silence = np.full(160, codec.SILENCE, np.uint8)
        sounds = {"music:waiting": codec.encode(voice(MUSIC, 0, 160)), "tone:busy": silence, "tone:howler": silence}
        self.gateway = Gateway([("card", places)], SoundStore(sounds), boot="b00t", machine_boot="machine")
        self.gateway.board_opened("card", self.clock.now())
        self.names: dict[int, str] = {}
        self.office = Office(MUSIC)
        self.plays = 0
        self.sent = np.full((LINES, 80), codec.SILENCE, np.uint8)
        self.recorded = self.sent
        self.worst_step = 0.0
        """The largest step between samples, beyond what the voices make by themselves."""
        self._before = [self.office.expected(line, True) for line in range(LINES)]

    def name(self, line: int) -> str:
        return self.names.get(line, f"b00t.{line}.99")

    def order(self, command: AnyLineCommand) -> None:
        """Every command twice: that does no harm."""
        for _ in range(2):
            self.gateway.handle_command(command, self.clock.now())

    def tick(self) -> None:
        """10 ms: keep what was sent, the last 20 ms of it, and look at each step."""
        sample = self.gateway.sample
        received = codec.encode(np.stack([voice(line, sample) for line in range(LINES)]))
        self.clock.advance_to(self.clock.now().mono_us + 10_000)
        sent = self.gateway.tick({"card": received}, self.clock.now())["card"]
        now = [self.office.expected(line, True) for line in range(LINES)]
        last = self.sent[:, -1:]
        steps = np.abs(np.diff(codec.decode(np.concatenate([last, sent], axis=1)), axis=1)).max(axis=1)
        for line in range(LINES):
            allowed = max(own_step(self._before[line]), own_step(now[line]))
            self.worst_step = max(self.worst_step, float(steps[line]) - allowed)
        self._before = now
        self.sent = np.concatenate([self.sent[:, -80:], sent], axis=1)
        self.recorded = np.concatenate([self.recorded[:, -80:], self.gateway.recorded], axis=1)

    def check(self) -> None:
        """When fades are over, everyone hears exactly whom they should, at the level they should."""
        for _ in range(3):
            self.tick()
        for line in range(LINES):
            for what, codes, whispers in (("heard", self.sent, True), ("recorded", self.recorded, False)):
                found, expected = levels_in(codes[line]), self.office.expected(line, whispers)
                for one in range(LINES + 1):
                    if one in expected:
                        assert found[one] == pytest.approx(expected[one], abs=TOLERANCE_DB), (what, line, one)
                    else:
                        assert found[one] < ABSENT_DBM0 - DBM0, (what, line, one)

    # ---- steps -------------------------------------------------------------------------------------------------------

    def come(self, line: int) -> None:
        if line in self.names:
            return
        now = self.clock.now()
        self.gateway.handle_signal("card", Setup(line, "12345") if line < TRUNKS else HookChange(line, True), now)
        begun = [one for one in self.gateway.events_after(0) if isinstance(one, IncomingCall | PhoneLifted)]
        self.names[line] = begun[-1].leg
        if line < TRUNKS:
            self.order(AnswerLeg(self.name(line)))
        self.office.begin(line)

    def go(self, line: int, by_box: bool) -> None:
        if line not in self.names:
            return
        now = self.clock.now()
        if by_box:
            self.order(ClearLeg(self.name(line), Cause.NORMAL))
        self.gateway.handle_signal("card", Release(line) if line < TRUNKS else HookChange(line, False), now)
        del self.names[line]
        self.office.end(line)

    def join(self, wishes: list[tuple[int, set[int]]]) -> None:
        hears = [Hear(self.name(line), tuple(self.name(one) for one in sorted(sources))) for line, sources in wishes]
        self.order(Join(tuple(hears)))
        self.office.join(wishes)

    def confer(self, room: str, lines: set[int]) -> None:
        self.order(Conference(room, tuple(self.name(line) for line in sorted(lines))))
        self.office.confer(room, lines)

    def supervise(self, line: int, target: int, how: Mode) -> None:
        self.order(Supervise(self.name(line), self.name(target), how))
        self.office.supervise(line, target, how)

    def leave(self, line: int) -> None:
        self.order(Leave(self.name(line)))
        self.office.leave(line)

    def hold(self, line: int, away: int) -> None:
        """One waits with music, the other hears nobody."""
        self.join([(away, set())])
        self.play(line)

    def play(self, line: int) -> None:
        self.plays += 1
        self.order(Play(self.name(line), str(self.plays), ("music:waiting",), True))
        if line in self.names:
            self.office.music.add(line)

    def stop(self, line: int) -> None:
        self.order(StopPlay(self.name(line)))
        self.office.music.discard(line)

    def level(self, line: int, speaks: float, hears: float) -> None:
        self.order(SetLevel(self.name(line), speaks, hears))
        if line in self.names:
            self.office.speaks[line], self.office.hears[line] = speaks, hears

    def line_levels(self, levels: dict[int, LineLevels]) -> None:
        self.order(ConfigureLines(levels={f"P-{line - TRUNKS}": level for line, level in levels.items()}))
        self.office.receives = {line: level.receive_db for line, level in levels.items()}
        self.office.sends = {line: level.send_db for line, level in levels.items()}


def own_step(heard: Expected) -> float:
    """The largest step from sample to sample that these voices make by themselves, A-law's own steps included, and an
    80th of the largest that they reach."""
    step = reach = 0.0
    for one, level in heard.items():
        peak = PEAK * 10 ** (level / 20)
        step += 2 * np.pi * HZ[one] / codec.SAMPLE_RATE * peak
        reach += peak
    return step + reach / 80 + reach / 8 + 32


CITIZEN, AGENT, EXPERT, SUPERVISOR = 0, 3, 4, 5


def conversation() -> Exchange:
    """All lines are there; citizen and agent talk."""
    exchange = Exchange()
    for line in range(LINES):
        exchange.come(line)
    exchange.join([(CITIZEN, {AGENT}), (AGENT, {CITIZEN})])
    exchange.check()
    return exchange


def heard(exchange: Exchange, line: int, codes: str = "sent") -> set[int]:
    """Whose voices are in what a line hears."""
    exchange.check()
    return set(np.flatnonzero(levels_in(getattr(exchange, codes)[line]) > -6.0).tolist())


def test_a_conference_lets_each_hear_all_the_others_and_grows_and_shrinks_in_one_tick() -> None:
    exchange = conversation()
    exchange.confer("c", {CITIZEN, AGENT, EXPERT})
    assert heard(exchange, CITIZEN) == {AGENT, EXPERT}
    assert heard(exchange, AGENT) == {CITIZEN, EXPERT}
    assert heard(exchange, EXPERT) == {CITIZEN, AGENT}
    exchange.confer("c", set(range(LINES)))
    assert all(heard(exchange, line) == set(range(LINES)) - {line} for line in range(LINES))
    exchange.confer("c", {CITIZEN, EXPERT})
    assert [heard(exchange, line) for line in (CITIZEN, AGENT, EXPERT)] == [{EXPERT}, set(), {CITIZEN}]


def test_a_member_on_hold_hears_music_and_the_others_talk_on_without_it() -> None:
    exchange = conversation()
    exchange.confer("c", {CITIZEN, AGENT, EXPERT})
    exchange.join([(CITIZEN, set())])
    exchange.play(CITIZEN)
    assert [heard(exchange, line) for line in (CITIZEN, AGENT, EXPERT)] == [{MUSIC}, {EXPERT}, {AGENT}]
    exchange.confer("c", {CITIZEN, AGENT, EXPERT})
    assert heard(exchange, CITIZEN) == {AGENT, EXPERT}


def test_who_monitors_hears_both_and_is_heard_by_nobody_whatever_the_conversation_becomes() -> None:
    exchange = conversation()
    exchange.supervise(SUPERVISOR, AGENT, "monitor")
    assert [heard(exchange, line) for line in (SUPERVISOR, CITIZEN, AGENT)] == [{CITIZEN, AGENT}, {AGENT}, {CITIZEN}]
    exchange.confer("c", {CITIZEN, AGENT, EXPERT})
    assert heard(exchange, SUPERVISOR) == {CITIZEN, AGENT, EXPERT}
    assert heard(exchange, EXPERT) == {CITIZEN, AGENT}
    exchange.hold(CITIZEN, AGENT)
    assert [heard(exchange, line) for line in (SUPERVISOR, CITIZEN, AGENT)] == [{AGENT}, {MUSIC}, set()]
    exchange.go(AGENT, by_box=True)
    assert heard(exchange, SUPERVISOR) == set()


def test_a_whisper_is_for_the_agent_alone_and_for_no_recording() -> None:
    exchange = conversation()
    exchange.supervise(SUPERVISOR, AGENT, "whisper")
    assert [heard(exchange, line) for line in (SUPERVISOR, CITIZEN, AGENT)] == [
        {CITIZEN, AGENT},
        {AGENT},
        {CITIZEN, SUPERVISOR},
    ]
    assert heard(exchange, AGENT, "recorded") == {CITIZEN}
    # even if the one who is whispered to is on an outside line, and waits with music
    exchange.supervise(SUPERVISOR, CITIZEN, "whisper")
    exchange.hold(CITIZEN, AGENT)
    assert heard(exchange, CITIZEN) == {MUSIC, SUPERVISOR}
    assert heard(exchange, CITIZEN, "recorded") == {MUSIC}


def test_two_who_supervise_each_other_are_heard_once_and_a_whisper_stays_out_of_the_recording() -> None:
    exchange = conversation()
    exchange.supervise(AGENT, SUPERVISOR, "monitor")
    exchange.supervise(SUPERVISOR, AGENT, "whisper")
    assert heard(exchange, AGENT) == {SUPERVISOR}
    assert heard(exchange, AGENT, "recorded") == set()


def test_who_barges_in_is_heard_wherever_the_agent_is_and_not_behind_the_music() -> None:
    exchange = conversation()
    exchange.supervise(SUPERVISOR, AGENT, "barge")
    assert [heard(exchange, line) for line in (SUPERVISOR, CITIZEN, AGENT)] == [
        {CITIZEN, AGENT},
        {AGENT, SUPERVISOR},
        {CITIZEN, SUPERVISOR},
    ]
    assert heard(exchange, CITIZEN, "recorded") == {AGENT, SUPERVISOR}
    exchange.hold(CITIZEN, AGENT)
    assert [heard(exchange, line) for line in (CITIZEN, AGENT)] == [{MUSIC}, {SUPERVISOR}]
    exchange.supervise(SUPERVISOR, AGENT, "monitor")
    exchange.join([(CITIZEN, {AGENT}), (AGENT, {CITIZEN})])
    assert [heard(exchange, line) for line in (CITIZEN, AGENT)] == [{AGENT}, {CITIZEN}]


def test_the_switch_takes_one_tick_and_all_lines_change_in_the_same() -> None:
    exchange = conversation()
    exchange.confer("c", {CITIZEN, AGENT, EXPERT})
    exchange.tick()
    # the fade has begun in the first tick: each hears the new voice in its second half
    for line, new in ((CITIZEN, EXPERT), (AGENT, EXPERT), (EXPERT, AGENT)):
        after = codec.decode(exchange.sent[line, -80:])
        wave = np.exp(-2j * np.pi * HZ[new] / codec.SAMPLE_RATE * np.arange(80))
        assert abs(wave @ after) * 2 / 80 > 0.3 * PEAK


LINE = st.one_of(st.sampled_from([CITIZEN, AGENT, SUPERVISOR]), st.integers(0, LINES - 1))
WHOM = st.sets(LINE, max_size=4)
LEVEL = st.sampled_from([-12.0, -6.0, -3.0, 0.0, 3.0])
LINE_LEVELS = st.dictionaries(
    st.integers(TRUNKS, LINES - 1),
    st.builds(LineLevels, receive_db=st.sampled_from([-6.0, 0.0]), send_db=st.sampled_from([-6.0, 0.0, 3.0])),
)
TALK = st.sampled_from(
    [[(a, {b}), (b, {a})] for a, b in ((CITIZEN, AGENT), (1, EXPERT), (AGENT, EXPERT), (CITIZEN, SUPERVISOR))]
)
STEPS = st.one_of(
    st.tuples(st.just("join"), st.one_of(TALK, st.lists(st.tuples(LINE, WHOM), min_size=1, max_size=3))),
    st.tuples(st.just("confer"), st.sampled_from(["a", "b"]), st.sets(LINE, max_size=LINES)),
    st.tuples(st.just("supervise"), LINE, LINE, st.sampled_from(["monitor", "whisper", "barge"])),
    st.tuples(st.just("leave"), LINE),
    st.tuples(st.just("hold"), LINE, LINE),
    st.tuples(st.just("play"), LINE),
    st.tuples(st.just("stop"), LINE),
    st.tuples(st.just("level"), LINE, LEVEL, LEVEL),
    st.tuples(st.just("line_levels"), LINE_LEVELS),
    st.tuples(st.just("come"), LINE),
    st.tuples(st.just("go"), LINE, st.booleans()),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(STEPS, st.integers(0, 3)), min_size=1, max_size=16))
def test_any_sequence_of_commands_leaves_everyone_hearing_exactly_whom_they_should(
    course: list[tuple[tuple[object, ...], int]],
) -> None:
    exchange = conversation()
    for (name, *arguments), ticks in course:
        getattr(exchange, str(name))(*arguments)
        for _ in range(ticks):
            exchange.tick()
        if ticks == 3:
            exchange.check()
    exchange.check()
    assert exchange.worst_step <= 0.0, "a click"
