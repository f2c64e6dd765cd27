"""Which digits count as a party's, and as what. Finding tones is firmware/tones; meaning is the callserver's."""

from __future__ import annotations

from boards.signals import Digit
from firmware.core.clock import Stamp
from firmware.lines.exchange_line import ExchangeLine
from firmware.lines.extension import ExtensionState
from firmware.lines.kinds import AnyLine
from firmware.lines.messages import DigitReceived
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.states import R2State
from firmware.lines.trunk import TrunkLine, TrunkState
from firmware.tones.dtmf import DetectedDigit

DIGITS = frozenset("0123456789*#ABCD")


def signalled_digit(line: AnyLine, signal: Digit, sample: int, began: int, now: Stamp) -> DigitReceived | None:
    """A digit that came as a signal just now; None if there is no party or no such digit. `began`: sample of the leg's
    beginning, before which no digit of it can lie."""
    if signal.digit not in DIGITS or not line.leg or line.leg_state() == "releasing":
        return None
    duration = max(0, signal.duration_ms) * 8
    return DigitReceived(
        number=0,
        leg=line.leg,
        sample=0,
        at=now,
        digit=signal.digit,
        source="events" if isinstance(line, TrunkLine) else "pulse",
        start=max(began, sample - duration),
        duration=duration,
    )


def inband_digit(line: AnyLine, found: DetectedDigit, now: Stamp) -> DigitReceived | None:
    """A digit that was heard on the line. Tones count on extensions and on calls that say that digits come as tones;
    elsewhere they would count twice."""
    if isinstance(line, TrunkLine):
        listening = line.digits == "inband" and line.state not in (TrunkState.IDLE, TrunkState.RELEASING)
    elif isinstance(line, R2Line):
        listening = line.state is R2State.UP
    elif isinstance(line, ExchangeLine):
        listening = line.talking
    else:
        listening = line.state is ExtensionState.UP
    if not listening:
        return None
    return DigitReceived(
        number=0,
        leg=line.leg,
        sample=0,
        at=now,
        digit=found.digit,
        source="inband",
        start=found.start,
        duration=found.duration,
        level_dbm0=round(float(found.level_dbm0), 1),
    )
