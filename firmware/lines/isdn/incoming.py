"""Calls that come in: their channel, their digits, CALL PROCEEDING, and Setup to the gateway. Their end is in
clearing.py.
"""

from __future__ import annotations

from collections.abc import Collection

from boards.signals import Cause, Digit, Setup
from drivers import pri_stack as stack
from firmware.lines.isdn import causes as q850
from firmware.lines.isdn.causes import Q850_OF_CAUSE
from firmware.lines.isdn.channel_bank import ChannelBank
from firmware.lines.isdn.clearing import Clearing
from firmware.lines.isdn.effects import Effect
from firmware.lines.isdn.line import Phase, PriLine
from firmware.lines.isdn.restarts import ChannelRestarts
from firmware.lines.isdn.timers import ATTEND_US, T302_US


class IncomingCalls:
    """Of a span. `now_us` is monotonic time throughout."""

    def __init__(
        self,
        bank: ChannelBank,
        clearing: Clearing,
        restarts: ChannelRestarts,
        network: bool,
        overlap: bool,
        numbers: Collection[str],
    ) -> None:
        """`numbers`: called numbers that are whole without a Sending Complete."""
        self._bank = bank
        self._clearing = clearing
        self._restarts = restarts
        self._network = network
        self._overlap = overlap
        self.numbers = frozenset(numbers)

    def begin(self, event: stack.Incoming, is_attached: bool, now_us: int) -> list[Effect]:
        """SETUP came. `is_attached`: there is a gateway."""
        if not is_attached:
            return self._clearing.refuse(event.call, Q850_OF_CAUSE[Cause.RESTART], now_us)
        if not event.is_voice:
            return self._clearing.refuse(event.call, q850.BEARER_NOT_IMPLEMENTED, now_us)
        line, effects, cause = self._choose(event, now_us)
        if line is None:
            return effects + self._clearing.refuse(event.call, cause, now_us)
        self._bank.take(line, event.call, Phase.COLLECTING)
        line.incoming, line.digits = event, event.called
        if self._overlap and not event.complete and not self._is_whole(line.digits):
            line.timers["T302"] = now_us + T302_US
            return [*effects, stack.AskForDigits(event.call, line.slot)]
        return effects + self._offer(line, now_us)

    def _choose(self, event: stack.Incoming, now_us: int) -> tuple[PriLine | None, list[Effect], int]:
        """The channel of a call that comes in, what to do with the call that has it now, and why there is none."""
        wanted = self._bank.at_slot(event.slot)
        may_move = event.slot is None or not event.exclusive
        if wanted is not None and not (may_move and self._restarts.is_under_way(wanted.slot)):
            if wanted.phase is Phase.CLEARING and wanted.call is not None and not wanted.blocked:
                # The far end has the channel free: for it the old call is over.
                return wanted, [stack.Forget(self._bank.let_go(wanted))], 0
            if wanted.is_free:
                # Also if our RESTART is under way, which the call has crossed: a far end that keeps the call goes on
                # with it here, and one that has dropped it (Q.931 5.5.2) says so to our answer (5.8.3.2, cause 81).
                return wanted, [], 0
        has_crossed = wanted is not None and wanted.phase is Phase.PLACED and not wanted.confirmed
        if wanted is not None and has_crossed:
            wanted.contested = True
        if may_move:
            # Never in the way of our own RESTART, which would end the call at a far end that has it there already.
            return self._bank.any_free(self._restarts.is_under_way), [], q850.NO_CHANNEL
        if wanted is None:
            return None, [], q850.CHANNEL_DOES_NOT_EXIST
        effects: list[Effect] = []
        if has_crossed and not self._network and wanted.call is not None:
            # Both seized the channel: the network's call goes through (Q.931 5.7).
            effects = self._clearing.refuse(self._bank.let_go(wanted), q850.CHANNEL_NOT_AVAILABLE, now_us)
            return wanted, [*effects, self._clearing.tell_release(wanted, Cause.CONGESTION, now_us)], 0
        if not has_crossed and wanted.call is not None:
            # The far end has the channel free, it seems: whether it still knows the call that we have there, is asked.
            self._bank.protocol_errors += 1
            effects = [stack.Probe(wanted.call)]
        return None, effects, q850.CHANNEL_NOT_AVAILABLE

    def _is_whole(self, digits: str) -> bool:
        return digits in self.numbers and not any(
            number.startswith(digits) and number != digits for number in self.numbers
        )

    def more_digits(self, event: stack.MoreDigits, now_us: int) -> list[Effect]:
        """Of the called number, or keys pressed while the call is up."""
        line = self._bank.of_call(event.call)
        if line is None:
            return []
        if line.phase is Phase.UP:
            return [Digit(line.channel, digit) for digit in event.digits]
        if line.phase is not Phase.COLLECTING:
            return []
        line.digits += event.digits
        line.timers["T302"] = now_us + T302_US
        return self._offer(line, now_us) if event.complete or self._is_whole(line.digits) else []

    def digits_end(self, line: PriLine, now_us: int) -> list[Effect]:
        """T302 has run out: what has come counts as whole."""
        if line.digits:
            return self._offer(line, now_us)
        return self._clearing.clear(line, q850.INVALID_NUMBER, now_us)

    def _offer(self, line: PriLine, now_us: int) -> list[Effect]:
        """The number is whole: CALL PROCEEDING, and Setup to the gateway as soon as that has the channel free."""
        incoming, call = line.incoming, line.call
        assert incoming is not None
        assert call is not None
        line.timers.pop("T302", None)
        line.phase = Phase.WAITING
        line.setup = Setup(
            channel=line.channel,
            called=line.digits,
            called_type=incoming.called_type,
            called_plan=incoming.called_plan,
            calling=incoming.calling,
            calling_type=incoming.calling_type,
            calling_plan=incoming.calling_plan,
            calling_name=incoming.calling_name,
            presentation=incoming.presentation,
        )
        return [stack.Proceed(call, line.slot), *self.offer_waiting(line, now_us)]

    def offer_waiting(self, line: PriLine, now_us: int) -> list[Effect]:
        """Setup, if one waits and the gateway has let go of the call before."""
        if line.phase is not Phase.WAITING or line.setup is None or line.has_gateway:
            return []
        setup, line.setup = line.setup, None
        line.phase = Phase.OFFERED
        line.has_gateway = True
        line.timers["attend"] = now_us + ATTEND_US
        return [setup]
