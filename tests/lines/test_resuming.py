"""A callserver that comes back misses nothing; one that is new is told how things are."""

from __future__ import annotations

import msgspec
import pytest

from boards.signals import ChannelKind, Release
from firmware.core.messages import encode_json
from firmware.lines.event_store import EventStore
from firmware.lines.line_commands import (
    AnswerLeg,
    AnyLineCommand,
    Attach,
    ClearLeg,
    Hear,
    Join,
    Play,
    Resume,
    RingExtension,
    decode_command,
)
from firmware.lines.messages import LegAnswered, LegCleared, PhoneLifted, decode_from_gateway
from tests.lines.bench import FIRST_PHONE, Bench

PHONE = FIRST_PHONE


def attach(bench: Bench, boot: str = "b00t", last_number: int = 0):  # type: ignore[no-untyped-def]
    return bench.gateway.attach(Attach(boot, last_number), bench.clock.now())


def test_a_callserver_that_comes_back_gets_what_happened_while_it_was_away(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg))
    stored = bench.last(LegAnswered).number
    bench.signal(Release(0))

    snapshot, missed = attach(bench, last_number=stored)

    assert snapshot.resumed
    assert [event.number for event in missed] == list(range(stored + 1, bench.events[-1].number + 1))
    assert any(isinstance(event, LegCleared) and event.leg == leg for event in missed)
    assert snapshot.legs == ()


def test_one_that_the_gateway_has_forgotten_events_for_gets_everything_as_it_is(bench: Bench) -> None:
    caller = bench.call(calling="138")
    bench.lift()
    agent = bench.last(PhoneLifted).leg
    bench.command(AnswerLeg(caller), Join((Hear(agent, (caller,)),)), Play(caller, "hold", ("music:waiting",), True))
    bench.command(RingExtension("wish", PHONE + 1))

    bench.command(Resume(3))

    snapshot, missed = attach(bench, boot="an0ther", last_number=bench.gateway.last_number)

    assert (snapshot.resumed, missed, snapshot.last_number) == (False, [], bench.events[-1].number)
    assert (snapshot.boot, snapshot.machine_boot) == ("b00t", "machine")
    legs = {leg.leg: leg for leg in snapshot.legs}
    assert (legs[caller].state, legs[caller].calling, legs[caller].called, legs[caller].play) == (
        "up",
        "138",
        "12345",
        "hold",
    )
    assert (legs[agent].state, legs[agent].hearing) == ("up", (caller,))
    ringing = bench.gateway.lines[PHONE + 1].leg
    assert (legs[ringing].state, legs[ringing].request, legs[ringing].channel) == ("alerting", "wish", PHONE + 1)
    assert [channel.state for channel in snapshot.channels] == ["up", "idle", "idle", "up", "ringing", "idle"]
    assert snapshot.channels[3].kind is ChannelKind.EXTENSION
    assert [board.working for board in snapshot.boards] == [True]


def test_one_that_knew_another_start_of_the_gateway_gets_all_of_this_one(bench: Bench) -> None:
    bench.call()

    for boot, last_number in (("an0ther", 3), ("", 0), ("an0ther", 5000)):
        snapshot, missed = attach(bench, boot, last_number)
        assert snapshot.resumed
        assert missed == bench.events


def test_a_number_that_was_never_given_out_is_not_resumed(bench: Bench) -> None:
    snapshot, missed = attach(bench, last_number=bench.gateway.last_number + 1)

    assert (snapshot.resumed, missed) == (False, [])


def test_confirmed_events_are_forgotten(bench: Bench) -> None:
    bench.call()
    bench.command(Resume(3))

    assert bench.gateway.events_after(0)[0].number == 4
    assert not attach(bench, last_number=2)[0].resumed
    assert attach(bench, last_number=3)[0].resumed


def test_events_are_numbered_without_gaps_and_read_back_as_they_were(bench: Bench) -> None:
    leg = bench.call()
    bench.command(AnswerLeg(leg), Play(leg, "p", ("prompt:welcome",)))
    for _ in range(6):
        bench.tick()
    bench.command(ClearLeg(leg))
    bench.signal(Release(0))

    assert [event.number for event in bench.events] == list(range(1, len(bench.events) + 1))
    for event in bench.events:
        assert decode_from_gateway(encode_json(event)) == event
    snapshot, _ = attach(bench)
    assert decode_from_gateway(encode_json(snapshot)) == snapshot


@pytest.mark.parametrize("command", [AnswerLeg("x"), Resume(4), Attach("b", 1), Join((Hear("a", ("b",)),))])
def test_commands_read_back_as_they_were(command: AnyLineCommand) -> None:
    assert decode_command(msgspec.json.encode(command)) == command


def test_the_store_is_bounded_and_says_what_it_has_forgotten() -> None:
    store = EventStore(capacity=100)
    for number in range(1, 1001):
        store.append(LegAnswered(number=number, leg="l", sample=0, at=Bench().clock.now()))

    assert store.last_number == 1000
    kept = store.after(0)
    assert 100 <= len(kept) <= 106
    assert kept[-1].number == 1000
    assert [event.number for event in store.after(997, 2)] == [998, 999]
    assert store.can_resume(kept[0].number - 1)
    assert not store.can_resume(kept[0].number - 2)
    store.confirm(5)
    assert store.after(0) == kept
    store.confirm(5000)
    assert (store.after(0), store.last_number) == ([], 1000)
    with pytest.raises(ValueError, match="follows"):
        store.append(LegAnswered(number=1002, leg="l", sample=0, at=Bench().clock.now()))
