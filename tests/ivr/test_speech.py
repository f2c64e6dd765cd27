"""Plays with texts: they wait for text-to-speech, are overtaken by what comes later, and never end in silence."""

from __future__ import annotations

import msgspec

from firmware.ivr.speech import TEXTS_KEPT, Speech
from firmware.lines.line_commands import ClearLeg, Conference, Hear, Join, Play, StopPlay
from tests.contacts.scripted_lines import office_configuration

HELLO = Play("citizen", "greeting", ("prompt:welcome", "text:您好", "tone:zip"))


def test_a_play_without_texts_goes_out_at_once() -> None:
    speech = Speech()
    play = Play("citizen", "music", ("music:waiting",), loop=True)

    assert speech.order([play]) == [play]
    assert speech.take_wanted() == []


def test_a_play_with_a_text_waits_until_it_is_spoken() -> None:
    speech = Speech()

    assert speech.order([HELLO]) == []
    assert speech.take_wanted() == ["您好"]
    assert speech.take_wanted() == []
    assert speech.spoken("您好", b"abc") == [Play("citizen", "greeting", HELLO.sounds, spoken={"text:您好": b"abc"})]
    assert speech.order([HELLO]) == [Play("citizen", "greeting", HELLO.sounds, spoken={"text:您好": b"abc"})]
    assert speech.take_wanted() == []


def test_two_plays_of_one_text_ask_for_it_once() -> None:
    speech = Speech()
    speech.order([HELLO, Play("other", "greeting", ("text:您好",))])

    assert speech.take_wanted() == ["您好"]
    assert [order.leg for order in speech.spoken("您好", b"abc") if isinstance(order, Play)] == ["citizen", "other"]


def test_texts_of_the_configuration_are_spoken_before_anybody_calls() -> None:
    configuration = office_configuration()
    services = tuple(
        msgspec.structs.replace(one, greeting=("prompt:welcome", "text:您好")) for one in configuration.services
    )
    queues = tuple(
        msgspec.structs.replace(one, announcement=("text:您好", "text:人多")) for one in configuration.queues
    )
    speech = Speech()

    speech.prepare(msgspec.structs.replace(configuration, services=services, queues=queues))

    assert speech.take_wanted() == ["您好", "人多"]
    assert speech.order([HELLO]) == []
    assert speech.take_wanted() == [], "it is asked for already"
    assert len(speech.spoken("您好", b"abc")) == 1


def test_what_is_ordered_later_for_the_leg_replaces_a_play_that_waits() -> None:
    for later in (
        StopPlay("citizen"),
        ClearLeg("citizen"),
        Join((Hear("agent", ()), Hear("citizen", ("agent",)))),
        Conference("three", ("agent", "citizen")),
        Play("citizen", "music", ("music:waiting",)),
    ):
        speech = Speech()
        speech.order([HELLO])

        assert speech.order([later]) == [later]
        assert speech.spoken("您好", b"abc") == []


def test_what_is_ordered_for_others_does_not_disturb_a_play_that_waits() -> None:
    speech = Speech()
    others = [StopPlay("other"), Join((Hear("other", ("citizen",)),))]

    assert speech.order([HELLO, *others]) == others
    assert len(speech.spoken("您好", b"abc")) == 1


def test_a_text_that_cannot_be_spoken_becomes_a_recording_and_the_next_play_tries_again() -> None:
    speech = Speech()
    speech.order([HELLO])
    speech.take_wanted()

    assert speech.spoken("您好", None) == [Play("citizen", "greeting", ("prompt:welcome", "prompt:wait", "tone:zip"))]
    assert speech.order([HELLO]) == []
    assert speech.take_wanted() == ["您好"]


def test_a_missing_prompt_is_spoken_from_its_text() -> None:
    speech = Speech({"menu": "请按一"})
    speech.gateway_has(("prompt:wait", "tone:zip"))
    play = Play("citizen", "menu", ("prompt:menu", "word:百", "tone:zip"))

    assert speech.order([play]) == []
    assert speech.take_wanted() == ["请按一", "百"]
    assert speech.spoken("请按一", b"1") == []
    (ready,) = speech.spoken("百", b"2")
    assert isinstance(ready, Play)
    assert ready.sounds == ("text:请按一", "text:百", "tone:zip")
    assert ready.spoken == {"text:请按一": b"1", "text:百": b"2"}


def test_what_nobody_knows_is_replaced_and_said_in_the_log(caplog: object) -> None:
    speech = Speech()
    speech.gateway_has(("prompt:wait",))

    (ready,) = speech.order([Play("citizen", "music", ("music:nothing",), loop=True)])

    assert isinstance(ready, Play)
    assert ready.sounds == ("prompt:wait",)
    assert "there is no sound music:nothing" in caplog.text  # type: ignore[attr-defined]


def test_music_that_is_missing_is_other_music() -> None:
    speech = Speech()
    speech.gateway_has(("prompt:wait", "music:waiting"))

    assert speech.order([Play("citizen", "music", ("music:nothing",), loop=True)]) == [
        Play("citizen", "music", ("music:waiting",), loop=True)
    ]


def test_another_gateway_gets_no_play_of_the_old_one() -> None:
    speech = Speech()
    speech.order([HELLO])
    speech.gateway_has(())

    assert speech.spoken("您好", b"abc") == []


def test_only_so_many_texts_are_kept() -> None:
    speech = Speech()
    for number in range(TEXTS_KEPT + 1):
        speech.order([Play("citizen", str(number), (f"text:{number}",))])
        speech.spoken(str(number), b"x")

    speech.take_wanted()
    speech.order([Play("a", "new", (f"text:{TEXTS_KEPT}",)), Play("b", "old", ("text:0",))])
    assert speech.take_wanted() == ["0"]
