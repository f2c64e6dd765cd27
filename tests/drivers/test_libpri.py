"""libpri under a virtual clock, two ends in memory: calls, numbers, names, causes, channels, timers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from drivers import libpri_build
from drivers.libpri import LibpriSpan
from drivers.pri_stack import (
    TIME_SLOTS,
    Alert,
    Answer,
    AskForDigits,
    Clear,
    Cleared,
    DigitsWanted,
    Forget,
    Gone,
    Incoming,
    LayerTwo,
    MoreDigits,
    PlaceCall,
    PriError,
    PriSettings,
    Probe,
    Proceed,
    Progress,
    Progressed,
    Restart,
    RestartDone,
    Restarted,
    SendDigit,
)
from tests.lines.isdn import Exchange, IsdnLine


class Pair:
    """Two stacks and their wire; `caller` is the side that places the calls."""

    def __init__(self, caller_is_network: bool = True, overlap: bool = False) -> None:
        self.network = Exchange(PriSettings(network=True, overlap=overlap))
        self.user = Exchange(PriSettings(overlap=overlap))
        self.line = IsdnLine(self.network, self.user)
        self.caller, self.called = (self.network, self.user) if caller_is_network else (self.user, self.network)
        self.line.run(1)
        assert LayerTwo(True) in self.network.said()
        assert LayerTwo(True) in self.user.said()

    def place(self, **fields: object) -> Incoming:
        self.caller.do(PlaceCall(**{"call": -1, "slot": 17, "called": "12345", **fields}))  # type: ignore[arg-type]
        self.line.run()
        (event,) = self.called.said()
        assert isinstance(event, Incoming)
        return event

    def both(self, *commands: tuple[Exchange, object]) -> None:
        for exchange, command in commands:
            exchange.do(command)  # type: ignore[arg-type]
            self.line.run()

    def up(self, **fields: object) -> Incoming:
        call = self.place(**fields)
        for step in (Proceed, Alert, Answer):
            self.both((self.called, step(call.call, 17)))
        self.caller.said()
        return call


@pytest.fixture(params=[True, False], ids=["network calls", "user calls"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def test_a_call_from_setup_to_release_complete(pair: Pair) -> None:
    call = pair.place(
        called_type="subscriber",
        called_plan="isdn",
        calling="13800138000",
        calling_type="national",
        calling_plan="isdn",
    )

    assert (call.slot, call.exclusive, call.complete, call.is_voice) == (17, True, True, True)
    assert (call.called, call.called_type, call.called_plan) == ("12345", "subscriber", "isdn")
    assert (call.calling, call.calling_type, call.calling_plan) == ("13800138000", "national", "isdn")
    assert call.presentation == "allowed"

    for step, progress in ((Proceed, Progress.PROCEEDING), (Alert, Progress.ALERTING), (Answer, Progress.ANSWERED)):
        pair.both((pair.called, step(call.call, 17)))
        assert pair.caller.said() == [Progressed(-1, progress, 17)]

    pair.both((pair.caller, Clear(-1, 16)))
    assert pair.called.said() == [Cleared(call.call, 16), Gone(call.call)]
    assert pair.caller.said() == [Cleared(-1, 16), Gone(-1)]
    assert (pair.caller.stack.calls, pair.called.stack.calls) == (0, 0)
    # SETUP, (CONNECT ACKNOWLEDGE,) DISCONNECT, RELEASE COMPLETE and CALL PROCEEDING, ALERTING, CONNECT, RELEASE
    assert pair.line.messages(pair.caller is pair.network)[-2:] == [0x45, 0x5A]
    assert pair.line.messages(pair.called is pair.network) == [0x02, 0x01, 0x07, 0x4D]


@pytest.mark.parametrize("cause", [1, 17, 21, 34, 41, 44, 88])
def test_a_call_is_refused_with_its_cause(pair: Pair, cause: int) -> None:
    call = pair.place()

    pair.both((pair.called, Clear(call.call, cause)))

    assert pair.caller.said()[-2:] == [Cleared(-1, cause), Gone(-1)]
    assert pair.called.said()[-1] == Gone(call.call)
    assert (pair.caller.stack.calls, pair.called.stack.calls) == (0, 0)


@pytest.mark.parametrize(
    ("presentation", "calling"), [("restricted", "13800138000"), ("restricted", ""), ("unavailable", "")]
)
def test_a_withheld_number(pair: Pair, presentation: str, calling: str) -> None:
    call = pair.place(calling=calling, presentation=presentation)

    assert (call.presentation, call.calling) == (presentation, calling)


def test_no_number_at_all_is_unavailable(pair: Pair) -> None:
    call = pair.place()

    assert (call.presentation, call.calling, call.calling_type) == ("unavailable", "", "")


@pytest.mark.parametrize("name", ["Li Si", "李四", "白县长热线", "包", "龘龘"])
def test_the_exchange_sends_a_name(name: str) -> None:
    pair = Pair()

    assert pair.place(calling="13800138000", calling_name=name).calling_name == name


def test_every_time_slot_is_told_as_it_is() -> None:
    pair = Pair()
    for number, slot in enumerate(TIME_SLOTS):
        pair.caller.do(PlaceCall(call=-1 - number, slot=slot, called="12345"))
    pair.line.run()

    calls = pair.called.said()
    assert [call.slot for call in calls if isinstance(call, Incoming)] == list(TIME_SLOTS)
    assert pair.called.stack.calls == 30


def test_digits_one_by_one() -> None:
    pair = Pair(overlap=True)
    call = pair.place(called="12", complete=False)
    assert (call.called, call.complete) == ("12", False)

    pair.both((pair.called, AskForDigits(call.call, 17)))
    assert pair.caller.said() == [DigitsWanted(-1, 17)]
    pair.both(*((pair.caller, SendDigit(-1, digit)) for digit in "345"))

    assert pair.called.said() == [MoreDigits(call.call, digit) for digit in "345"]


def test_both_give_up_at_once(pair: Pair) -> None:
    call = pair.up()

    pair.caller.do(Clear(-1, 16))
    pair.called.do(Clear(call.call, 17))
    pair.line.run(60)

    assert pair.caller.said()[-1] == Gone(-1)
    assert pair.called.said()[-1] == Gone(call.call)


def test_a_restart_of_one_channel_and_its_acknowledgement(pair: Pair) -> None:
    pair.both((pair.caller, Restart(5)))

    assert pair.called.said() == [Restarted(5)]
    assert pair.caller.said() == [RestartDone(5)]


def test_a_call_that_is_forgotten_is_found_dead_by_a_probe(pair: Pair) -> None:
    call = pair.up()
    pair.both((pair.caller, Forget(-1)))
    assert pair.caller.said() == [Gone(-1)]
    assert pair.called.said() == []

    pair.both((pair.called, Probe(call.call)))

    ended = pair.called.said()
    assert isinstance(ended[0], Cleared)
    assert ended[-1] == Gone(call.call)


def test_a_probe_does_a_living_call_no_harm(pair: Pair) -> None:
    call = pair.up()

    pair.both((pair.called, Probe(call.call)))
    pair.line.run(5)

    assert pair.caller.said() == pair.called.said() == []


@pytest.mark.parametrize(("down_seconds", "survives"), [(80, True), (120, False)])
def test_calls_that_are_up_wait_for_layer_two(pair: Pair, down_seconds: int, survives: bool) -> None:
    call = pair.up()

    pair.line.is_cut = True
    pair.line.run(down_seconds)
    pair.line.is_cut = False
    pair.line.run(20)

    events = pair.called.said()
    assert LayerTwo(False) in events
    assert events.count(LayerTwo(True)) >= 1
    assert (Gone(call.call) not in events) is survives
    assert (Cleared(call.call, 27) in events) is not survives
    assert pair.caller.stack.calls == pair.called.stack.calls == int(survives)


def test_a_setup_that_nobody_answers_is_given_up_after_t303(pair: Pair) -> None:
    pair.caller.do(PlaceCall(call=-1, slot=3, called="12345"))
    pair.line.run(7.9)
    assert Gone(-1) not in pair.caller.events
    pair.line.run(0.2)

    assert pair.caller.said() == [Cleared(-1, 102), Gone(-1)]


def test_the_wall_clock_moves_no_timer(pair: Pair) -> None:
    """An hour passes in no time: had libpri looked at the machine's clock, T203 would not have asked every 10 s."""
    before = len(pair.line.frames)
    pair.line.run(3600)

    assert LayerTwo(False) not in pair.caller.events + pair.called.events
    assert 300 < len(pair.line.frames) - before < 3000


