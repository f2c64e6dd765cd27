"""Whatever happens in whatever order, no phone rings for nobody, no channel sticks, and each leg is cleared once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from boards.signals import (
    Alarm,
    Alerting,
    Blocked,
    Cause,
    Connect,
    Digit,
    Flash,
    FromBoard,
    HookChange,
    OnHookData,
    Proceeding,
    Release,
    Ring,
    Setup,
)
from firmware.core.faults import fault
from firmware.lines.extension import ExtensionLine, ExtensionState
from firmware.lines.line_commands import (
    AlertLeg,
    AnswerLeg,
    Attach,
    ClearLeg,
    Conference,
    ConfigureLines,
    GiveDialTone,
    Hear,
    Join,
    Leave,
    PlaceCall,
    Play,
    RingExtension,
    SetLevel,
    StopPlay,
    Supervise,
    TellPhone,
)
from firmware.lines.messages import (
    AnyLineEvent,
    CallPlaced,
    DigitReceived,
    HookFlashed,
    IncomingCall,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    PhoneLifted,
    PlayEnded,
)
from tests.lines.bench import FIRST_PHONE, Bench, speech

TRUNK, PHONE = 0, FIRST_PHONE

SIGNALS: list[FromBoard] = [
    Setup(TRUNK, "12345"),
    Release(TRUNK),
    Release(TRUNK, Cause.BUSY),
    Connect(TRUNK),
    Proceeding(TRUNK),
    Alerting(TRUNK),
    Digit(TRUNK, "1", 80),
    Digit(PHONE, "2", 80),
    Blocked(TRUNK, True),
    Blocked(TRUNK, False),
    HookChange(PHONE, True),
    HookChange(PHONE, False),
    Flash(PHONE),
    Alarm("LOS", True),
    Alarm("LOS", False),
    Alarm("RAI", True, (TRUNK,)),
]
COMMANDS = ["answer", "alert", "clear", "place", "ring", "ring again", "block", "free", "join", "play", "stop"]
COMMANDS += ["dial tone", "text", "lamp", "confer", "monitor", "whisper", "barge", "leave", "level"]
BEGINNINGS = (IncomingCall, CallPlaced, PhoneLifted, LegAlerting)
TIMES = [0.01, 0.5, 1.0, 4.5, 12.0, 45.0]
OTHERS = ["fail", "open", "attach", "detach", "tick"]

steps = st.lists(
    st.one_of(
        st.sampled_from(SIGNALS),
        st.tuples(st.sampled_from(COMMANDS), st.integers(0, 3)),
        st.sampled_from(TIMES),
        st.sampled_from(OTHERS),
    ),
    max_size=40,
)


class Course:
    """Plays a random course on one trunk channel and one extension port."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.requests = 0
        self.legs: list[str] = ["b00t.9.9"]
        self.open = True
        self.current = False
        """Ringing current as the phone feels it."""

    def leg(self, choice: int) -> str:
        return self.legs[-1 - choice % len(self.legs)]

    def command(self, name: str, choice: int) -> None:
        bench, leg = self.bench, self.leg(choice)
        match name:
            case "answer":
                bench.command(AnswerLeg(leg))
            case "alert":
                bench.command(AlertLeg(leg))
            case "clear":
                bench.command(ClearLeg(leg, Cause.NORMAL))
            case "place":
                self.requests += 1
                bench.command(PlaceCall(str(self.requests), TRUNK, "110"))
            case "ring":
                self.requests += 1
                bench.command(RingExtension(str(self.requests), PHONE, "138" * (choice % 2)))
            case "ring again":
                bench.command(RingExtension(str(self.requests), PHONE))
            case "block" | "free":
                bench.command(
                    ConfigureLines(blocked=(("T-1",), ("P-1",), ("T-1", "P-1"))[choice % 3] if name == "block" else ())
                )
            case "join":
                bench.command(Join((Hear(leg, (self.leg(choice + 1),)), Hear(self.leg(choice + 1), (leg,)))))
            case "confer":
                bench.command(Conference("c", tuple(self.legs[-choice - 1 :])))
            case "monitor" | "whisper" | "barge":
                bench.command(Supervise(leg, self.leg(choice + 1), name))
            case "leave":
                bench.command(Leave(leg))
            case "level":
                bench.command(SetLevel(leg, 20.0 * choice, -100.0 * choice))
            case "play":
                bench.command(Play(leg, str(choice), ("prompt:welcome",), choice == 1))
            case "stop":
                bench.command(StopPlay(leg))
            case "dial tone":
                bench.command(GiveDialTone(leg, barred=choice == 1))
            case "text":
                bench.command(TellPhone(PHONE, str(choice), "排队"))
            case "lamp":
                bench.command(TellPhone(PHONE, messages=choice % 2 == 0))

    def step(self, step: object) -> None:
        bench, now = self.bench, self.bench.clock.now()
        match step:
            case (str() as name, int() as choice):
                self.command(name, choice)
            case float():
                bench.wait(step)
            case "fail":
                bench.gateway.board_failed("card", fault("no_audio"), now)
                self.open = self.current = False
            case "open" if not self.open:
                bench.open()
                self.open = True
            case "attach":
                bench.gateway.attach(Attach("", 0), now)
            case "detach":
                bench.gateway.detach(now)
            case "tick":
                bench.tick(speech(1) if self.open else None)
            case str():
                pass
            case _ if self.open:
                bench.signal(step)  # type: ignore[arg-type]
        bench.look()
        self.follow()

    def follow(self) -> None:
        """Note new legs, feel the ringing current, and check what must hold at every moment."""
        for event in self.bench.events:
            if isinstance(event, BEGINNINGS) and event.leg not in self.legs:
                self.legs.append(event.leg)
        said = self.bench.said()
        assert self.open or not said, "a signal to a board that is not there"
        for signal in said:
            if isinstance(signal, Ring):
                assert signal.on != self.current, "ringing was switched to what it was"
                self.current = signal.on
            if isinstance(signal, OnHookData):
                told = self.bench.gateway.lines[PHONE]
                assert isinstance(told, ExtensionLine)
                assert not told.off_hook and not self.current, "data for a display to an ear, or over ringing current"
        line = self.bench.gateway.lines[PHONE]
        assert isinstance(line, ExtensionLine)
        assert not (self.current and line.off_hook), "a phone rings while it is lifted"
        assert not self.current or line.state is ExtensionState.RINGING, "a phone rings for nobody"
        for each in self.bench.gateway.lines:
            assert bool(each.leg) == (each.leg in self.begun_and_not_cleared()), "a leg that events do not know"

    def begun_and_not_cleared(self) -> set[str]:
        events = self.bench.events
        begun = {event.leg for event in events if isinstance(event, BEGINNINGS)}
        return begun - {event.leg for event in events if isinstance(event, LegCleared)}

    def finish(self) -> None:
        """Both sides are done: everybody hangs up and gives up, and time passes."""
        for step in ("open", Alarm("LOS", False), Alarm("RAI", False), ("free", 0), ("free", 1), Blocked(TRUNK, False)):
            self.step(step)
        for leg in list(self.legs):
            self.bench.command(ClearLeg(leg))
        self.step(HookChange(PHONE, False))
        self.step(10.0)
        for leg in list(self.legs):
            self.bench.command(ClearLeg(leg))
        self.step(10.0)


