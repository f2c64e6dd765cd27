"""`linebox loop-test BOARD`: has the running box test an E1 in a loop, says in words what it found, and ends the test
when it is interrupted itself, or by `--stop`."""

from __future__ import annotations

import contextlib
import select
import time
from collections import Counter

from boards.signals import LoopWay
from firmware.box.commands.cti_request import ask
from firmware.box.commands.interruption import Interruption
from firmware.calls.messages import (
    CallEvent,
    EndLoopTest,
    GetBoxState,
    LoopTest,
    Reply,
    Request,
    Subscribe,
    decode_to_client,
)
from firmware.core.hints import ClearError
from firmware.core.messages import Peer, connect
from firmware.core.paths import BoxPaths
from firmware.lines.loop_messages import LoopedChannel, LoopOutcome

BY = "linebox loop-test"
SHORTEST_SECONDS, LONGEST_SECONDS = 1, 600
GRACE_SECONDS = 25.0
"""How much longer than the test its answer is waited for."""
ENDING_SECONDS = 15.0
"""How long it is waited for when the test was told to end: longer than the gateway waits for the board."""

REFUSED_WITHIN = 0.3
"""What the gateway has not refused within these seconds runs."""

WAIT_OR_STOP = "wait until it is over, or stop it: linebox loop-test BOARD --stop"

WHY: dict[str, tuple[str, str]] = {
    "unknown_board": ("there is no such board", "`linebox boards` lists them"),
    "no_such_board": ("the gateway has no such board", "restart the box after boards were changed"),
    "no_time_slots": ("the board is no E1", "only time slots of an E1 can be tested in a loop"),
    "not_working": ("the board does not work", "`linebox boards` says why"),
    "calls_on_board": ("there are calls on this board", "try again when all its channels are idle"),
    "calls": ("a call came on this board in that moment", "try again when all its channels are idle"),
    "no_carrier": (
        "nothing usable comes in on the line, so nothing can come back",
        "put the loop plug on, or ask the exchange for the loop; --local tests the card alone",
    ),
    "loop_test_running": ("a loop test of this board is running", WAIT_OR_STOP),
    "running": ("a loop test of this board is running", WAIT_OR_STOP),
    "no_loop_test": ("no loop test of this board is running", "there is nothing to stop"),
    "cannot_loop": ("the board cannot close such a loop", "test with a plug or a loop of the exchange (--far)"),
    "board_failed": ("the board failed meanwhile", "`linebox boards` says why"),
    "gateway_gone": ("the gateway ended meanwhile", "it is started again by itself: try again"),
    "stopped": (
        "the test was stopped: by --stop, over REST, or because the callserver went away",
        "begin it again when it is wanted",
    ),
    "not_possible_now": ("the gateway does not answer", "`linebox doctor` shows its state"),
}
"""Reason → what happened, what to do."""

BEGUN = {
    LoopWay.FAR: "a pattern is sent on all time slots and compared with what comes back, {seconds:g} s",
    LoopWay.LOCAL: "the board loops itself; a pattern is sent and compared with what comes back, {seconds:g} s",
    LoopWay.TOWARD_EXCHANGE: "the exchange can test now: what comes in goes back, {seconds:g} s (Ctrl-C ends it)",
}
LOOPED_BY_CARD = (
    "the card, all 32 time slots, as the card's driver says; if the exchange saw no loop, that driver closes none"
)
BITS_A_SECOND = 64_000
WHOLE = 0.9
"""A time slot that was compared for less than this part of the time was not looped all the time."""
OWN_COUNTERS = ("lost_inward", "lost_outward", "slips", "line_underruns", "overruns", "card_underruns", "underruns")
"""Of these the box or its clock is the cause, not the line."""


