"""What an attached phone is told without a voice: who calls, what its display shows; and that it was left off hook."""

from __future__ import annotations

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import OnHookData, Ring
from firmware.core.faults import fault
from firmware.lines.line_commands import ClearLeg, Play, RingExtension, TellPhone
from firmware.lines.messages import LegAlerting, PhoneLifted
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.caller_id import CallerId, Presentation, read_message
from firmware.tones.fsk import DetectedMessage, FskDetector
from tests.lines.bench import FIRST_PHONE, Bench
from tests.tones import spandsp_adsi

PHONE = FIRST_PHONE
SILENT = {ALAW_SILENCE}


def listen(bench: Bench, seconds: float, channel: int = PHONE) -> Alaw:
    """What goes out to the phone."""
    return np.concatenate([bench.tick()[channel] for _ in range(round(seconds * 100))])


def messages(audio: Alaw) -> list[DetectedMessage]:
    detector = FskDetector(1)
    linear = codec.decode(audio).reshape(-1, 1, 80)
    return [message for block in linear for message in detector.process(block, np.zeros(1, dtype=np.intp))]


def ring(bench: Bench, calling: str = "13800138000", name: str = "王芳") -> str:
    bench.command(RingExtension("offer-1", PHONE, calling, name))
    return bench.last(LegAlerting).leg


def test_a_phone_shows_number_name_and_time_after_the_first_ring(bench: Bench) -> None:
    ring(bench)

    heard = listen(bench, 10)

    (message,) = messages(heard)
    # 2023-11-14 22:13:20 UTC is a quarter past six in the morning of the next day in China.
    assert read_message(message.kind, message.content) == CallerId("13800138000", "王芳", "11150613")
    sounding = np.flatnonzero(heard != ALAW_SILENCE) / 8000
    assert 1.5 <= sounding[0] <= 2.5, "half a second to one and a half after the first ring"
    assert sounding[-1] <= 4.8, "0.2 s before the second ring"
    assert codec.level_of(
        codec.decode(heard)[int(sounding[0] * 8000) + 80 : int(sounding[-1] * 8000)]
    ) == pytest.approx(-13.5, abs=0.2)


def test_another_receiver_reads_it_too(bench: Bench) -> None:
    ring(bench)

    (message,) = spandsp_adsi.heard(codec.decode(listen(bench, 4)).astype(np.int16))

    assert b"\x02\x0b13800138000\x07\x04\xcd\xf5\xb7\xbc" in message


def test_ringing_goes_on_as_ever_while_the_phone_is_told(bench: Bench) -> None:
    ring(bench)
    turns = []
    for hundredths in range(1, 701):
        bench.tick()
        turns += [(hundredths / 100, signal.on) for signal in bench.said() if isinstance(signal, Ring)]

    assert turns == [(0.01, True), (1.0, False), (5.0, True), (6.0, False)]


def test_the_board_is_asked_to_carry_each_message_for_as_long_as_it_lasts(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, "3", "示闲 排队3"))
    heard = listen(bench, 3)
    (asked,) = (signal for signal in bench.said() if isinstance(signal, OnHookData))
    lasts = np.flatnonzero(heard != ALAW_SILENCE)[-1] / 8

    assert asked.channel == PHONE
    assert lasts + 200 <= asked.milliseconds <= lasts + 700


@pytest.mark.parametrize(
    ("presentation", "number", "reason"),
    [("restricted", "", b"P"), ("restricted", "13800138000", b"P"), ("unavailable", "", b"O"), ("allowed", "", b"O")],
)
@pytest.mark.parametrize("text", ["", "号码保密"])
def test_a_phone_is_told_why_there_is_no_number_and_when(
    bench: Bench, presentation: Presentation, number: str, reason: bytes, text: str
) -> None:
    """ETSI EN 300 659-3: parameter 04 is P for private, O for not available; 02 and 04 are never both there."""
    bench.command(RingExtension("offer-1", PHONE, number, text, presentation))
    audio = listen(bench, 5)

    said = text.encode("gb2312")
    name = bytes((0x07, len(said))) + said if text else b""
    (message,) = messages(audio)
    assert (message.kind, message.intact) == (0x80, True)
    assert message.content == b"\x01\x0811150613\x04\x01" + reason + name
    caller = read_message(message.kind, message.content)
    assert caller.presentation == ("restricted" if reason == b"P" else "unavailable")
    (heard,) = spandsp_adsi.heard(codec.decode(audio).astype(np.int16))
    assert b"\x04\x01" + reason in heard, "another receiver reads it too"


