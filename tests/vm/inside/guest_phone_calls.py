"""Calls between our extension ports and our exchange lines on the real driver: FXS on one span, FXO on its peer.

Each end is the gateway's core on an analogue board, so that line machines, players, detectors and boards meet the
driver whole. Where a phone does what our exchange lines never do, the test is the phone. `minimodem` judges caller IDs.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from boards.dahdi_analogue import DahdiAnalogueBoard
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import Event, Hook, Signalling
from firmware.core.line_schemas import DahdiPorts, ExchangeLineEntry
from firmware.lines.line_commands import (
    AnswerLeg,
    ClearLeg,
    ConfigureLines,
    PlaceCall,
    Play,
    RingExtension,
    StopPlay,
    TellPhone,
)
from firmware.lines.messages import (
    DigitReceived,
    HookFlashed,
    IncomingCall,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    PhoneLifted,
)
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.tones.caller_id import CallerId, read_message
from firmware.tones.fsk import DetectedMessage, FskDetector
from tests.vm.inside.far_line import FarLine, rows_of, run
from tests.vm.inside.gateway_on_board import GatewayOnBoard
from tests.vm.inside.spans import DynamicSpan

Pair = tuple[DynamicSpan, DynamicSpan]
TONES, PULSES = 0, 1
"""Lines by the way in which they dial; each has the phone of the same number at its other end."""
LINES = (
    ExchangeLineEntry(line="FXO-1", number="12345"),
    ExchangeLineEntry(line="FXO-2", number="12346", dial_by="pulses"),
)
RING_DEAF_SECONDS = 2.3
"""The driver tells no ringing in the first two seconds after opening."""


def analogue(name: str, span: DynamicSpan, *ports: str) -> DahdiAnalogueBoard:
    return DahdiAnalogueBoard(name, DahdiPorts(span=span.number, ports=ports))  # type: ignore[arg-type]


def minimodem(audio: Alaw) -> list[str]:
    """What another receiver reads from a line: the words that it prints."""
    file = io.BytesIO()
    soundfile.write(file, codec.decode(audio).astype(np.int16), 8000, format="WAV")
    command = ["minimodem", "--rx", "-q", "callerid", "-f", "/proc/self/fd/0"]
    said = subprocess.run(command, input=file.getvalue(), capture_output=True, check=True).stdout
    return said.decode("gb18030").split()


def messages(audio: Alaw) -> list[DetectedMessage]:
    detector = FskDetector(1)
    linear = codec.decode(audio[: audio.size // 80 * 80]).reshape(-1, 1, 80)
    return [message for block in linear for message in detector.process(block, np.zeros(1, dtype=np.intp))]


def strength(audio: Alaw, frequency: float) -> float:
    """Level in dBm0 of one frequency over the whole of the audio."""
    linear = codec.decode(audio)
    wave = np.exp(-2j * np.pi * frequency * np.arange(linear.size) / 8000)
    return float(20 * np.log10(2 * abs(linear @ wave) / linear.size / codec.peak_of(0.0) + 1e-9))


# ---- two boxes -------------------------------------------------------------------------------------------------------


@dataclass
class Town:
    """`phones` has two extension ports; each is a subscriber's line of the exchange for the box at `lines`."""

    phones: GatewayOnBoard
    lines: GatewayOnBoard

    def until(self, condition: Callable[[], object], what: str, seconds: float = 12.0) -> None:
        ends = [self.phones, self.lines]
        assert run(ends, seconds, condition), f"no {what}: {[end.events[-12:] for end in ends]}"

    def run(self, seconds: float) -> None:
        run([self.phones, self.lines], seconds)

    def call(self) -> tuple[str, str]:
        """The phone rings and is answered by the box at the other end; the legs there and here."""
        self.phones.command(RingExtension("offer", TONES, "13800138000", "王芳"))
        self.until(lambda: self.lines.all(IncomingCall), "incoming call")
        leg = self.lines.last(IncomingCall).leg
        self.lines.command(AnswerLeg(leg))
        self.until(lambda: self.phones.all(LegAnswered), "answer")
        return leg, self.phones.last(LegAnswered).leg

    def idle(self) -> bool:
        return {end.state(channel) for end in (self.phones, self.lines) for channel in (TONES, PULSES)} == {"idle"}


