"""What is heard on analogue trunks: while they ring, who calls; while they are up, the exchange's tones, and silence.

Only the trunks that ring or are up cost anything. What follows from it is the line's business (exchange_line.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.core.line_schemas import ExchangeLineSettings
from firmware.lines.exchange_states import HeardCaller, HeardLesson, HeardProgress, Progress
from firmware.lines.line import Listening
from firmware.media.codec import BLOCK, SAMPLE_RATE, Alaw, Linear, decode
from firmware.media.plane import NEVER
from firmware.tones.answer import AnswerDetector
from firmware.tones.cadence import BurstSequence, Cadence, ToneBurst
from firmware.tones.call_progress import CadenceCount, CallProgressDetector, ToneLesson, cadence_of, sequence_of
from firmware.tones.caller_id import read_message
from firmware.tones.fsk import FskDetector
from firmware.tones.plan import load_plan
from firmware.tones.signals import SignalDetector

DIAL_TONE = SAMPLE_RATE * 4 // 5
"""Samples of a tone without a break that are dial tone where it is awaited: more than a burst of congestion tone."""
SOME_TONE = SAMPLE_RATE // 5
"""A tone that has sounded for so long is one of the exchange's, whichever: longer than most of speech that is like one.
Of vacant-number tone the long burst is."""
LONGEST_TONE = 3 * SAMPLE_RATE
"""And where it is not: the far end has hung up and the exchange awaits digits."""

HeardOnLine = HeardCaller | HeardLesson | HeardProgress

_Counts = dict[Progress, CadenceCount]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CountryTones:
    """The tones of a country's plan that say something of a call."""

    busy: tuple[Cadence, ...] = ()
    congestion: tuple[Cadence, ...] = ()
    vacant: tuple[BurstSequence, ...] = ()
    """The number is not in use."""
    broken_dial: tuple[Cadence, ...] = ()
    """Services of the exchange (forwarding, messages) are on."""
    ringback: tuple[BurstSequence, ...] = ()


def country_tones() -> CountryTones:
    """Those of the plan. Raises PlanError."""
    tones = load_plan().tones

    def cadences(name: str) -> tuple[Cadence, ...]:
        cadence = cadence_of(tones[name]) if name in tones else None
        return (cadence,) if cadence is not None else ()

    vacant = sequence_of(tones["vacant"]) if "vacant" in tones else None
    return CountryTones(
        busy=cadences("busy"),
        congestion=cadences("congestion"),
        vacant=(vacant,) if vacant is not None else (),
        broken_dial=cadences("special_dial"),
        ringback=tuple(BurstSequence((one,), least=1) for one in cadences("ringback")),
    )


