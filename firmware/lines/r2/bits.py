"""The line bits of an R2 channel: shown long enough to be recognised, believed once they last. Not their meaning.

Source: Q.421, Q.422. Timers `recognition` and `shortest_signal` of the plan.
"""

from __future__ import annotations

import msgspec

from boards.signals import Bits
from firmware.core.clock import Stamp
from firmware.lines.line import Effect, Line, Send
from firmware.lines.r2.plan import R2Plan

AB = 0b1100
"""The bits that signal; c and d never change, and some boards garble them."""


class BitLine(Line, kw_only=True):
    """The part of an R2 line that shows and hears bits. All are four bits "abcd", a in the highest place."""

    plan: R2Plan
    heard_bits: int = -1
    """What the far end shows, a and b; -1: not known since the board started."""
    unsure_bits: int = -1
    """What it has shown for less than the recognition time."""
    sent_bits: int = -1
    bits_to_send: list[int] = msgspec.field(default_factory=list)
    """What is still to be shown, in this order."""

    def recognised(self, now: Stamp) -> list[Effect]:
        """What the far end shows has lasted long enough: `unsure_bits` count from now on."""
        raise NotImplementedError

    def ab(self, signal: str) -> int:
        """Bits a and b of a signal of the plan."""
        return self.plan.line_signal(signal) & AB

    def far_is(self, signal: str) -> bool:
        """True if the far end shows this signal."""
        return self.heard_bits == self.ab(signal)

    def send_bits(self, signal: str, now: Stamp) -> list[Effect]:
        """Show a signal; when the last has been shown long enough to be recognised."""
        bits = self.plan.line_signal(signal)
        if bits == (self.bits_to_send[-1] if self.bits_to_send else self.sent_bits):
            return []
        self.bits_to_send.append(bits)
        return [] if "shortest_signal" in self.timers else self.next_bits(now)

    def next_bits(self, now: Stamp) -> list[Effect]:
        """The signal that is shown has lasted long enough."""
        if not self.bits_to_send:
            return []
        self.sent_bits = self.bits_to_send.pop(0)
        self.start_timer("shortest_signal", self.plan.microseconds("shortest_signal"), now)
        return [Send(Bits(self.channel, self.sent_bits))]

    def forget_bits(self) -> None:
        """The board is not there: nothing is shown."""
        self.sent_bits = -1
        self.bits_to_send.clear()
        self.stop_timer("shortest_signal")

    def hear_bits(self, bits: int, now: Stamp) -> list[Effect]:
        """The far end shows these bits, a and b, from now on."""
        self.unsure_bits = bits
        if not self.in_service or self.alarmed:
            return []
        self.stop_timer("recognition")
        if bits == self.heard_bits:
            return []
        wait = self.plan.microseconds("recognition")
        if not wait:
            return self.recognised(now)
        self.start_timer("recognition", wait, now)
        return []
