"""How long the texts of CTI requests may be, and what is wrong with one. The requests themselves are messages.py."""

from __future__ import annotations

from firmware.calls.messages import Request
from firmware.core.faults import Fault

LONGEST_TEXT = 64
"""Characters in the longest name or reason of a request; `schemas.Name` allows as many."""
LONGEST_SENTENCE = 400
"""Of what an error said (an argument of a fault), and of a fault's place."""
MOST_ARGUMENTS = 8


def unreasonable(request: Request) -> str:
    """What is wrong with the texts of a request, for a person: too long, or with control characters. Empty: nothing.

    They are kept in the records for ever and shown to everybody.
    """
    for where in (request, request.body):
        for name in where.__struct_fields__:
            value = getattr(where, name)
            for one in value if isinstance(value, tuple) else (value,):
                wrong = _wrong_fault(one) if isinstance(one, Fault) else _wrong_text(name, one, LONGEST_TEXT)
                if wrong:
                    return wrong
    return ""


def _wrong_fault(fault: Fault) -> str:
    if len(fault.arguments) > MOST_ARGUMENTS or any(len(name) > LONGEST_TEXT for name, _ in fault.arguments):
        return f"arguments: at most {MOST_ARGUMENTS} of short names are expected"
    texts = [("code", fault.code, LONGEST_TEXT), ("place", fault.place, LONGEST_SENTENCE)]
    texts += [(name, value, LONGEST_SENTENCE) for name, value in fault.arguments]
    return next(filter(None, (_wrong_text(*one) for one in texts)), "")


def _wrong_text(name: str, text: object, most: int) -> str:
    if not isinstance(text, str) or (len(text) <= most and not any(ord(one) < 32 or one == "\x7f" for one in text)):
        return ""
    return f"{name}: at most {most} characters are expected, and no control characters"
