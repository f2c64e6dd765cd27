"""A recording is its leg: as long, and both tracks to the sample, whatever was switched meanwhile.

Gateway core, ring and recorder as in the box; what is compared was noted at the board, where the line ends.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.base import Block
from boards.signals import Connect, Release
from firmware.lines.line_commands import AnswerLeg, ClearLeg, Conference, Hear, Join, Play, StopPlay, Supervise
from firmware.lines.messages import LegAnswered, LegCleared, PhoneLifted
from firmware.media.ring import RingReader, RingWriter
from firmware.records.messages import CloseRecording, OpenRecording, RecordingClosed
from firmware.records.recorder import Recorder
from tests.lines.bench import FIRST_PHONE, PHONES, TRUNKS, Bench, speech
from tests.records.scripted_ring import content

RING_SECONDS = 3


@dataclass
class Call:
    """A citizen's call as the board saw it."""

    leg: str
    number: int
    said: list[Block] = field(default_factory=list)
    heard: list[Block] = field(default_factory=list)
    """Blocks since our Connect went out."""
    opened: OpenRecording | None = None


class Day:
    """Citizens on trunks, agents and supervisors on phones, and everything that is said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench = Bench()
        self.ring = RingWriter(folder / "audio-b00t.ring", "b00t", TRUNKS + PHONES, RING_SECONDS)
        self.recorder = Recorder(folder, lambda boot: RingReader(folder / f"audio-{boot}.ring", boot), 0)
        self.calls: dict[int, Call] = {}
        self.over: dict[int, Call] = {}
        self.closed: dict[int, RecordingClosed] = {}
        self.closings: dict[int, CloseRecording] = {}
        self.phones: list[str] = []
        self.plays = 0
        for phone in range(PHONES):
            self.bench.lift(FIRST_PHONE + phone)
            self.phones.append(self.bench.last(PhoneLifted).leg)

    def leg(self, place: int) -> str:
        return self.phones[place - TRUNKS] if place >= TRUNKS else self.calls[place].leg if place in self.calls else ""

    def look(self) -> None:
        """What a callserver does: a recording from the answer to the end of the leg."""
        for answered in self.bench.all(LegAnswered):
            for channel, call in self.calls.items():
                if call.leg == answered.leg and call.opened is None:
                    file = f"{call.number}.au"
                    call.opened = OpenRecording(call.number, file, "b00t", channel, answered.sample)
                    self.recorder.handle(call.opened)
        for cleared in self.bench.all(LegCleared):
            for channel, call in list(self.calls.items()):
                if call.leg == cleared.leg:
                    self.over[call.number] = self.calls.pop(channel)
                    if (asked := call.opened) is not None:
                        closing = CloseRecording(
                            call.number, asked.file, "b00t", channel, asked.from_sample, cleared.sample
                        )
                        self.closings[call.number] = closing
                        self.recorder.handle(closing)

    # ---- steps -------------------------------------------------------------------------------------------------------

    def call(self, channel: int) -> None:
        if channel not in self.calls:
            self.calls[channel] = Call(self.bench.call(channel), len(self.calls) + len(self.over) + 1)

    def answer(self, channel: int) -> None:
        self.bench.command(AnswerLeg(self.leg(channel)))
        self.look()

    def end(self, channel: int, by_box: bool) -> None:
        if by_box:
            self.bench.command(ClearLeg(self.leg(channel)))
        if channel in self.calls:
            self.bench.signal(Release(channel))
        self.look()

    def talk(self, one: int, other: int) -> None:
        legs = self.leg(one), self.leg(other)
        self.bench.command(Join((Hear(legs[0], legs[1:]), Hear(legs[1], legs[:1]))))

    def hold(self, one: int, other: int) -> None:
        self.plays += 1
        self.bench.command(Join((Hear(self.leg(other), ()),)))
        self.bench.command(Play(self.leg(one), str(self.plays), ("prompt:welcome", "music:waiting"), True))

    def confer(self, places: set[int]) -> None:
        self.bench.command(Conference("c", tuple(self.leg(place) for place in sorted(places))))

    def supervise(self, one: int, other: int, how: str) -> None:
        # nobody whispers to a citizen: what is left out then is test_switching.py's
        if how != "whisper" or other >= TRUNKS:
            self.bench.command(Supervise(self.leg(one), self.leg(other), how))  # type: ignore[arg-type]

    def stop(self, place: int) -> None:
        self.bench.command(StopPlay(self.leg(place)))

    def talk_on(self, ticks: int) -> None:
        for _ in range(ticks):
            sample = self.bench.gateway.sample
            said = speech(sample // 80)
            heard = self.bench.tick(said)
            self.ring.write(sample, self.bench.gateway.received, self.bench.gateway.recorded)
            for channel, call in self.calls.items():
                if call.opened is not None:
                    call.said.append(said[channel].copy())
                    call.heard.append(heard[channel].copy())

    def record(self) -> None:
        for answer in self.recorder.advance():
            assert isinstance(answer, RecordingClosed)
            self.closed[answer.recording] = answer

    def finish(self) -> None:
        for channel in list(self.calls):
            self.end(channel, by_box=False)
        self.talk_on(2)
        self.record()
        self.ring.close()
        self.recorder.close()


PLACE = st.one_of(st.integers(0, TRUNKS - 1), st.integers(0, TRUNKS + PHONES - 1))
CITIZEN = st.integers(0, TRUNKS - 1)
STEPS = st.one_of(
    st.tuples(st.just("call"), CITIZEN),
    st.tuples(st.just("answer"), CITIZEN),
    st.tuples(st.just("end"), CITIZEN, st.booleans()),
    st.tuples(st.just("talk"), CITIZEN, PLACE),
    st.tuples(st.just("hold"), PLACE, PLACE),
    st.tuples(st.just("confer"), st.sets(PLACE, max_size=5)),
    st.tuples(
        st.just("supervise"), st.integers(TRUNKS, TRUNKS + PHONES - 1), PLACE, st.sampled_from(["barge", "whisper"])
    ),
    st.tuples(st.just("stop"), PLACE),
    st.tuples(st.just("talk_on"), st.integers(1, 12)),
    st.tuples(st.just("record")),
)


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=4, max_size=24))
def test_whatever_is_switched_a_recording_is_as_long_as_its_leg_and_both_tracks_are_to_the_sample(
    course: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        day = Day(Path(folder))
        for channel in range(2):
            day.call(channel)
            day.answer(channel)
        for name, *arguments in course:
            getattr(day, str(name))(*arguments)
        day.finish()
        connected = [signal for signal in day.bench.signals if isinstance(signal, Connect)]
        recorded = {number: call for number, call in day.over.items() if call.opened is not None}
        assert len(recorded) == len(connected) == len(day.closed)
        for number, call in recorded.items():
            audio = content(Path(folder) / f"{number}.au")
            told = day.closed[number]
            assert (told.samples, told.missing) == (len(audio), 0)
            assert abs(len(audio) - 80 * len(call.said)) <= 80
            if call.said:
                assert np.array_equal(audio[:, 0], np.concatenate(call.said)[: len(audio)])
                assert np.array_equal(audio[:, 1], np.concatenate(call.heard)[: len(audio)])
