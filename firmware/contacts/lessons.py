"""Busy tones that are learnt for analogue trunks: asked for, measured by the gateway, stored and told.

The file is written by the process (`firmware/box/callserver/lessons.py`), which says by `CallServer.tone_stored` how
that went.
"""

from __future__ import annotations

from boards.signals import ChannelKind
from firmware.calls.messages import EventName, LearnLine
from firmware.contacts.agents import Refused
from firmware.contacts.effects import ToneToStore
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.lines.line_commands import LearnTone
from firmware.lines.line_settings import line_settings, with_line_learnt
from firmware.lines.messages import LearnFailed, ToneLearnt
from firmware.tones.cadence import LearnedTone


class Lessons:
    """From the wish to learn a line's busy tone to its being in force."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger

    def begin(self, body: LearnLine, now: Stamp) -> None:
        """Have the gateway listen. Raises Refused."""
        places = [one for one in self._office.channels.values() if one.kind is ChannelKind.EXCHANGE_LINE]
        place = next((one for one in places if one.label == body.line), None)
        if place is None:
            raise Refused("unknown_line")
        if place.state != "idle":
            raise Refused("line_busy")
        request = f"lesson/{body.line}/{now.mono_us}"
        order = LearnTone(request=request, channel=place.channel, called=body.number, seconds=body.seconds)
        self._ledger.effects.orders.append(order)

    def ended(self, event: ToneLearnt | LearnFailed) -> None:
        """The gateway has measured, or could not."""
        place = self._office.channels.get(event.channel)
        line = place.label if place is not None else event.request.split("/")[1]
        if isinstance(event, ToneLearnt):
            self._ledger.effects.tones.append(ToneToStore(line, event.tone))
        else:
            self._ledger.emit(EventName.LINE_LEARNT, event.at, line=line, reason=event.reason)

    def stored(self, line: str, tone: LearnedTone, problem: str, now: Stamp) -> None:
        """The tone is in the configuration files, or not (`problem`). In force it is in any case: better for a while
        than not at all."""
        changed = with_line_learnt(self._office.configuration, line, tone)
        self._office.configure(changed)
        self._ledger.effects.orders.append(line_settings(changed))
        self._ledger.audit(now, "linebox", "LearnLine", line, problem or "stored")
        self._ledger.emit(EventName.LINE_LEARNT, now, line=line, tone=tone, reason=problem)