def test_who_lifts_while_the_phone_is_told_hears_no_data(bench: Bench) -> None:
    ring(bench)
    listen(bench, 2)
    assert set(bench.tick()[PHONE].tolist()) != SILENT
    bench.lift()

    fading = bench.tick()[PHONE]
    assert abs(codec.decode(fading[-8:])).max() < abs(codec.decode(fading[:8])).max() / 4
    assert set(listen(bench, 3).tolist()) == SILENT


def test_who_lifts_early_is_told_nothing_any_more(bench: Bench) -> None:
    ring(bench)
    listen(bench, 1.2)
    bench.lift()

    assert set(listen(bench, 5).tolist()) == SILENT


def test_a_caller_who_gives_up_is_not_shown_any_more_and_the_next_one_is(bench: Bench) -> None:
    bench.command(ClearLeg(ring(bench)))
    assert set(listen(bench, 3).tolist()) == SILENT
    bench.command(RingExtension("offer-2", PHONE, "02988888888"))

    (message,) = messages(listen(bench, 4))
    assert read_message(message.kind, message.content).number == "02988888888"


def test_thirty_two_offers_one_after_the_other_find_a_place(bench: Bench) -> None:
    for offer in range(40):
        bench.command(RingExtension(f"offer-{offer}", PHONE, str(offer + 1)))
        (message,) = messages(listen(bench, 3))
        assert read_message(message.kind, message.content).number == str(offer + 1)
        bench.command(ClearLeg(bench.last(LegAlerting).leg))


def test_an_idle_phone_shows_what_it_is_told(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, "3", "示闲 排队3"))
    (shown,) = messages(listen(bench, 2))
    bench.command(TellPhone(PHONE, messages=True))
    (lamp,) = messages(listen(bench, 2))

    assert read_message(shown.kind, shown.content) == CallerId("3", "示闲 排队3")
    assert (lamp.kind, lamp.content) == (0x82, b"\x0b\x01\xff")


def test_a_phone_that_rings_or_is_lifted_is_not_told(bench: Bench) -> None:
    bench.lift(PHONE + 1)
    ring(bench, "", "")
    bench.command(TellPhone(PHONE, "3"), TellPhone(PHONE + 1, "3"), TellPhone(0, "3"), TellPhone(99, "3"))

    assert set(listen(bench, 1).tolist()) == SILENT
    assert set(listen(bench, 1, PHONE + 1).tolist()) == SILENT


def test_a_phone_lifted_while_its_display_is_told_hears_what_it_shall(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, "3", "排队3"))
    listen(bench, 0.5)
    bench.lift()
    leg = bench.last(PhoneLifted).leg
    bench.command(Play(leg, "idle", ("prompt:welcome",), loop=True))
    bench.tick()

    assert set(bench.tick()[PHONE].tolist()) <= set(range(2, 100, 2))


def test_a_lamp_told_while_the_phone_is_used_is_lit_when_it_is_put_down(bench: Bench) -> None:
    bench.lift()
    bench.command(TellPhone(PHONE, messages=True), TellPhone(PHONE, "3", "排队3"))
    assert set(listen(bench, 2).tolist()) == SILENT
    bench.put_down()

    (lamp,) = messages(listen(bench, 3))
    assert (lamp.kind, lamp.content) == (0x82, b"\x0b\x01\xff")


def test_a_lamp_that_was_cut_short_is_told_again_and_one_that_was_not_is_not(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, messages=True))
    listen(bench, 0.2)
    bench.lift()
    bench.put_down()
    assert [message.kind for message in messages(listen(bench, 3))] == [0x82]
    bench.lift()
    bench.put_down()

    assert messages(listen(bench, 3)) == []


def test_lamp_and_text_at_once_are_told_one_after_the_other_and_the_newest_text_counts(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, "1", "排队1"), TellPhone(PHONE, messages=False), TellPhone(PHONE, "2", "排队2"))
    bench.command(TellPhone(PHONE, "3", "排队3"))

    first, lamp, last = messages(listen(bench, 5))
    assert read_message(first.kind, first.content).number == "1"
    assert (lamp.kind, lamp.content) == (0x82, b"\x0b\x01\x00")
    assert read_message(last.kind, last.content) == CallerId("3", "排队3")


def test_a_lamp_told_while_the_card_is_out_is_lit_when_it_is_back(bench: Bench) -> None:
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.command(TellPhone(PHONE, messages=True))
    assert messages(listen(bench, 2)) == []
    bench.open()
    bench.put_down()

    assert [message.kind for message in messages(listen(bench, 2))] == [0x82]


def test_another_receiver_sees_the_lamp(bench: Bench) -> None:
    bench.command(TellPhone(PHONE, messages=True))

    (message,) = spandsp_adsi.heard(codec.decode(listen(bench, 2)).astype(np.int16))
    assert b"\x0b\x01\xff" in message