def loop_test(paths: BoxPaths, board: str, way: LoopWay, seconds: float) -> int:
    """Ask, wait, show. 0 if all came back without an error, else 1; 128 and the signal's number if one interrupted it:
    then the box has ended the test. Raises ClearError when there was no test, PeerGone
    when the callserver does not run."""
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ClearError(f"it cannot last {seconds:g} s", f"{SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds")
    state = ask(paths, GetBoxState(), BY).state
    boards = [one.board for one in state.boards] if state is not None else []
    if board not in boards:
        raise ClearError(f"there is no board {board}", f"the box has {', '.join(boards) or 'none'}")
    peer = connect(paths.cti_socket, decode_to_client)
    try:
        with Interruption() as interruption:
            peer.send(Request(1, Subscribe(), BY))
            peer.send(Request(2, LoopTest(board, way, seconds), BY))
            try:
                outcome = _wait(peer, interruption, board, way, seconds)
            except OSError:  # nobody reads what is said: it is not wanted any more
                peer.send(Request(3, EndLoopTest(board), BY))
                raise
            if interruption.signal:
                with contextlib.suppress(OSError):  # the terminal is closed
                    print("\n".join(shown(outcome) if not outcome.reason else [_ended(outcome)]), flush=True)
                return 128 + interruption.signal
    finally:
        peer.close()
    if outcome.reason:
        raise _no_test(outcome.reason, outcome)
    print("\n".join(shown(outcome)))
    return 0 if is_good(outcome) else 1


def stop_loop_test(paths: BoxPaths, board: str) -> int:
    """End the test of a board, whoever began it, and wait until its channels are given back. Raises ClearError if none
    runs, PeerGone when the callserver does not run."""
    peer = connect(paths.cti_socket, decode_to_client)
    try:
        peer.send(Request(1, Subscribe(), BY))
        peer.send(Request(2, EndLoopTest(board), BY))
        outcome = _wait_for_the_end(peer, board)
    finally:
        peer.close()
    print(_ended(outcome))
    return 0


def _ended(outcome: LoopOutcome) -> str:
    if outcome.reason in ("stopped", ""):
        how = "is stopped" if outcome.reason else "had just ended by itself"
        return f"{outcome.board}: the loop test {how}; its channels are given back"
    return f"{outcome.board}: the loop test is over: {_no_test(outcome.reason, outcome)}"


def is_good(outcome: LoopOutcome) -> bool:
    """All time slots came back as themselves, without a wrong bit, an alarm or an interruption that is the line's."""
    interruptions = {one.interruptions for one in outcome.channels}
    is_ours = len(interruptions) == 1 and not outcome.counters.keys().isdisjoint(OWN_COUNTERS)
    return (
        not outcome.alarms
        and (is_ours or interruptions <= {0})
        and all(one.bits and not one.errors and not one.comes_from for one in outcome.channels)
        and not _short(outcome)
    )


def shown(outcome: LoopOutcome) -> list[str]:
    """What was found, for a person."""
    lines = []
    if outcome.way is LoopWay.TOWARD_EXCHANGE:
        by = LOOPED_BY_CARD if outcome.looped_by == "card" else "the box, the time slots of calls"
        lines.append(f"{outcome.board}: was looped towards the exchange for {outcome.seconds:g} s (by {by})")
    else:
        lines += _channels(outcome)
    if outcome.alarms:
        lines.append(f"  alarms of the line meanwhile: {', '.join(outcome.alarms)}")
    ours = {name: count for name, count in outcome.counters.items() if name in OWN_COUNTERS}
    theirs = {name: count for name, count in outcome.counters.items() if name not in OWN_COUNTERS}
    if theirs:
        lines.append(f"  counted by the board meanwhile: {_counted(theirs)}")
    if ours:
        lines.append(f"  lost or slipped in the box (an interruption there is not the line's): {_counted(ours)}")
    return lines


def _channels(outcome: LoopOutcome) -> list[str]:
    back = [one for one in outcome.channels if one.bits]
    clean = [one for one in back if not one.errors]
    total = len(outcome.channels)
    said = f"{outcome.board}: {len(clean)} of {total} channels"
    if not back:
        return [f"{outcome.board}: 0 of {total} channels come back: there is no loop, or it is open"]
    lines = [f"{said}: no bit error in {_bits(sum(one.bits for one in clean))}"]
    lines += [
        f"  {one.label}: {_errors(one.errors)} in {_bits(one.bits)}, {one.errors / one.bits:.1e}"
        for one in back
        if one.errors
    ]
    lines += [f"  {one.label}: comes back from {one.comes_from}" for one in back if one.comes_from]
    if missing := [one.label for one in outcome.channels if not one.bits]:
        lines.append(f"  no synchronisation (not looped, or every tenth bit wrong): {', '.join(missing)}")
    if short := _short(outcome):
        lines.append(f"  came back for a part of the time only: {', '.join(one.label for one in short)}")
    return lines + _interruptions(back)


