"""`linebox learn-line N`: has the running box learn the busy tone of an analogue trunk, and shows what it measured."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Sequence

from boards.signals import ChannelKind
from firmware.box.commands.cti_request import ask
from firmware.calls.messages import (
    CallEvent,
    EventName,
    GetBoxState,
    LearnLine,
    Reply,
    Request,
    Subscribe,
    decode_to_client,
)
from firmware.core.hints import ClearError
from firmware.core.line_schemas import MOST_BOTH_WAYS_DB
from firmware.core.messages import Peer, connect
from firmware.core.paths import BoxPaths
from firmware.tones.cadence import LearnedTone

BY = "linebox learn-line"
SHORTEST_SECONDS, LONGEST_SECONDS = 5, 600
FAINTEST_USUAL_DBM0 = -20.0
"""Busy tone of -10 dBm0 (GB/T 3380: 3 dB either way) behind a long line of 7 dB."""
WORTH_A_LEVEL_DB = 3
GRACE_SECONDS = 10.0
"""How much longer than the box listens its answer is waited for."""

WHY: dict[str, tuple[str, str]] = {
    "unknown_line": ("the line is gone", "look at its board"),
    "no_such_line": ("the line is gone", "look at its board"),
    "line_busy": ("the line is busy or out of service", "try again when it is idle"),
    "busy": ("the line was taken by a call in that moment", "try again when it is idle"),
    "out_of_service": ("the line is out of service", "look at its board and its alarms"),
    "not_possible_now": ("the gateway does not answer", "`linebox doctor` shows its state"),
    "no_call": ("nobody called the line", "call it from another phone while the box listens"),
    "no_dial_tone": ("the line gave no dial tone", "see that it is plugged in; or call it from another phone instead"),
    "no_tone": (
        "no tone repeated often enough",
        "hang up the other phone as soon as the ringing stops, and let the box listen longer: --seconds 180",
    ),
    "loop_drop": (
        "the exchange ended the call by a break of the loop current",
        "nothing: the box releases this line by that, and needs no busy tone",
    ),
    "line_failed": ("the line or its board failed meanwhile", "look at its board and its alarms"),
}
"""Reason → what happened, what to do."""
WHY_CALLING: dict[str, tuple[str, str]] = {
    "no_tone": (
        "no tone repeated often enough in the call that the box made",
        "name a number that is busy, such as that of a phone off its hook, and let the box listen longer: "
        "--seconds 180",
    ),
}
"""Where the box itself calls a number, nobody at another phone can mend it."""


def label_of(line: str, lines: Sequence[str]) -> str:
    """The label that a person means: itself, or N for FXO-N or BOARD-FXO-N. Raises ClearError with all there are."""
    meant = [one for one in lines if one in (line, f"FXO-{line}") or one.endswith(f"-FXO-{line}")]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ClearError(f"more than one line is meant by {line}", f"name it whole: {' or '.join(meant)}")
    remedy = f"the box has {', '.join(lines)}" if lines else "the box has none; boards.json says which boards it has"
    raise ClearError(f"there is no exchange line {line}", remedy)


def learn_line(paths: BoxPaths, line: str, number: str, seconds: float) -> int:
    """Ask, wait, show. Raises ClearError when nothing was learnt, PeerGone when the callserver does not run."""
    if not re.fullmatch("[0-9*#]{0,24}", number):
        raise ClearError(f"{number} is no number that can be dialled", "digits, * and #, at most 24")
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ClearError(f"the box cannot listen for {seconds:g} s", f"{SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds")
    state = ask(paths, GetBoxState(), BY).state
    channels = state.channels if state is not None else ()
    label = label_of(line, [one.label for one in channels if one.kind is ChannelKind.EXCHANGE_LINE])
    peer = connect(paths.cti_socket, decode_to_client)
    try:
        peer.send(Request(1, Subscribe(), BY))
        peer.send(Request(2, LearnLine(label, number, seconds), BY))
        print(_begun(label, number, seconds), flush=True)
        tone, stored = _wait(peer, label, number, seconds + GRACE_SECONDS)
    finally:
        peer.close()
    print("\n".join(shown(label, tone)))
    if stored:
        raise ClearError(
            f"the tone is in force, but could not be stored ({stored})", "`linebox config check`; look at the disk"
        )
    print("Stored for this line, and in force from now on.")
    return 0


def shown(label: str, tone: LearnedTone) -> list[str]:
    """What was measured, for a person."""
    on, off = tone.on_range_ms, tone.off_range_ms
    lines = [
        f"{label}: busy tone of {tone.hz:.0f} Hz, {tone.on_ms:.0f} ms on and {tone.off_ms:.0f} ms off, "
        f"{tone.level_dbm0:.0f} dBm0",
        f"  measured {tone.cycles} times: {on[0]:.0f} to {on[1]:.0f} ms on, {off[0]:.0f} to {off[1]:.0f} ms off",
    ]
    missing = min(FAINTEST_USUAL_DBM0 - tone.level_dbm0, MOST_BOTH_WAYS_DB)
    if missing >= WORTH_A_LEVEL_DB:
        lines.append(
            f"  a quiet line ({FAINTEST_USUAL_DBM0:.0f} dBm0 or more is usual): if citizens are faint on it, set "
            f'"receive_db": {missing:.0f} in exchange_lines.json'
        )
    return lines


def _begun(label: str, number: str, seconds: float) -> str:
    if number:
        return f"{label}: the box calls {number} and listens to the end of that call, {seconds:.0f} s at most."
    return (
        f"{label}: call this line from another phone within {seconds:.0f} s. When the ringing stops the box has "
        f"answered: hang up, and wait."
    )


def _wait(peer: Peer, label: str, number: str, seconds: float) -> tuple[LearnedTone, str]:
    """The tone, and why it could not be stored if so."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        readable, writable, _ = select.select([peer], [peer] if peer.wants_to_write else [], [], left)
        if writable:
            peer.flush()
        for message in peer.receive() if readable else []:
            if isinstance(message, Reply) and message.error:
                raise not_learnt(message.error, number)
            if isinstance(message, CallEvent) and message.name is EventName.LINE_LEARNT and message.line == label:
                if message.tone is None:
                    raise not_learnt(message.reason, number)
                return message.tone, message.reason
    raise ClearError("the box has not answered in time", "`linebox doctor` shows its state; its logs are in logs/")


def not_learnt(reason: str, number: str) -> ClearError:
    """What happened and what to do, where the box called `number`, or (empty) was called."""
    words = {**WHY, **WHY_CALLING} if number else WHY
    what, remedy = words.get(reason, (f"nothing was learnt ({reason})", "try again"))
    return ClearError(what, remedy)
