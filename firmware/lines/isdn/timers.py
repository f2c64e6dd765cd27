"""Timers of ISDN lines, in microseconds: those of Q.931 that libpri leaves to its user, and our own. Data only."""

from __future__ import annotations

from firmware.core.clock import MICROSECONDS

# Q.931 table 9-2, user side, unless it says otherwise.
T302_US = 15 * MICROSECONDS
"""After this long without a digit the number counts as whole."""
T304_US = 30 * MICROSECONDS
T310_US = 120 * MICROSECONDS
"""30 to 120 s from CALL PROCEEDING to ALERTING."""
T301_US = 180 * MICROSECONDS
"""At least 3 minutes from ALERTING to CONNECT."""
GONE_US = 45 * MICROSECONDS
"""A call that is being cleared must be forgotten by then: T305 (30 s) and T308 (4 s) twice, and some. Ours."""
RELEASE_US = 5 * MICROSECONDS
"""How long the gateway may take to confirm a Release: a second more than its own line machine waits. Ours."""
ATTEND_US = 5 * MICROSECONDS
"""A gateway says Proceeding at once. One that has not by then hangs. Ours."""
AUDIT_US = 600 * MICROSECONDS
"""How often the far end is asked whether it still knows a call that is up. Ours."""
RESTART_US = 10 * MICROSECONDS
"""How long a restart of a channel may take before the next is begun; the answer may still come. Ours."""
SETTLE_US = MICROSECONDS // 4
"""How long after layer 2 has come up no channel is restarted: thirty SETUPs of 50 octets take 0.19 s at 64 kbit/s.
Ours."""
DISAGREED_US = 600 * MICROSECONDS
"""How soon a channel is restarted again because the far end still does not have it free: it may keep it for itself,
under maintenance. Ours."""