def test_commands_for_calls_that_are_gone_do_nothing(pair: Pair) -> None:
    call = pair.up()
    pair.both((pair.caller, Clear(-1, 16)))
    pair.caller.said()
    pair.called.said()

    for command, exchange in itertools.product(
        [Proceed(call.call, 1), Answer(call.call, 1), Clear(call.call, 16), Forget(call.call), Probe(-1), Clear(-7, 1)],
        [pair.caller, pair.called],
    ):
        pair.both((exchange, command))

    assert pair.caller.said() == pair.called.said() == []


def test_a_setup_without_a_number_is_not_taken(pair: Pair) -> None:
    pair.caller.do(PlaceCall(call=-1, slot=3, called="x" * 3))

    assert pair.caller.said() in ([Gone(-1)], [])


def test_spans_with_clocks_of_their_own_do_not_disturb_each_other() -> None:
    first, second = Pair(), Pair()
    second.line.run(1000)
    call = first.up()
    second.up()
    first.line.run(1)

    assert first.called.stack.calls == 1
    first.both((first.caller, Clear(-1, 16)))
    assert first.called.said()[-1] == Gone(call.call)
    assert second.called.stack.calls == 1


def test_a_closed_span_says_so() -> None:
    span = LibpriSpan(PriSettings(), 0)
    span.close()
    span.close()

    with pytest.raises(PriError):
        span.receive(b"\0\1\x7f", 1)
    assert LibpriSpan.version()


def test_the_binding_is_built_once_and_anew_when_libpri_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = libpri_build.build(tmp_path)
    made = first.stat().st_ino
    assert libpri_build.build(tmp_path).stat().st_ino == made

    header = tmp_path / "libpri.h"
    header.touch()
    monkeypatch.setattr(libpri_build, "HEADER", header)
    assert libpri_build.build(tmp_path) == first
    assert first.stat().st_ino != made


def test_an_image_brings_its_binding_and_needs_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = libpri_build.build(tmp_path)
    monkeypatch.setattr(libpri_build, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", "")

    assert libpri_build.build() == built


def test_without_libpri_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libpri_build, "HEADER", tmp_path / "nothing.h")

    with pytest.raises(libpri_build.LibpriMissing, match="scripts/setup --system"):
        libpri_build.build(tmp_path)
