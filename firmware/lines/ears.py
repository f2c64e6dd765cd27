"""All that the gateway listens for in one tick: digits, register tones, who calls, busy tone. Nothing follows here."""

from __future__ import annotations

from firmware.lines.exchange_ear import ExchangeEar, country_tones
from firmware.lines.exchange_line import ExchangeLine
from firmware.lines.exchange_states import HeardCaller, HeardLesson, HeardProgress
from firmware.lines.kinds import AnyLine
from firmware.lines.line import ListenTo, RegisterListen
from firmware.lines.r2.states import HeardTone
from firmware.media.codec import Alaw, Linear
from firmware.tones.dtmf import DetectedDigit, DtmfDetector
from firmware.tones.mfc import MfcDetector

Heard = HeardTone | DetectedDigit | HeardCaller | HeardLesson | HeardProgress


class Ears:
    """The detectors of all channels."""

    def __init__(self, channels: int) -> None:
        """Raises PlanError."""
        self._digits = DtmfDetector(channels)
        self._registers = MfcDetector(channels)
        self._exchange = ExchangeEar(channels, country_tones())

    @property
    def awaited(self) -> bool:
        """True while audio matters, although nobody may hear it: register tones, caller ID, a tone to learn."""
        return self._registers.listening or self._exchange.awaited

    def begin(self, channel: int) -> None:
        """A leg begins on the channel: what sounded before is not its."""
        self._digits.reset(channel)

    def listen(self, line: AnyLine, wish: RegisterListen | ListenTo) -> None:
        """Listen on the line for what its machine wants from now on."""
        if isinstance(wish, RegisterListen):
            self._registers.listen(line.channel, wish.direction)
        elif isinstance(line, ExchangeLine):
            self._exchange.listen(line.channel, wish.what, line.settings)

    def process(self, linear: Linear, sent: Alaw, sample: int) -> list[tuple[int, Heard]]:
        """One tick: `linear` [channels, 80], whose first sample has the count `sample`, and what was sent in it. What
        was heard, by channel."""
        heard: list[tuple[int, Heard]] = [
            (tone.channel, HeardTone(tone.signal, tone.on)) for tone in self._registers.process(linear, sample)
        ]
        heard += [(digit.channel, digit) for digit in self._digits.process(linear, sample)]
        heard += self._exchange.process(linear, sent, sample)
        return heard
