"""Words for codes and texts in the reader's language. Everything else speaks in codes; here they become words.

English is the language of the source texts; the catalogues in `locale/` hold Chinese (first) and English. `N_` marks a
text for the catalogue where it stands; `Words` translates it when it is shown.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import Any

from firmware.core.faults import Fault, put_in

LANGUAGES = {"zh_CN": "中文", "en": "English"}
"""Chinese first."""
LOCALE_FOLDER = Path(__file__).parent / "locale"
DOMAIN = "linebox"


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


CODES: dict[str, dict[str, str]] = {
    "agent_state": {
        "LoggedOut": N_("Signed out"),
        "NotReady": N_("Not ready"),
        "Ready": N_("Ready"),
        "Offered": N_("Ringing"),
        "Talking": N_("Talking"),
        "WrapUp": N_("Wrap-up"),
    },
    "not_ready": {
        "signed_in": N_("just signed in"),
        "break": N_("Break"),
        "meal": N_("Meal"),
        "meeting": N_("Meeting"),
        "training": N_("Training"),
        "no_answer": N_("did not answer"),
        "phone_failed": N_("phone failed"),
        "headset_on_hook": N_("headset phone is on hook"),
        "phone_blocked": N_("phone is blocked"),
        "removed": N_("agent number was taken out"),
    },
    "contact_state": {
        "calling": N_("Calling out"),
        "arriving": N_("Arriving"),
        "announced": N_("Greeting"),
        "menu": N_("In the menu"),
        "queued": N_("Waiting"),
        "offered": N_("Ringing"),
        "talking": N_("Talking"),
        "held": N_("On hold"),
        "ending": N_("Ending"),
        "wrap_up": N_("Wrap-up"),
    },
    "segment": {
        "calling": N_("Calling out"),
        "alerting": N_("Ringing"),
        "ringing": N_("Arriving"),
        "announced": N_("Greeting"),
        "menu": N_("In the menu"),
        "queued": N_("Waiting"),
        "offered": N_("Ringing"),
        "talking": N_("Talking"),
        "held": N_("On hold"),
        "wrap_up": N_("Wrap-up"),
    },
    "channel_state": {
        "idle": N_("Idle"),
        "seized": N_("Seized"),
        "ringing": N_("Ringing"),
        "up": N_("In use"),
        "releasing": N_("Releasing"),
        "blocked": N_("Blocked"),
        "blocking": N_("Blocked when idle"),
        "blocked_far": N_("Blocked by the far end"),
        "testing": N_("Loop test"),
        "out_of_service": N_("Out of service"),
        "unstaffed": N_("Unstaffed headset"),
    },
    "board_counter": {
        "slips": N_("Slips"),
        "crc_errors": N_("CRC errors"),
        "lost_inward": N_("Blocks lost inward"),
        "lost_outward": N_("Blocks lost outward"),
        "frame_errors": N_("Frame errors"),
        "bipolar_violations": N_("Code violations"),
        "e_bit_errors": N_("Errors seen by the far end"),
        "far_block_errors": N_("Errors seen by the far end"),
        "line_underruns": N_("Gaps in what was sent"),
        "card_underruns": N_("Gaps in what was sent"),
        "overruns": N_("Overruns of the sound card"),
        "underruns": N_("Blocks that came too late"),
        "missed_interrupts": N_("Missed interrupts of the card"),
        "port_failures": N_("Failures of ports"),
        "interrupt_failures": N_("Failures of the interrupt line"),
        "echo_failures": N_("Calls without echo canceller"),
        "stalls": N_("Pauses of the box"),
        "worst_gap_ms": N_("Longest pause in milliseconds"),
    },
    "result": {
        "": N_("In progress"),
        "answered": N_("Answered"),
        "abandoned": N_("Abandoned"),
        "left_early": N_("Left early"),
        "unanswered": N_("Not reached"),
        "failed": N_("Failed"),
    },
    "cause": {
        "normal": N_("Hung up"),
        "busy": N_("Busy"),
        "no_answer": N_("No answer"),
        "rejected": N_("Rejected"),
        "unallocated": N_("Number not in use"),
        "congestion": N_("No free channel"),
        "failure": N_("Line failure"),
        "restart": N_("Box restarted"),
    },
    "direction": {"in": N_("Incoming"), "out": N_("Outgoing")},
    "party": {"citizen": N_("Citizen"), "agent": N_("Agent")},
    "ended_by": {"line": N_("that party"), "box": N_("the box")},
    "recording": {
        "open": N_("Being recorded"),
        "closing": N_("Being saved"),
        "closed": N_("Recorded"),
        "failed": N_("Recording failed"),
        "deleted": N_("Recording deleted"),
        "": N_("No recording"),
    },
    "not_recorded": {"outside_recording_times": N_("Not recorded: outside the recording times")},
    "alarm": {
        "disk_low": N_(
            "The disk is nearly full: old recordings are deleted where that is allowed. Put in a larger disk."
        ),
        "recordings_refused": N_(
            "The disk is full: new calls are not recorded. Delete recordings or put in a larger disk."
        ),
        "recordings_stopped": N_("The disk is full: no call is recorded. Delete recordings or put in a larger disk."),
        "records_on_reserve": N_("The disk is full: records of calls use their last reserve. Make room now."),
        "all_trunks_blocked": N_("All trunks are blocked by hand: nobody can call. Give one back at the wall."),
        "stopping": N_("The box is being shut down by its button."),
    },
    "role": {"administrator": N_("Administrator"), "supervisor": N_("Supervisor"), "agent": N_("Agent")},
}
"""Group → code → source text. A code that is not here is shown as it is."""

LIVE_GROUPS = ("agent_state", "not_ready", "contact_state", "channel_state", "board_counter", "result", "alarm")
"""The groups that the page's own scripts need."""