@pytest.fixture
def town(pair: Pair) -> Iterator[Town]:
    phones = GatewayOnBoard(analogue("phones", pair[0], "fxs", "fxs"))
    lines = GatewayOnBoard(analogue("lines", pair[1], "fxo", "fxo"))
    lines.command(ConfigureLines(exchange_lines=LINES))
    town = Town(phones, lines)
    town.run(RING_DEAF_SECONDS)
    for end in (phones, lines):
        end.heard.clear()
        end.events.clear()
    assert town.idle()
    yield town
    for end in (phones, lines):
        end.board.close()


def test_a_phone_that_rings_shows_who_calls_is_answered_heard_and_put_down(town: Town) -> None:
    leg, phone_leg = town.call()
    call = town.lines.last(IncomingCall)
    assert (call.called, call.calling, call.calling_name) == ("12345", "13800138000", "王芳")
    after_first_ring = town.lines.row(TONES)
    assert len(town.phones.all(LegAlerting)) == 1

    for end in (town.phones, town.lines):
        end.heard.clear()
    town.phones.command(Play(phone_leg, "p", ("prompt:speech",), loop=True))
    town.lines.command(Play(leg, "p", ("prompt:speech",), loop=True))
    town.run(2.4)
    counters = [end.board.counters for end in (town.phones, town.lines)]
    assert [end.heard_speech(TONES) for end in (town.phones, town.lines)] == [True, True], counters

    town.lines.command(ClearLeg(leg))
    town.until(lambda: town.phones.all(LegCleared), "end at the phone")
    town.until(town.idle, "idle lines")
    assert town.phones.how_it_ended() == {TONES: ("normal", "line")}
    assert town.lines.how_it_ended() == {TONES: ("normal", "box")}
    assert minimodem(after_first_ring) == ["CALLER-ID", "Phone:", "13800138000", "Name:", "王芳"]


def test_a_line_whose_exchange_ends_the_call_hears_busy_tone_and_lets_go(town: Town) -> None:
    _, phone_leg = town.call()

    town.phones.command(ClearLeg(phone_leg))

    town.until(lambda: town.lines.all(LegCleared), "end at the line")
    town.until(town.idle, "idle lines")
    assert town.lines.how_it_ended() == {TONES: ("normal", "line")}
    assert town.phones.how_it_ended() == {TONES: ("normal", "box")}


def test_a_caller_who_gives_up_leaves_no_line_ringing(town: Town) -> None:
    town.phones.command(RingExtension("offer", TONES, "13800138000"))
    town.until(lambda: town.lines.all(IncomingCall), "incoming call")

    town.phones.command(ClearLeg(town.phones.last(LegAlerting).leg))

    town.until(lambda: town.lines.all(LegCleared), "end at the line")
    assert town.lines.how_it_ended() == {TONES: ("normal", "line")}
    assert town.idle()


@pytest.mark.parametrize(("line", "number", "source"), [(TONES, "0298*#", "inband"), (PULSES, "1208", "pulse")])
def test_a_number_is_dialled_after_dial_tone_and_understood(town: Town, line: int, number: str, source: str) -> None:
    town.lines.command(PlaceCall("request", line, number))
    town.until(lambda: town.phones.all(PhoneLifted), "lifted phone")
    leg = town.phones.last(PhoneLifted).leg
    town.phones.command(Play(leg, "dial tone", ("tone:dial",), loop=True))
    town.until(lambda: len(town.phones.all(DigitReceived)) == 1, "first digit")
    town.phones.command(StopPlay(leg))
    town.until(lambda: town.lines.all(LegAnswered), "end of dialling, and eight seconds without busy tone", 25.0)

    digits = town.phones.all(DigitReceived)
    assert "".join(digit.digit for digit in digits) == number
    assert {digit.source for digit in digits} == {source}
    town.lines.command(ClearLeg(town.lines.last(LegAnswered).leg))
    town.until(town.idle, "idle lines")
    assert town.phones.how_it_ended() == {line: ("normal", "line")}


