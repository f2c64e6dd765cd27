"""The level of an analogue line: both ways, at once, for people and announcements; and all that it must not touch."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import RingDetected
from firmware.core.line_schemas import ExchangeLineEntry, LineLevels
from firmware.lines.line_commands import AnswerLeg, ConfigureLines, Hear, Join, PlaceCall, Play, SetLevel
from firmware.lines.line_settings import line_settings
from firmware.lines.messages import DigitReceived, IncomingCall
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.generate import dtmf, pause, sine
from tests.contacts.scripted_lines import office_configuration
from tests.lines.bench import FIRST_PHONE, Bench
from tests.lines.exchange_bench import BUSY, FIRST, SECOND, ExchangeBench
from tests.lines.test_exchange_line import caller_by_fsk
from tests.lines.test_exchange_line_calls_out import DIAL_TONE, dialled
from tests.lines.test_phone_data import listen, ring

SPEECH = codec.encode(sine(800, -30, 1600))
EVERY_CODE = np.resize(np.arange(256, dtype=np.uint8), 1280)


class TwoCallers(ExchangeBench):
    """A citizen on each of two lines, who talk to each other. The first line has levels."""

    def __init__(self, receive_db: float = 0.0, send_db: float = 0.0) -> None:
        super().__init__(receive_db=receive_db, send_db=send_db)
        self.legs = self._call_in(FIRST), self._call_in(SECOND)
        self.talk()

    def configure(self, blocked: bool = False, **levels: float) -> None:
        lines = tuple(ExchangeLineEntry(line=f"FXO-{number}", caller_id="none") for number in (1, 2))
        self.command(ConfigureLines(exchange_lines=lines, levels={"FXO-1": LineLevels(**levels)}))

    def _call_in(self, channel: int) -> str:
        self.signal(RingDetected(channel, True))
        self.silence(0.2)
        self.signal(RingDetected(channel, False))
        leg = self.last(IncomingCall).leg
        self.command(AnswerLeg(leg))
        return leg

    def talk(self) -> None:
        first, second = self.legs
        self.command(Join((Hear(first, (second,)), Hear(second, (first,)))))
        self.silence(0.02)

    def passes(self, audio: Alaw, channel: int) -> Alaw:
        """What the other line gets of what is said on this one."""
        got = []
        for block in audio.reshape(-1, 80):
            received = np.full((2, 80), ALAW_SILENCE, dtype=np.uint8)
            received[channel] = block
            got.append(self.tick(received)[1 - channel])
        return np.concatenate(got)


def level(codes: Alaw) -> float:
    return codec.level_of(codec.decode(codes))


@pytest.mark.parametrize("decibels", [-12.0, -3.5, 6.0])
def test_a_line_is_made_louder_or_quieter_each_way_by_itself(decibels: float) -> None:
    from_it, to_it = TwoCallers(receive_db=decibels), TwoCallers(send_db=decibels)

    assert level(from_it.passes(SPEECH, FIRST)) == pytest.approx(-30 + decibels, abs=0.3)
    assert np.array_equal(from_it.passes(SPEECH, SECOND), SPEECH)
    assert level(to_it.passes(SPEECH, SECOND)) == pytest.approx(-30 + decibels, abs=0.3)
    assert np.array_equal(to_it.passes(SPEECH, FIRST), SPEECH)


def test_a_level_of_0_db_changes_no_bit() -> None:
    bench = TwoCallers()
    assert np.array_equal(bench.passes(EVERY_CODE, FIRST), EVERY_CODE)
    bench.configure(receive_db=6.0)
    bench.silence(0.02)
    bench.configure()
    bench.silence(0.02)

    assert np.array_equal(bench.passes(EVERY_CODE, FIRST), EVERY_CODE)


def test_a_level_is_in_force_at_once_for_a_call_that_is_up() -> None:
    bench = TwoCallers()
    bench.configure(receive_db=6.0, send_db=-6.0)
    bench.silence(0.02)

    assert level(bench.passes(SPEECH, FIRST)) == pytest.approx(-24, abs=0.3)
    assert level(bench.passes(SPEECH, SECOND)) == pytest.approx(-36, abs=0.3)


def test_the_levels_of_line_and_party_come_together() -> None:
    bench = TwoCallers(receive_db=6.0)
    bench.command(SetLevel(bench.legs[0], speaks_db=-4.0))
    bench.silence(0.02)

    assert level(bench.passes(SPEECH, FIRST)) == pytest.approx(-28, abs=0.3)


def test_announcements_and_music_have_the_level_of_the_line_also_when_it_changes_meanwhile() -> None:
    bench = TwoCallers(send_db=6.0)
    bench.command(Play(bench.legs[0], "play-1", ("music:waiting",), True))
    bench.silence(0.02)
    assert level(bench.silence(0.4)) == pytest.approx(-14, abs=0.3)
    bench.configure(send_db=-6.0)
    bench.silence(0.02)
    assert level(bench.silence(0.4)) == pytest.approx(-26, abs=0.3)
    bench.configure()
    bench.silence(0.02)
    assert level(bench.silence(0.4)) == pytest.approx(-20, abs=0.3)


def test_what_becomes_too_loud_is_held_below_overload() -> None:
    bench = TwoCallers(send_db=12.0)
    loud = codec.encode(sine(800, -3, 8000))
    heard = codec.decode(bench.passes(loud, SECOND)[800:])
    spectrum = np.abs(np.fft.rfft(heard))

    assert 0 < codec.level_of(heard) <= 3.5
    assert spectrum[np.arange(spectrum.size) != spectrum.argmax()].max() < spectrum.max() / 30, "a pure tone still"


def test_detectors_and_the_recording_of_what_came_in_have_the_line_as_it_is() -> None:
    bench = ExchangeBench(receive_db=-12.0)
    bench.ring_once()
    bench.hear(caller_by_fsk())
    assert bench.last(IncomingCall).calling == "13800138000"
    leg = bench.last(IncomingCall).leg
    bench.command(AnswerLeg(leg))
    bench.said()
    bench.hear(np.concatenate([dtmf("5", 80, -24.0, -22.0), pause(80)]))
    digit = bench.last(DigitReceived)
    assert digit.digit == "5"
    plain = ExchangeBench()
    plain.answered()
    plain.hear(np.concatenate([dtmf("5", 80, -24.0, -22.0), pause(80)]))
    assert digit.level_dbm0 == plain.last(DigitReceived).level_dbm0
    bench.hear(SPEECH[:80])
    assert np.array_equal(bench.gateway.received[FIRST], SPEECH[:80])
    bench.hear(np.tile(BUSY, 3))

    assert bench.over()[0] == "line"


def test_a_new_level_does_not_begin_the_count_of_busy_tone_anew() -> None:
    bench = ExchangeBench()
    bench.answered()
    bench.hear(np.tile(BUSY, 2))
    bench.configure(receive_db=6.0)
    bench.hear(BUSY)

    assert bench.over()[0] == "line"


def test_digits_are_dialled_at_the_level_that_the_exchange_wants() -> None:
    def dial(bench: ExchangeBench) -> Alaw:
        bench.command(PlaceCall("out-1", FIRST, "110"))
        return np.concatenate([bench.hear(DIAL_TONE), bench.silence(2)])

    sent = dial(ExchangeBench(send_db=6.0))

    assert dialled(sent) == "110"
    assert np.array_equal(sent, dial(ExchangeBench()))


def test_caller_identity_is_sent_to_a_phone_as_it_is() -> None:
    plain, levelled = Bench(), Bench()
    levelled.command(ConfigureLines(levels={"P-1": LineLevels(send_db=6.0)}))
    for bench in (plain, levelled):
        ring(bench)

    assert np.array_equal(listen(levelled, 4, FIRST_PHONE), listen(plain, 4, FIRST_PHONE))


def test_only_analogue_lines_have_levels() -> None:
    bench = Bench()
    bench.command(ConfigureLines(levels={"T-1": LineLevels(receive_db=6.0), "P-9": LineLevels(receive_db=6.0)}))
    leg, other = bench.call(0), bench.call(1)
    bench.command(AnswerLeg(leg), AnswerLeg(other), Join((Hear(other, (leg,)),)))
    bench.tick()
    received = np.full((6, 80), ALAW_SILENCE, dtype=np.uint8)
    received[0] = EVERY_CODE[:80]

    assert np.array_equal(bench.tick(received)[1], EVERY_CODE[:80])


def test_levels_of_lines_and_of_seats_phones_are_told_where_they_are_not_0_db() -> None:
    configuration = office_configuration()
    seat = msgspec.structs.replace(configuration.seats[0], receive_db=3.0)
    lines = (ExchangeLineEntry(line="FXO-1", send_db=-2.0), ExchangeLineEntry(line="FXO-2", number="12345"))
    changed = msgspec.structs.replace(configuration, seats=(seat, *configuration.seats[1:]), exchange_lines=lines)

    assert line_settings(changed).levels == {
        "FXO-1": LineLevels(send_db=-2.0),
        seat.extension: LineLevels(receive_db=3.0),
    }