SCRIPT_WORDS: dict[str, str] = {
    "lost": N_("The connection to the box is interrupted. It comes back by itself; grey values are old."),
    "callserver_away": N_("Call control is restarting. Calls that are up go on; grey values are old."),
    "not_shown": N_("Number not shown"),
    "free": N_("Vacant"),
    "taken_by": N_("Taken by {name}"),
    "lift_handset": N_("Lift the handset to answer"),
    "call_for_you": N_("Call for you"),
    "caller": N_("Caller"),
    "number_called": N_("Number called"),
    "arrived": N_("Arrived"),
    "called_at": N_("Called at"),
    "no_history": N_("First call from this number"),
    "no_history_out": N_("This number has not called before"),
    "no_history_not_shown": N_("The number is not shown: no earlier calls can be found."),
    "no_caller": N_("The last four calls of a caller appear here when one rings."),
    "history_failed": N_("Earlier calls cannot be read now."),
    "after_call": N_("Break after this call: {reason}"),
    "recorded": N_("Being recorded"),
    "was_recorded": N_("Recorded"),
    "call_ended": N_("The call that just ended"),
    "this_call": N_("This call"),
    "this_call_out": N_("This call out"),
    "not_recorded": N_("Not recorded"),
    "all_well": N_("No alarms"),
    "alarms": N_("{count} alarms"),
    "gateway_away": N_("Lines are out of order: the gateway is restarting."),
    "recorder_away": N_("Calls are not being recorded: the recorder is restarting."),
    "board_fault": N_("Board {place}: {what}. {remedy}"),
    "panel_fault": N_("Front panel, {place}: {what}. {remedy}"),
    "no_seats": N_("No seats are configured."),
    "display_failed": N_("Display failed"),
    "new_calls": N_("New calls have come in. Show them"),
    "playing": N_("Recording of call {number}"),
    "play_failed": N_("The recording cannot be played."),
    "request_failed": N_("That did not work."),
    "in_use": N_("{used} of {all} in use"),
    "in_use_blocked": N_("{used} of {all} in use, {blocked} blocked"),
    "phone_blocked": N_("Phone blocked"),
    "phone_blocking": N_("Phone blocked when idle"),
    "levels": N_("Gain of the line: {receive_db} dB received, {send_db} dB sent"),
    "block": N_("Block"),
    "unblock": N_("Give back"),
}
"""Texts that scripts write, by the key that they use. `{name}` is put in by the script."""


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE_FOLDER, [language], fallback=False)


class Words:
    """All texts in one language. Calling it translates one, and puts in values."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else next(iter(LANGUAGES))
        self._catalogue = _catalogue(self.language)

    def __call__(self, text: str, **values: Any) -> str:
        translated = self._catalogue.gettext(text)
        return translated.format(**values) if values else translated

    def code(self, group: str, code: str) -> str:
        """The words for a code; the code itself if nobody has written words for it."""
        text = CODES[group].get(code)
        return self(text) if text else code

    def fault(self, fault: Fault) -> tuple[str, str]:
        """What is wrong, and what a person can do about it. A code of another version is shown as it is."""
        what, remedy = (put_in(self(text) if text else "", fault.arguments) for text in fault.text)
        return what, remedy

    @property
    def html_language(self) -> str:
        """For the `lang` attribute, which chooses the fonts."""
        return {"zh_CN": "zh-CN"}.get(self.language, self.language)

    def for_scripts(self) -> dict[str, Any]:
        """What the page's scripts need, translated."""
        return {
            "texts": {key: self(text) for key, text in SCRIPT_WORDS.items()},
            "codes": {group: {code: self(text) for code, text in CODES[group].items()} for group in LIVE_GROUPS},
        }


def choose_language(asked: str, remembered: str, accepted: str, of_the_box: str) -> str:
    """The language of a page: asked for in the address, kept in the cookie, wished by the browser, set for the box."""
    for language in (asked, remembered):
        if language in LANGUAGES:
            return language
    for wish in accepted.split(","):
        code = wish.split(";")[0].strip().replace("-", "_")
        for language in LANGUAGES:
            if code and (code == language or code.split("_")[0].lower() == language.split("_")[0]):
                return language
    return of_the_box if of_the_box in LANGUAGES else next(iter(LANGUAGES))