class ExchangeEar:
    """The ears of a fixed number of channels. Their arrays are made when the first analogue trunk listens."""

    def __init__(self, channels: int, tones: CountryTones) -> None:
        """`tones`: those of the country, for all lines."""
        self._channels = channels
        self._tones = tones
        self._fsk: FskDetector | None = None
        self._progress: CallProgressDetector | None = None
        self._ringing: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._up: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._signals: SignalDetector | None = None
        self._calling: set[int] = set()
        """Channels whose call out has not been answered: special information tone matters. It costs nothing else."""
        self._answers: AnswerDetector | None = None
        self._rung: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        """Those of them on which the far phone rang: speech means that somebody has lifted it."""
        self._counts: dict[int, _Counts] = {}
        self._lessons: dict[int, ToneLesson] = {}
        self._silence_limit: NDArray[np.int64] = np.full(channels, NEVER, dtype=np.int64)
        """Samples of silence after which a channel counts as left."""
        self._tone_limit: NDArray[np.int64] = np.full(channels, NEVER, dtype=np.int64)

    @property
    def awaited(self) -> bool:
        """True while audio matters that nobody may be there to hear: who calls, a tone to learn."""
        return bool(self._ringing.size or self._lessons)

    def listen(self, channel: int, listening: Listening, settings: ExchangeLineSettings) -> None:
        """From now on listen on the channel for who calls, dial tone, how the call fares, its end, or nothing."""
        self._rung = self._rung[self._rung != channel]
        if listening == "end" and channel in self._calling:
            self._calling.remove(channel)
            return  # the call counts as answered; what has been heard of a tone still counts
        self._calling.discard(channel)
        self._ringing = self._ringing[self._ringing != channel]
        self._up = self._up[self._up != channel]
        self._counts.pop(channel, None)
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
            self._counts[channel] = self._counts_for(listening, settings)
            if listening == "answer":
                self._signals = self._signals or SignalDetector(self._channels)
                self._signals.reset(channel)
                self._calling.add(channel)
            self._tone_limit[channel] = DIAL_TONE if listening == "dial_tone" else LONGEST_TONE
            limit = round(settings.silence_seconds * SAMPLE_RATE)
            self._silence_limit[channel] = limit or NEVER

    def _counts_for(self, listening: Listening, settings: ExchangeLineSettings) -> _Counts:
        """The tones that are followed; of two that a burst may be the first counts."""
        tones = self._tones if settings.country_tones else CountryTones()
        learnt = [Cadence(tone.hz, tone.on_ms, tone.off_ms) for tone in settings.busy_tones]
        is_answer = listening == "answer"
        busy = [*learnt, *tones.busy, *(() if is_answer else tones.congestion)]
        counts: _Counts = {
            "busy_tone": CadenceCount(busy, regular=settings.any_regular_tone),
            "vacant_tone": CadenceCount(tones.vacant, regular=False),
        }
        if listening == "dial_tone":
            counts["dial_tone"] = CadenceCount(self._tones.broken_dial, regular=False)
        elif is_answer:
            counts["congestion_tone"] = CadenceCount(tones.congestion, regular=False)
            counts["ringback"] = CadenceCount(tones.ringback, regular=False)
        return counts

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
                heard += self._heard(burst)
            self._progress.spoken_to(self._up, decode(sent[self._up]))
            left = self._progress.silent(self._up) >= self._silence_limit[self._up]
            heard += [(channel, HeardProgress("silence")) for channel in self._up[left].tolist()]
            sounding = self._progress.sounding(self._up)
            some = self._up[(sounding >= SOME_TONE) & (sounding < SOME_TONE + BLOCK)]  # each tone once
            heard += [(channel, HeardProgress("some_tone")) for channel in some.tolist() if channel in self._calling]
            dialled = sounding >= self._tone_limit[self._up]
            heard += [(channel, HeardProgress("dial_tone")) for channel in self._up[dialled].tolist()]
        if self._signals is not None and self._calling:
            for signal in self._signals.process(linear, sample):
                if signal.kind == "sit" and signal.channel in self._calling:
                    heard.append((signal.channel, HeardProgress("vacant_tone")))
        if self._progress is not None and self._answers is not None and self._rung.size:
            is_tone = self._progress.sounding(self._rung) > 0
            speaks = self._answers.process(linear, sent, is_tone, self._rung)
            heard += [(channel, HeardProgress("speech")) for channel in speaks.tolist()]
        return heard

    def _heard(self, burst: ToneBurst) -> list[tuple[int, HeardOnLine]]:
        """What has been heard with this burst, if it is the last one that it took."""
        lesson = self._lessons.get(burst.channel)
        if lesson is not None:
            tone = lesson.heard(burst)
            return [(burst.channel, HeardLesson(tone))] if tone is not None else []
        said = [what for what, count in self._counts[burst.channel].items() if count.heard(burst)]
        if "ringback" in said and burst.channel in self._calling and burst.channel not in self._rung:
            self._answers = self._answers or AnswerDetector(self._channels)
            self._answers.reset(burst.channel)
            self._rung = np.append(self._rung, burst.channel)
        return [(burst.channel, HeardProgress(said[0]))] if said else []