def check_events(events: list[AnyLineEvent]) -> None:
    """Each leg: one beginning, at most one answer, one clearing that is its last word; numbers without a gap."""
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    told = (LegAlerting, LegAnswered, LegCleared, LegReleasing, DigitReceived, HookFlashed, PlayEnded)
    legs: dict[str, list[AnyLineEvent]] = {}
    for event in events:
        if event.leg:
            legs.setdefault(event.leg, []).append(event)
    for course in legs.values():
        assert isinstance(course[0], BEGINNINGS)
        assert all(isinstance(event, told) for event in course[1:])
        assert sum(isinstance(event, LegAnswered) for event in course) <= 1
        assert sum(isinstance(event, LegAlerting) for event in course) <= 1
        assert sum(isinstance(event, LegReleasing) for event in course) <= 1
        assert [isinstance(event, LegCleared) for event in course] == [False] * (len(course) - 1) + [True]
        moments = [(event.at.mono_us, event.sample) for event in course]
        assert moments == sorted(moments)


@settings(max_examples=300)
@given(steps)
def test_any_course_ends_with_idle_lines_and_complete_legs(course: list[object]) -> None:
    played = Course()
    for step in course:
        played.step(step)

    played.finish()

    gateway = played.bench.gateway
    assert [line.display_state() for line in gateway.lines] == ["idle"] * len(gateway.lines)
    assert not played.current
    assert gateway.next_deadline() is None
    assert gateway.snapshot(True, played.bench.clock.now()).legs == ()
    check_events(played.bench.events)
    gateway.skip_to(gateway.sample + 16_000, played.bench.clock.now())  # a message to the phone's display has ended
    played.bench.tick(speech(1))
    assert set(played.bench.tick(speech(2)).ravel().tolist()) == {0xD5}
