"""Causes of ISDN (Q.850) to the box's words and back. Data and one look-up; not for SIP, which has statuses."""

from __future__ import annotations

from boards.signals import Cause

CHANNEL_UNACCEPTABLE = 6
INVALID_NUMBER = 28
NO_CHANNEL = 34
TEMPORARY_FAILURE = 41
CHANNEL_NOT_AVAILABLE = 44
BEARER_NOT_IMPLEMENTED = 65
CHANNEL_DOES_NOT_EXIST = 82
TIMER_EXPIRY = 102

Q850_OF_CAUSE: dict[Cause, int] = {
    Cause.NORMAL: 16,
    Cause.BUSY: 17,
    Cause.NO_ANSWER: 19,
    Cause.REJECTED: 21,
    Cause.UNALLOCATED: 1,
    Cause.CONGESTION: NO_CHANNEL,
    Cause.FAILURE: 38,
    Cause.RESTART: TEMPORARY_FAILURE,
}

_CAUSE_OF_Q850: dict[int, Cause] = {
    1: Cause.UNALLOCATED,
    2: Cause.UNALLOCATED,  # no route to the transit network
    3: Cause.UNALLOCATED,  # no route to the destination
    4: Cause.UNALLOCATED,  # send special information tone: not to be reached, and not for long
    5: Cause.UNALLOCATED,  # misdialled trunk prefix
    CHANNEL_UNACCEPTABLE: Cause.CONGESTION,
    17: Cause.BUSY,
    18: Cause.NO_ANSWER,  # no user responding
    19: Cause.NO_ANSWER,
    20: Cause.NO_ANSWER,  # subscriber absent
    21: Cause.REJECTED,
    22: Cause.UNALLOCATED,  # number changed
    25: Cause.FAILURE,  # exchange routing error: another trunk may have a way
    27: Cause.FAILURE,  # destination out of order; also libpri's word for layer 2 lost
    INVALID_NUMBER: Cause.UNALLOCATED,
    29: Cause.REJECTED,  # facility rejected
    38: Cause.FAILURE,
    TEMPORARY_FAILURE: Cause.FAILURE,
    58: Cause.CONGESTION,  # bearer capability not presently available
    88: Cause.REJECTED,  # incompatible destination: so it is by any trunk
}
_CAUSE_OF_CLASS = {
    0: Cause.NORMAL,  # normal event
    1: Cause.NORMAL,
    2: Cause.CONGESTION,  # resource unavailable
    3: Cause.REJECTED,  # service or option not available
    4: Cause.REJECTED,  # service or option not implemented
    5: Cause.FAILURE,  # invalid message
    6: Cause.FAILURE,  # protocol error
    7: Cause.FAILURE,  # interworking
}


def cause_of_q850(number: int) -> Cause:
    """The word for a cause number; one that is not known counts as its class (Q.850, 2.1). 0, none given: NORMAL."""
    return _CAUSE_OF_Q850.get(number) or _CAUSE_OF_CLASS[number >> 4 & 7]
