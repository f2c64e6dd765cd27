"""Loop tests of E1 boards, asked for by administrators: handed to the gateway, and told when they are over.

The test itself is the gateway's (`firmware/lines/loop_tests.py`), which knows best whether it can be.
"""

from __future__ import annotations

from boards.signals import ChannelKind
from firmware.calls.messages import EndLoopTest, EventName, LoopTest
from firmware.contacts.agents import Refused
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.loop_messages import BeginLoopTest, LoopOutcome, StopLoopTest
from firmware.lines.messages import LoopTested

TRUNKS = (ChannelKind.TRUNK, ChannelKind.CAS)
RESTING = ("idle", "blocked", "testing", "out_of_service")
"""States of a channel without a call."""

LOST_SECONDS = 30


class LoopTests:
    """From the wish to the result."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger
        self._running: dict[str, tuple[BeginLoopTest, int]] = {}
        """By board: the test, and when it is over at the latest if its order was lost on the way. A callserver that
        comes anew has none: the gateway ended it when the one before went."""

    def begin(self, body: LoopTest, now: Stamp) -> None:
        """Have the gateway test. Raises Refused."""
        channels = [one for one in self._office.channels.values() if one.board == body.board]
        if not channels:
            raise Refused("unknown_board")
        if any(one.kind in TRUNKS and one.state not in RESTING for one in channels):
            raise Refused("calls_on_board")
        running = self._running.get(body.board)
        if running is not None and now.mono_us < running[1]:
            raise Refused("loop_test_running")
        request = f"loop/{body.board}/{now.mono_us}"
        order = BeginLoopTest(request=request, board=body.board, way=body.way, seconds=body.seconds)
        self._running[body.board] = order, now.mono_us + round((body.seconds + LOST_SECONDS) * MICROSECONDS)
        self._ledger.effects.orders.append(order)

    def stop(self, body: EndLoopTest) -> None:
        """Have the gateway end the test of a board. Raises Refused."""
        if all(one.board != body.board for one in self._office.channels.values()):
            raise Refused("unknown_board")
        if body.board not in self._running:
            raise Refused("no_loop_test")
        self._ledger.effects.orders.append(StopLoopTest(body.board))

    def ended(self, event: LoopTested) -> None:
        """The gateway has tested, or could not."""
        self._running.pop(event.outcome.board, None)
        self._tell(event.outcome, event.at)

    def lost(self, now: Stamp) -> None:
        """The gateway has started anew, and knows of no test."""
        for order, _ in self._running.values():
            self._tell(LoopOutcome(board=order.board, way=order.way, seconds=0, reason="gateway_gone"), now)
        self._running.clear()

    def _tell(self, outcome: LoopOutcome, at: Stamp) -> None:
        self._ledger.audit(at, "linebox", "LoopTest", outcome.board, outcome.reason or "tested")
        self._ledger.emit(EventName.LOOP_TESTED, at, loop_test=outcome, reason=outcome.reason)
