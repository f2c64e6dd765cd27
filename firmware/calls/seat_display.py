"""What a display at a seat shows: rows for a character or Chinese display, number and text for a telephone's own one.

Idle: state and queue; offered or talking: number, name, region, how often this citizen has called. The words are in
`seat_texts.toml`; how bytes get to a display is the drivers' business. A Chinese character takes two columns.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from firmware.calls.messages import AgentState, BoxState, ContactView
from firmware.core import gb2312

Language = Literal["zh_CN", "en"]
Presentation = Literal["allowed", "restricted", "unavailable"]
TEXTS = Path(__file__).parent / "seat_texts.toml"

MOST_TIMES = 999
"""Who has called more often is shown as one who calls very often: the records count no further."""
WITH_CALLER = (AgentState.OFFERED, AgentState.TALKING)


@dataclass(frozen=True, slots=True)
class CallerShown:
    """The citizen who is offered to the seat or talks with it. What is not known is empty or None."""

    number: str = ""
    name: str = ""
    region: str = ""
    """A name, or a code of `regions.py`."""
    times: int | None = None
    """How often the citizen has called, this call included."""
    presentation: Presentation = "allowed"


@dataclass(frozen=True, slots=True)
class SeatShown:
    """What one seat's display is about."""

    state: AgentState = AgentState.LOGGED_OUT
    agent: str = ""
    waiting: int = 0
    """Contacts that wait in the agent's queues."""
    caller: CallerShown | None = None
    contact_state: str = ""
    """How the contact is, where that says more than the agent's state: `calling` (out, not answered yet), `held`."""


def caller_shown(contact: ContactView) -> CallerShown:
    """What is known of the citizen of a contact. Whose number is withheld is nobody who could be known."""
    if contact.outgoing:
        return CallerShown(contact.called)
    if contact.presentation != "allowed":
        return CallerShown(presentation="restricted" if contact.presentation == "restricted" else "unavailable")
    return CallerShown(contact.calling, contact.calling_name, contact.region, contact.times)


def seat_shown(state: BoxState, seat: str) -> SeatShown:
    """What the seat shows in this state of the box."""
    agent = next((one for one in state.agents if one.seat == seat), None)
    if agent is None:
        return SeatShown(waiting=sum(queue.waiting for queue in state.queues))
    contact = next((one for one in state.contacts if one.contact == agent.contact), None)
    with_caller = contact is not None and agent.state in WITH_CALLER
    return SeatShown(
        state=agent.state,
        agent=agent.agent,
        waiting=sum(queue.waiting for queue in state.queues if queue.queue in agent.queues),
        caller=caller_shown(contact) if contact is not None and with_caller else None,
        contact_state=contact.state if contact is not None and with_caller else "",
    )


def rows_of(shown: SeatShown, columns: int, rows: int, language: Language = "zh_CN") -> tuple[str, ...]:
    """Exactly `rows` texts of exactly `columns` columns; what matters most is first, what has no room is left out."""
    parts = _parts(shown, language)
    if shown.caller is not None:
        # The number is never cut for the sake of the word before it.
        words = _words()[language]
        state = words["contact_state"].get(shown.contact_state, words["state"][shown.state.value])
        with_state = f"{state} {parts[0]}"
        parts = [with_state if gb2312.columns(with_state) <= columns else parts[0], *parts[1:]]
    filled: list[str] = []
    for part in parts:
        wider = f"{filled[-1]} {part}" if filled else part
        # With room for all, each has a row of its own.
        if filled and len(parts) > rows and gb2312.columns(wider) <= columns:
            filled[-1] = wider
        elif len(filled) < rows:
            filled.append(part)
    return tuple(gb2312.field(text, columns) for text in [*filled, *[""] * rows][:rows])


def offline_rows(
    columns: int, rows: int, language: Language = "zh_CN", why: Literal["offline", "stopped"] = "offline"
) -> tuple[str, ...]:
    """The same of a display that does not know what is going on, or of a box that was stopped in order: it must not go
    on to show what was."""
    texts = [_words()[language]["text"][why], *[""] * (rows - 1)]
    return tuple(gb2312.field(text, columns) for text in texts)


def phone_text(shown: SeatShown, language: Language = "zh_CN") -> tuple[str, str]:
    """(number, text) for a telephone's display, which shows both: the caller's, or the queue's length and the state."""
    if shown.caller is None:
        return str(shown.waiting), " ".join(_parts(shown, language))
    number = shown.caller.number if shown.caller.presentation == "allowed" else ""
    return number, " ".join(part for part in _caller_parts(shown.caller, language) if part != number)


def _parts(shown: SeatShown, language: Language) -> Sequence[str]:
    """The most important first."""
    if shown.caller is not None:
        return _caller_parts(shown.caller, language)
    words = _words()[language]
    parts = [words["state"][shown.state.value], words["text"]["waiting"].format(count=shown.waiting)]
    return [*parts, words["text"]["agent"].format(agent=shown.agent)] if shown.agent else parts


def _caller_parts(caller: CallerShown, language: Language) -> list[str]:
    text = _words()[language]["text"]
    allowed = caller.presentation == "allowed"
    number = caller.number if allowed and caller.number else text[caller.presentation if not allowed else "unavailable"]
    times = "" if caller.times is None else text["times"].format(count=caller.times)
    if caller.times == 1:
        times = text["first"]
    elif caller.times is not None and caller.times > MOST_TIMES:
        times = text["many"]
    region = _words()[language]["region"].get(caller.region, caller.region)
    parts = [number, caller.name if allowed else "", region, times]
    # A display without Chinese would show a row of question marks.
    return [part for part in parts if part and (language == "zh_CN" or part.isascii())]


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))
