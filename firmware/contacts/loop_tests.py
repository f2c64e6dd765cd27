"""Loop tests of E1 boards, asked for by administrators: handed to the gateway, and told when they are over.

The test itself is the gateway's (`firmware/lines/loop_tests.py`), which knows best whether it can be.
"""

from __future__ import annotations

from boards.signals import ChannelKind
from firmware.calls.messages import EventName, LoopTest
from firmware.contacts.agents import Refused
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.lines.loop_messages import BeginLoopTest
from firmware.lines.messages import LoopTested

TRUNKS = (ChannelKind.TRUNK, ChannelKind.CAS)
RESTING = ("idle", "blocked", "testing", "out_of_service")
"""States of a channel without a call."""


class LoopTests:
    """From the wish to the result."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger

    def begin(self, body: LoopTest, now: Stamp) -> None:
        """Have the gateway test. Raises Refused."""
        channels = [one for one in self._office.channels.values() if one.board == body.board]
        if not channels:
            raise Refused("unknown_board")
        if any(one.kind in TRUNKS and one.state not in RESTING for one in channels):
            raise Refused("calls_on_board")
        request = f"loop/{body.board}/{now.mono_us}"
        order = BeginLoopTest(request=request, board=body.board, way=body.way, seconds=body.seconds)
        self._ledger.effects.orders.append(order)

    def ended(self, event: LoopTested) -> None:
        """The gateway has tested, or could not."""
        outcome = event.outcome
        self._ledger.audit(event.at, "linebox", "LoopTest", outcome.board, outcome.reason or "tested")
        self._ledger.emit(EventName.LOOP_TESTED, event.at, loop_test=outcome, reason=outcome.reason)
