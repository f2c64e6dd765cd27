"""What the gateway lets a line hear without a word of the callserver: busy, ringback and howler tone, caller ID.

What a leg hears by command is `hearing.py`.
"""

from __future__ import annotations

import logging

from firmware.lines.line import BusyTone, Howler, PhoneData, RingbackTone, StopSound
from firmware.media import codec
from firmware.media.plane import MediaPlane
from firmware.tones import fsk

_log = logging.getLogger(__name__)


class LineSounds:
    """The effects of line machines that are sounds."""

    def __init__(self, plane: MediaPlane) -> None:
        self._plane = plane

    def perform(self, channel: int, effect: BusyTone | RingbackTone | Howler | PhoneData | StopSound) -> None:
        """From the next tick on the channel hears it instead of anything else."""
        match effect:
            case BusyTone():
                self._plane.play(channel, ("tone:busy",), True)
            case RingbackTone():
                self._plane.play(channel, ("tone:ringback",), True)
            case Howler():
                self._plane.play(channel, ("tone:howler",), True)
            case PhoneData():
                if not self._plane.play_samples(channel, codec.encode(fsk.modulate(effect.message))):
                    _log.warning("no room for the caller ID on channel %d: its phone shows nothing", channel)
            case StopSound():
                self._plane.stop_play(channel)
