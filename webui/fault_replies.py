"""A fault of a board, line, display or recording as REST and the pages tell it: its code, and the reader's words."""

from __future__ import annotations

import msgspec

from firmware.core.faults import Fault
from webui.words import Words


class FaultReply(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a board or a part of it, with a display, or with a recording. `what` and `remedy` are for a
    person, in the language that the request accepts; `code` and `arguments` are what they are made of."""

    code: str
    arguments: dict[str, str]
    place: str
    """Channel labels, the driver's span, or a device; empty: all of the board, or what it is a fault of."""
    what: str
    remedy: str


def fault_reply(fault: Fault, words: Words) -> FaultReply:
    what, remedy = words.fault(fault)
    return FaultReply(code=fault.code, arguments=dict(fault.arguments), place=fault.place, what=what, remedy=remedy)
