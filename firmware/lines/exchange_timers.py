"""Times of an analogue trunk (FXO), and of what is dialled there. Data only; what they end is in exchange_line.py."""

from __future__ import annotations

from firmware.core.clock import MICROSECONDS

RINGS_OVER_US = 6_000_000
"""After a ring without another one the caller has given up (the cadence pauses for 4 s, GB/T 3380)."""
LONGEST_RING_US = 10_000_000
"""A ring whose end is not told is over by then."""
DIGITS_HOLD_US = 8 * MICROSECONDS
"""A caller ID by digits belongs to the ring that follows within this time."""
SETTLE_US = 1 * MICROSECONDS
"""After the loop was closed the exchange may turn the polarity and break the loop without meaning an end."""
DIGIT_MS = 160
"""A digit that we dial and the pause after it, half each."""
AFTER_DIALLING_US = 300_000
NOT_BUSY_US = 8 * MICROSECONDS
"""Where nothing tells the answer: if neither busy tone nor ringback tone was heard so long after dialling (the exchange
takes up to 5 s to connect, three cycles take 2 s), the call counts as answered. Speech passes all the while."""
RINGBACK_OVER_US = 6 * MICROSECONDS
"""And if it rang: when the next burst of ringback tone (4 s, then 1 s; GB/T 3380) has not come by then."""
TONE_AGO_US, TONE_HELD_US = 1_500_000, 2_500_000
"""If a tone sounded so shortly before the call would count as answered, it is waited for what it turns out to be."""
GUARD_US = 1_500_000
"""So long the loop stays open after a call: the exchange needs it to see the end (the driver tells on-hook after
1.25 s)."""
ENOUGH_CYCLES = 10
"""Bursts after which a busy tone is learnt without waiting for more."""
