"""A fault of a board, port, span or recording as it travels: a code and arguments; words are made where it is shown.

The words of each code stand in `fault_texts.py`: English for the command line and the logs; the pages translate them.
Not for wrong configuration (`configuration_problems.py`) or for what a request may not do (`webui/problems.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from firmware.core.fault_texts import FAULT_TEXTS, FaultText

Arguments = tuple[tuple[str, str], ...]
"""(name, value) of what the texts of a code put in. What the operating system or a chip said comes as it was said."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong. `code` is a key of FAULT_TEXTS, or one of another version that this one has no words for."""

    code: str
    arguments: Arguments = ()
    place: str = ""
    """Where on its board: channel labels, the driver's span, a device. Empty: all of the board."""

    def at(self, place: str) -> Fault:
        """The same fault with its place."""
        return Fault(self.code, self.arguments, place)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What it is and where. Two of one identity are one fault, told once, though the words differ each time (a
        number, what a chip or the system said); the newest are shown. What was said in words of its finder's own is
        told apart by these, without their numbers."""
        said = re.sub(r"0x[0-9a-fA-F]+|\d+", "#", self.what) if self.code == "said" else ""
        return self.code, self.place, said

    @property
    def text(self) -> FaultText:
        """The English words with their {places}; the bare code if there are none."""
        return FAULT_TEXTS.get(self.code) or FaultText(self.code, "")

    @property
    def what(self) -> str:
        return put_in(self.text.what, self.arguments)

    @property
    def remedy(self) -> str:
        """What a person can do."""
        return put_in(self.text.remedy, self.arguments)


def fault(code: str, **arguments: object) -> Fault:
    """A fault of this code; the names are the {places} of its texts."""
    return Fault(code, tuple((name, str(value)) for name, value in arguments.items()))


def said(what: str, remedy: str) -> Fault:
    """A fault in its finder's own words, which nobody translates: for a board that is not part of Linebox."""
    return fault("said", what=what, remedy=remedy)


def put_in(text: str, arguments: Iterable[tuple[str, str]]) -> str:
    """The text with its {places} filled. Never raises: a fault that cannot be told well is told all the same."""
    values = dict(arguments)
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def to_store(one: Fault) -> str:
    """The fault as one column of a table keeps it."""
    return msgspec.json.encode(one).decode()


def from_store(text: str) -> Fault:
    """A fault that was stored. Other text is the words of an older version, and is told as it stands. Never raises."""
    try:
        return msgspec.json.decode(text, type=Fault)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return said(text, "")


class FaultError(Exception):
    """A fault that ends what was being done. `where` says for the log on which board, port, span or device."""

    def __init__(self, fault: Fault, where: str) -> None:
        super().__init__(f"{where}: {fault.what}. {fault.remedy}")
        self.fault = fault
        self.where = where

    @property
    def what(self) -> str:
        return self.fault.what

    @property
    def remedy(self) -> str:
        return self.fault.remedy
