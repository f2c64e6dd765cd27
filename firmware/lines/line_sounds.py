"""What the gateway itself lets a line hear: dial tone, busy tone, howler, caller ID, dialled digits.

What a leg hears by command is `hearing.py`.
"""

from __future__ import annotations

import logging

import numpy as np

from firmware.lines.exchange_timers import DIGIT_MS
from firmware.lines.line import BusyTone, DialTone, DialTones, Howler, PhoneData, RingbackTone, StopSound
from firmware.media import codec
from firmware.media.codec import Alaw
from firmware.media.plane import MediaPlane
from firmware.tones import fsk
from firmware.tones.generate import dtmf, pause

_log = logging.getLogger(__name__)


class LineSounds:
    """The effects of line machines that are sounds."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane

    def perform(
        self, channel: int, effect: BusyTone | DialTone | RingbackTone | Howler | PhoneData | DialTones | StopSound
    ) -> None:
        """From the next tick on the channel hears it instead of anything else."""
        match effect:
            case BusyTone():
                self._plane.play(channel, ("tone:busy",), True)
            case DialTone():
                self._plane.play(channel, (f"tone:{effect.tone}",), True)
            case RingbackTone():
                self._plane.play(channel, ("tone:ringback",), True)
            case Howler():
                self._plane.play(channel, ("tone:howler",), True)
            case PhoneData():
                if not self._plane.play_samples(channel, codec.encode(fsk.modulate(effect.message))):
                    _log.warning("no room for the caller ID on channel %d: its phone shows nothing", channel)
            case DialTones():
                if not self._plane.play_samples(channel, _dialled(effect.digits)):
                    _log.warning("the number for channel %d is empty or too long to be dialled", channel)
            case StopSound():
                self._plane.stop_play(channel)


def _dialled(digits: str) -> Alaw:
    parts = [part for digit in digits for part in (dtmf(digit, DIGIT_MS / 2), pause(DIGIT_MS / 2))]
    return np.concatenate(parts) if parts else pause(0)
