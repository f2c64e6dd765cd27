"""`linebox recordings hold | release | delete`: what a person decides about recordings. The callserver does it."""

from __future__ import annotations

import argparse

from firmware.box.commands.cti_request import ask
from firmware.calls.messages import DeleteRecording, HoldRecording
from firmware.calls.request_texts import LONGEST_TEXT
from firmware.core.hints import ClearError
from firmware.core.paths import box_paths

BY = "linebox recordings"
_REFUSED = {
    "unknown_recording": ("there is no recording {}", "the number is that of the recording, not of the call"),
    "on_legal_hold": ("recording {} is on legal hold", "`linebox recordings release` first, if the law allows it"),
    "already_on_hold": (
        "recording {} is on legal hold already",
        "nothing was changed, the reason of that hold stays; for another one release it and hold it again",
    ),
    "not_on_hold": ("recording {} is not on legal hold: there was nothing to release", "check the number"),
    "recording_open": ("recording {} is still being made", "try again when the call is over"),
    "recording_deleted": ("recording {} was deleted before", "its record and its links in the chain stay"),
}


def recordings(options: argparse.Namespace) -> int:
    """One decision about some recordings, each with the reason. Raises ClearError at the first that is refused."""
    if not options.reason.strip() or len(options.reason) > LONGEST_TEXT:
        raise ClearError("a reason is needed", f"--reason with 1 to {LONGEST_TEXT} characters: it is kept for ever")
    for number in options.numbers:
        body: DeleteRecording | HoldRecording
        if options.decision == "delete":
            body, done = DeleteRecording(number, options.reason), "is deleted"
        else:
            hold = options.decision == "hold"
            body, done = HoldRecording(number, hold, options.reason), "is on hold" if hold else "is released"
        reply = ask(box_paths(options.data), body, BY)
        if reply.error:
            what, remedy = _REFUSED.get(
                reply.error, (f"recording {{}}: {reply.error}", "`linebox doctor` may say more")
            )
            raise ClearError(what.format(number), remedy)
        print(f"recording {number} {done}")
    return 0