# ---- a box, and the test as its phone --------------------------------------------------------------------------------


class Phone(FarLine):
    """The far span's first slot: hook and flash."""

    def __init__(self, span: DynamicSpan) -> None:
        super().__init__(span, Signalling.FXSKS, (1,))

    def hook(self, command: Hook) -> None:
        assert self.channels[0].hook(command)

    def heard_audio(self) -> Alaw:
        return rows_of(self.heard)[0]


@dataclass
class Desk:
    """A box with one extension port, and the phone on it."""

    box: GatewayOnBoard
    phone: Phone

    def run(self, seconds: float) -> None:
        run([self.box, self.phone], seconds)

    def until(self, condition: Callable[[], object], what: str, seconds: float = 6.0) -> None:
        assert run([self.box, self.phone], seconds, condition), f"no {what}: {self.box.events[-12:]}"

    def listen(self, seconds: float) -> Alaw:
        """What the phone hears in so much time."""
        self.phone.heard.clear()
        self.run(seconds)
        return self.phone.heard_audio()

    def lift(self) -> str:
        self.phone.hook(Hook.OFFHOOK)
        self.until(lambda: self.box.all(PhoneLifted), "lifted phone")
        self.run(0.7)  # so long the driver waits for bounces of the hook
        return self.box.last(PhoneLifted).leg


@pytest.fixture
def desk(pair: Pair) -> Iterator[Desk]:
    with Control() as control:
        control.load_ringing_zone()
    phone = Phone(pair[1])
    desk = Desk(GatewayOnBoard(analogue("phones", pair[0], "fxs")), phone)
    desk.run(RING_DEAF_SECONDS)
    desk.box.events.clear()
    yield desk
    desk.box.board.close()
    phone.close()


def test_a_flash_is_told_and_ends_nothing(desk: Desk) -> None:
    leg = desk.lift()

    desk.phone.hook(Hook.FLASH)
    desk.until(lambda: desk.box.all(HookFlashed), "flash")
    desk.run(1.5)

    assert [event.leg for event in desk.box.all(HookFlashed)] == [leg]
    assert desk.box.state(0) == "up"


def test_an_idle_phone_is_told_what_its_display_and_its_lamp_shall_show(desk: Desk) -> None:
    desk.box.command(TellPhone(0, "3", "示闲 排队3"))
    shown = desk.listen(2.0)
    desk.box.command(TellPhone(0, messages=True))
    (lamp,) = messages(desk.listen(1.5))

    (message,) = messages(shown)
    assert read_message(message.kind, message.content) == CallerId("3", "示闲 排队3")
    assert minimodem(shown) == ["CALLER-ID", "Phone:", "3", "Name:", "示闲", "排队3"]
    assert (lamp.kind, lamp.content) == (0x82, b"\x0b\x01\xff")
    assert Event.RINGBEGIN not in [event for _, event in desk.phone.events]


def test_a_phone_left_off_hook_hears_busy_tone_the_howler_and_then_nothing(desk: Desk) -> None:
    leg = desk.lift()
    desk.box.command(ClearLeg(leg))
    busy = desk.listen(0.7)
    desk.box.pass_time(60)
    desk.run(0.2)
    howler = desk.listen(0.5)
    desk.box.pass_time(60)
    desk.run(0.2)
    rest = desk.listen(0.3)

    assert strength(busy, 450) > -20 > strength(busy, 950)
    assert strength(howler, 950) > -20 > strength(howler, 450)
    assert set(rest.tolist()) == {0xD5}
    assert desk.box.all(LegReleasing) and not desk.box.all(LegCleared)
    desk.phone.hook(Hook.ONHOOK)
    desk.until(lambda: desk.box.all(LegCleared), "end")
    assert desk.box.state(0) == "idle"
