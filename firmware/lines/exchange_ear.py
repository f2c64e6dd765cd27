"""What is heard on analogue trunks: while they ring, who calls; while they are up, busy tone, dial tone, silence.

Only the trunks that ring or are up cost anything. What follows from it is the line's business (exchange_line.py).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firmware.core.schemas import ExchangeLineSettings
from firmware.lines.exchange_states import HeardCaller, HeardLesson, HeardProgress
from firmware.lines.line import Listening
from firmware.media.codec import SAMPLE_RATE, Alaw, Linear, decode
from firmware.media.plane import NEVER
from firmware.tones.cadence import Cadence
from firmware.tones.call_progress import CadenceCount, CallProgressDetector, ToneLesson, cadence_of
from firmware.tones.caller_id import read_message
from firmware.tones.fsk import FskDetector
from firmware.tones.plan import load_plan

DIAL_TONE = SAMPLE_RATE * 4 // 5
"""Samples of a tone without a break that are dial tone where it is awaited: more than a burst of congestion tone."""
LONGEST_TONE = 3 * SAMPLE_RATE
"""And where it is not: the far end has hung up and the exchange awaits digits."""

HeardOnLine = HeardCaller | HeardLesson | HeardProgress

_log = logging.getLogger(__name__)


def country_busy_tones() -> tuple[Cadence, ...]:
    """The tones of the country's plan that say that a call is over. Raises PlanError."""
    tones = load_plan().tones
    cadences = (cadence_of(tones[name]) for name in ("busy", "congestion") if name in tones)
    return tuple(cadence for cadence in cadences if cadence is not None)


def country_dial_tones() -> tuple[Cadence, ...]:
    """Dial tone that is broken: services of the exchange (forwarding, messages) are on. Raises PlanError."""
    tone = load_plan().tones.get("special_dial")
    cadence = cadence_of(tone) if tone is not None else None
    return (cadence,) if cadence is not None else ()


class ExchangeEar:
    """The ears of a fixed number of channels. Their arrays are made when the first analogue trunk listens."""

    def __init__(self, channels: int, busy_tones: Sequence[Cadence], dial_tones: Sequence[Cadence]) -> None:
        """`busy_tones` and (broken) `dial_tones`: those of the country, for all lines."""
        self._channels = channels
        self._busy_tones = tuple(busy_tones)
        self._dial_tones = tuple(dial_tones)
        self._fsk: FskDetector | None = None
        self._progress: CallProgressDetector | None = None
        self._ringing: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._up: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._counts: dict[int, CadenceCount] = {}
        self._dial_counts: dict[int, CadenceCount] = {}
        self._lessons: dict[int, ToneLesson] = {}
        self._silence_limit: NDArray[np.int64] = np.full(channels, NEVER, dtype=np.int64)
        """Samples of silence after which a channel counts as left."""
        self._tone_limit: NDArray[np.int64] = np.full(channels, NEVER, dtype=np.int64)

    @property
    def awaited(self) -> bool:
        """True while audio matters that nobody may be there to hear: who calls, a tone to learn."""
        return bool(self._ringing.size or self._lessons)

    def listen(self, channel: int, listening: Listening, settings: ExchangeLineSettings) -> None:
        """From now on listen on the channel for who calls, dial tone, the end of the call, or nothing."""
        self._ringing = self._ringing[self._ringing != channel]
        self._up = self._up[self._up != channel]
        self._counts.pop(channel, None)
        self._dial_counts.pop(channel, None)
        self._lessons.pop(channel, None)
        if listening == "caller":
            self._fsk = self._fsk or FskDetector(self._channels)
            self._fsk.reset(channel)
            self._ringing = np.append(self._ringing, channel)
        elif listening is not None:
            self._progress = self._progress or CallProgressDetector(self._channels)
            self._progress.reset(channel)
            self._up = np.append(self._up, channel)
            if listening == "lesson":
                self._lessons[channel] = ToneLesson()
                self._tone_limit[channel] = self._silence_limit[channel] = NEVER
                return
            learnt = [Cadence(tone.hz, tone.on_ms, tone.off_ms) for tone in settings.busy_tones]
            tones = [*learnt, *(self._busy_tones if settings.country_tones else ())]
            self._counts[channel] = CadenceCount(tones, regular=settings.any_regular_tone)
            if listening == "dial_tone":
                self._dial_counts[channel] = CadenceCount(self._dial_tones, regular=False)
            self._tone_limit[channel] = DIAL_TONE if listening == "dial_tone" else LONGEST_TONE
            limit = round(settings.silence_seconds * SAMPLE_RATE)
            self._silence_limit[channel] = limit or NEVER

    def process(self, linear: Linear, sent: Alaw, sample: int) -> list[tuple[int, HeardOnLine]]:
        """One tick: `linear` [channels, 80], whose first sample has the count `sample`, and what was sent in it. What
        was heard, by channel."""
        heard: list[tuple[int, HeardOnLine]] = []
        if self._fsk is not None and self._ringing.size:
            for message in self._fsk.process(linear, self._ringing):
                try:
                    if not message.intact:
                        raise ValueError("its check byte is wrong")
                    heard.append((message.channel, HeardCaller(read_message(message.kind, message.content))))
                except ValueError as error:
                    _log.warning("channel %d: a caller ID could not be read: %s", message.channel, error)
        if self._progress is not None and self._up.size:
            for burst in self._progress.process(linear, sample, self._up):
                lesson = self._lessons.get(burst.channel)
                if lesson is not None:
                    tone = lesson.heard(burst)
                    heard += [(burst.channel, HeardLesson(tone))] if tone is not None else []
                elif self._counts[burst.channel].heard(burst):
                    heard.append((burst.channel, HeardProgress("busy_tone")))
                elif burst.channel in self._dial_counts and self._dial_counts[burst.channel].heard(burst):
                    heard.append((burst.channel, HeardProgress("dial_tone")))
            self._progress.spoken_to(self._up, decode(sent[self._up]))
            left = self._progress.silent(self._up) >= self._silence_limit[self._up]
            heard += [(channel, HeardProgress("silence")) for channel in self._up[left].tolist()]
            dialled = self._progress.sounding(self._up) >= self._tone_limit[self._up]
            heard += [(channel, HeardProgress("dial_tone")) for channel in self._up[dialled].tolist()]
        return heard
