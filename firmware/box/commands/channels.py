"""`linebox channels`: how all channels of the running box are, their levels, and which are out of service by hand 闭塞.

`linebox channels block | unblock` changes that. The callserver does it, and stores it; only ranges are read here.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from datetime import datetime

from boards.signals import ChannelKind
from firmware.box.commands.cti_request import ask
from firmware.box.commands.terminal_lines import columns_of, laid_out
from firmware.calls.messages import BlockChannels, BoxAlarm, BoxState, GetBoxState, UnblockChannels
from firmware.calls.request_texts import LONGEST_TEXT
from firmware.core.clock import CHINA
from firmware.core.configuration_problems import nearest_name
from firmware.core.hints import ClearError
from firmware.core.line_schemas import BlockedChannel, LineLevels
from firmware.core.paths import BoxPaths, box_paths
from firmware.lines.messages import ChannelState

BY = "linebox channels"
KINDS = {
    ChannelKind.TRUNK: "trunk",
    ChannelKind.CAS: "trunk, line bits",
    ChannelKind.EXTENSION: "extension port",
    ChannelKind.EXCHANGE_LINE: "exchange line",
}
STATES = {"up": "in use", "testing": "loop test", "out_of_service": "out of service"}
RESTING = ("idle", "blocked", "testing", "out_of_service")
"""States of a channel without a call: a block is there at once."""
ALL_TRUNKS = (
    "Warning: all trunks are blocked now: nobody can call the box, and it can call nobody. `linebox channels unblock` "
    "gives them back."
)


def channels(options: argparse.Namespace) -> int:
    """Prints all channels, one a line. Raises PeerGone if the callserver does not run."""
    for line in shown(_state(box_paths(options.data))):
        print(line)
    return 0


def block(options: argparse.Namespace) -> int:
    """Raises ClearError with all that is wrong; then nothing was changed."""
    if not options.reason.strip() or len(options.reason) > LONGEST_TEXT:
        raise ClearError("a reason is needed", f"--reason with 1 to {LONGEST_TEXT} characters: the wall shows it")
    paths = box_paths(options.data)
    labels = read_labels(options.channels, [(one.board, one.label) for one in _state(paths).channels])
    _change(paths, BlockChannels(tuple(labels), options.reason))
    after = _state(paths)
    states = {one.label: one.state for one in after.channels}
    waiting = [label for label in labels if states.get(label) not in RESTING]
    print(f"{_counted(labels)} blocked; calls that are up go on.")
    if waiting:
        phones = any(one.label in waiting and one.kind is ChannelKind.EXTENSION for one in after.channels)
        over = "over and its phone is put down" if phones else "over"
        print(f"Blocked when the call there is {over}: {' '.join(waiting)}")
    if BoxAlarm.ALL_TRUNKS_BLOCKED in after.alarms:
        print("\n".join(laid_out("", ALL_TRUNKS)))
    return 0


def unblock(options: argparse.Namespace) -> int:
    """Raises ClearError with all that is wrong; then nothing was changed."""
    paths = box_paths(options.data)
    state = _state(paths)
    known = [(one.board, one.label) for one in state.channels]
    known += [("", one.channel) for one in state.blocked if one.channel not in {label for _, label in known}]
    labels = read_labels(options.channels, known)
    _change(paths, UnblockChannels(tuple(labels)))
    were_blocked = {one.channel for one in state.blocked}
    given_back = [label for label in labels if label in were_blocked]
    others = [label for label in labels if label not in were_blocked]
    if given_back:
        print(f"{_counted(given_back)} given back.")
    if others:
        print(f"Not blocked by hand, so nothing to give back: {' '.join(others)}")
    return 0


def read_labels(given: Sequence[str], known: Sequence[tuple[str, str]]) -> list[str]:
    """The labels that a person means: a label, or FIRST-LAST of one board (of the last the number is enough), in the
    order of `known` (board, label). Raises ClearError with everything that is not one."""
    at = {label: number for number, (_, label) in enumerate(known)}
    found: list[str] = []
    wrong: list[str] = []
    for text in given:
        ends = [(text[:cut], text[cut + 1 :]) for cut, sign in enumerate(text) if sign == "-"]
        ends += [(first, first.rstrip("0123456789") + last) for first, last in ends if last.isdecimal()]
        ends = [(first, last) for first, last in ends if first in at and last in at]
        if text in at:
            found.append(text)
        elif not ends:
            wrong.append(f"there is no channel {text}{_instead(text, at)}")
        else:
            first, last = (at[end] for end in ends[0])
            if first > last or known[first][0] != known[last][0]:
                wrong.append(f"{text} is no range: name the first and the last channel of one board")
            found += [label for _, label in known[first : last + 1]]
    if wrong:
        raise ClearError("\n  ".join(wrong), "`linebox channels` lists all there are; nothing was changed")
    return list(dict.fromkeys(found))


def _instead(text: str, known: Collection[str]) -> str:
    """What to say of a label that is none."""
    span, slash, slot = text.rpartition("/")
    if slot == "16" and {f"{span}{slash}15", f"{span}{slash}17"} <= set(known):
        return ": slot 16 of an E1 carries the signalling of the others"
    nearest = nearest_name(text, known)
    return f'; did you mean "{nearest}"?' if nearest else ""


def shown(state: BoxState) -> list[str]:
    """All channels for a person, in lines of a terminal; then those that are blocked although no board has them."""
    blocked = {one.channel: one for one in state.blocked}
    rows = [
        (
            (one.label, KINDS[one.kind], _in_words(one, one.label in blocked)),
            _about(state.levels.get(one.label), blocked.pop(one.label, None)),
        )
        for one in state.channels
    ]
    rows += [((label, "no board has it", "blocked"), _about(None, entry)) for label, entry in blocked.items()]
    widths = [max(map(columns_of, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    lines = []
    for cells, about in rows:
        head = "".join(cell + " " * (width - columns_of(cell) + 2) for cell, width in zip(cells, widths, strict=True))
        lines += laid_out(head, about) if about else [head.rstrip()]
    return lines


def _in_words(channel: ChannelState, is_blocked: bool) -> str:
    if channel.state == "blocked":
        return "blocked" if is_blocked else "blocked by far end"
    words = STATES.get(channel.state, channel.state)
    if not is_blocked:
        return words
    return f"{words}, blocked" if channel.state in RESTING else f"{words}, to be blocked"


def _about(levels: LineLevels | None, block: BlockedChannel | None) -> str:
    """The levels of a line that is not left as it is, by their names in the files; then why it is blocked."""
    gains = f"receive_db {levels.receive_db:g}, send_db {levels.send_db:g}" if levels is not None else ""
    return "; ".join(filter(None, (gains, _why(block) if block is not None else "")))


def _why(entry: BlockedChannel) -> str:
    since = datetime.fromtimestamp(entry.since_utc_us // 1_000_000, CHINA) if entry.since_utc_us else None
    asked = [entry.by, since.strftime("%Y-%m-%d") if since else ""]
    about = ", ".join(filter(None, asked))
    return f"{entry.reason} ({about})" if about else entry.reason


def _counted(labels: Sequence[str]) -> str:
    return labels[0] + " is" if len(labels) == 1 else f"{len(labels)} channels are"


def _state(paths: BoxPaths) -> BoxState:
    state = ask(paths, GetBoxState(), BY).state
    if state is None:
        raise ClearError("the callserver gave no state", "`linebox doctor` shows what is wrong")
    return state


REFUSED = {
    "not_possible_now": (
        "the gateway has not told yet which channels there are",
        "try again when it runs: `linebox status`",
    ),
    "configuration_wrong": (
        "the configuration files are wrong, so that nothing was changed",
        "correct them; `linebox config check` shows the same",
    ),
    "not_stored": ("it could not be stored, so that nothing was changed", "look at the disk: it may be full"),
    "unknown_channel": ("a channel is gone", "`linebox channels` lists all there are; nothing was changed"),
}


def _change(paths: BoxPaths, body: BlockChannels | UnblockChannels) -> None:
    reply = ask(paths, body, BY)
    if reply.error:
        what, remedy = REFUSED.get(
            reply.error, (f"nothing was changed ({reply.error})", "`linebox doctor` may say more")
        )
        raise ClearError("\n  ".join([what, *reply.details]), remedy)