def _short(outcome: LoopOutcome) -> list[LoopedChannel]:
    """Time slots that came back, but not all the time; a loss in the box costs less."""
    return [one for one in outcome.channels if 0 < one.bits < WHOLE * BITS_A_SECOND * outcome.seconds]


def _interruptions(back: list[LoopedChannel]) -> list[str]:
    """Those that most channels had together are said once."""
    counts = Counter(one.interruptions for one in back if one.interruptions)
    lines = []
    for times, channels in sorted(counts.items()):
        which = [one.label for one in back if one.interruptions == times]
        where = "all channels" if channels == len(back) else ", ".join(which)
        lines.append(f"  interrupted {times} time{'s' * (times > 1)} (octets lost or put in): {where}")
    return lines


def _errors(count: int) -> str:
    return f"{count} bit error" if count == 1 else f"{count} bit errors"


def _bits(count: int) -> str:
    return f"{count / 1e6:.1f} million bits"


def _counted(counters: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counters.items())


def _wait(peer: Peer, interruption: Interruption, board: str, way: LoopWay, seconds: float) -> LoopOutcome:
    """How it ended. After an interruption the box is told to end it, but only a test that was begun here."""
    end = time.monotonic() + seconds + GRACE_SECONDS
    is_taken = is_told = is_interrupted = is_ending = False
    while (left := end - time.monotonic()) > 0:
        if is_taken and is_interrupted and not is_ending:
            is_ending = True
            peer.send(Request(3, EndLoopTest(board), BY))
        wait = REFUSED_WITHIN if is_taken and not is_told and not is_ending else left
        messages = _receive(peer, wait, None if is_interrupted else interruption)
        if interruption.signal and not is_interrupted:
            is_interrupted = True
            end = time.monotonic() + ENDING_SECONDS
        elif is_taken and not is_told and not messages and not is_ending:
            is_told = True
            print(f"{board}: {BEGUN[way].format(seconds=seconds)}", flush=True)
        for message in messages:
            if isinstance(message, Reply) and message.error and message.id != 3:  # 3: it is over by itself
                raise _no_test(message.error)
            is_taken |= isinstance(message, Reply) and message.id == 2
            found = message.loop_test if isinstance(message, CallEvent) else None
            if found is not None and (found.board, found.way) == (board, way):
                return found
    raise _no_answer()


def _wait_for_the_end(peer: Peer, board: str) -> LoopOutcome:
    end = time.monotonic() + ENDING_SECONDS
    while (left := end - time.monotonic()) > 0:
        for message in _receive(peer, left):
            if isinstance(message, Reply) and message.error:
                raise _no_test(message.error)
            found = message.loop_test if isinstance(message, CallEvent) else None
            if found is not None and found.board == board:
                return found
    raise _no_answer()


def _receive(peer: Peer, seconds: float, interruption: Interruption | None = None) -> list[Reply | CallEvent]:
    """What has come when something has, or when so long nothing did."""
    waiting: list[Peer | Interruption] = [peer] if interruption is None else [peer, interruption]
    readable, writable, _ = select.select(waiting, [peer] if peer.wants_to_write else [], [], seconds)
    if writable:
        peer.flush()
    return peer.receive() if peer in readable else []


def _no_answer() -> ClearError:
    return ClearError("the box has not answered in time", "`linebox doctor` shows its state; its logs are in logs/")


def _no_test(reason: str, outcome: LoopOutcome | None = None) -> ClearError:
    what, remedy = WHY.get(reason, (f"there was no test ({reason})", "try again"))
    if outcome is not None and outcome.fault is not None:
        what, remedy = f"{what}: {outcome.fault.what}", outcome.fault.remedy
    return ClearError(what, remedy)
