"""What is said when something cannot be done: a code for programs; for people what happened and what to do.

Answers of the REST interface follow RFC 9457 (application/problem+json); pages show the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from webui.words import N_, Words


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem answer (RFC 9457). `what` and `remedy` are for a person, in the language that the request accepts."""

    status: int
    title: str
    code: str
    what: str
    remedy: str
    details: tuple[str, ...] = ()
    type: str = "about:blank"


class Detail(NamedTuple):
    """What exactly is wrong: a text that is marked for the catalogue, and what stands in its places."""

    text: str
    values: Mapping[str, object]


def detail(text: str, /, **values: object) -> Detail:
    return Detail(text, values)


class _Words(NamedTuple):
    status: int
    what: str
    remedy: str


KNOWN: dict[str, _Words] = {
    "bad_request": _Words(400, N_("The request is not understood."), N_("Compare it with the description.")),
    "bad_json": _Words(400, N_("The body is not the JSON that is expected here."), N_("Compare it with the schema.")),
    "bad_parameter": _Words(400, N_("A parameter has a value that cannot be."), N_("Correct the named parameter.")),
    "unknown_filter": _Words(
        400,
        N_("The list of calls has no such filter."),
        N_("Correct the address, or search with the form of the list."),
    ),
    "bad_filter": _Words(
        400,
        N_("A filter has a value that cannot be."),
        N_("Correct the address, or search with the form of the list."),
    ),
    "not_signed_in": _Words(401, N_("You are not signed in."), N_("Sign in, or send a token: Authorization: Bearer …")),
    "bad_token": _Words(401, N_("The token is not valid or has expired."), N_("Make a new one with: linebox token")),
    "wrong_password": _Words(
        401, N_("Name or password is wrong."), N_("Try again; after five failures wait a minute.")
    ),
    "locked_out": _Words(403, N_("Too many failed attempts."), N_("Wait a minute, then try again.")),
    "foreign_origin": _Words(
        403, N_("The request does not come from a page of this box."), N_("Open the page of the box and try again.")
    ),
    "not_allowed": _Words(
        403, N_("Your role does not allow this."), N_("Ask a supervisor, or sign in with another name.")
    ),
    "no_such_page": _Words(404, N_("There is nothing at this address."), N_("Check the address.")),
    "no_such_call": _Words(404, N_("There is no such call."), N_("Look for it in the list of calls.")),
    "no_recording": _Words(
        404, N_("This call has no recording."), N_("Calls are recorded once the caller is answered.")
    ),
    "recording_deleted": _Words(
        404, N_("The recording was deleted."), N_("Its retention has ended; the record of the call stays.")
    ),
    "unknown_recording": _Words(404, N_("There is no such recording."), N_("Look for it in the list of calls.")),
    "on_legal_hold": _Words(
        409, N_("The recording is on legal hold."), N_("Whoever put it on hold, or a supervisor, ends the hold first.")
    ),
    "already_on_hold": _Words(
        409,
        N_("The recording is on legal hold already."),
        N_("Nothing was changed; the reason of that hold stays. For another reason end the hold, then set it again."),
    ),
    "not_on_hold": _Words(
        409, N_("The recording is not on legal hold: there was nothing to end."), N_("Check the number of the call.")
    ),
    "unknown_agent": _Words(404, N_("There is no such agent number."), N_("Check the agent number.")),
    "unknown_line": _Words(404, N_("There is no such exchange line."), N_("Check the line, e.g. FXO-1.")),
    "unknown_channel": _Words(
        404, N_("There is no such channel."), N_("Check the label, e.g. E1-1/17; the nearest is named.")
    ),
    "unknown_board": _Words(404, N_("There is no such board."), N_("Check the name: linebox boards lists them.")),
    "loop_test_running": _Words(
        409, N_("A loop test of this board is running."), N_("Wait until it is over, or end it.")
    ),
    "no_loop_test": _Words(404, N_("No loop test of this board is running."), N_("There is nothing to end.")),
    "calls_on_board": _Words(
        409, N_("There are calls on this board."), N_("Try again when all its channels are idle.")
    ),
    "unknown_trunk_group": _Words(404, N_("There is no such trunk group."), N_("Check the name of the trunk group.")),
    "unknown_seat": _Words(404, N_("There is no such seat."), N_("Choose a seat of the list.")),
    "wrong_method": _Words(405, N_("This address does not take that method."), N_("See the Allow header.")),
    "recording_open": _Words(409, N_("The recording is still being made."), N_("Try again when the call is over.")),
    "recording_failed": _Words(
        409,
        N_("The recording could not be made."),
        N_("The page of the call says why, and what to do."),
    ),
    "recording_unreadable": _Words(
        409,
        N_("The recording cannot be read from the disk."),
        N_("An administrator runs linebox verify-recordings: it names what is damaged or missing."),
    ),
    "not_possible_now": _Words(409, N_("That is not possible now."), N_("Look at the present state and try again.")),
    "no_trunk_group": _Words(
        409, N_("No trunk group is configured."), N_("Name the trunks for calls out in trunk_groups.json.")
    ),
    "no_free_trunk": _Words(409, N_("All trunks of the group are busy."), N_("Try again in a moment.")),
    "lift_the_handset_first": _Words(
        409, N_("The handset of this seat is on the hook."), N_("Lift the handset, then call.")
    ),
    "line_busy": _Words(409, N_("The line is busy or out of service."), N_("Try again when it is idle.")),
    "seat_taken": _Words(409, N_("Somebody else is signed in at this seat."), N_("Choose another seat.")),
    "signed_in_elsewhere": _Words(409, N_("This agent is signed in at another seat."), N_("Sign out there first.")),
    "agent_not_signed_in": _Words(409, N_("The agent is not signed in at a seat."), N_("Sign in at a seat first.")),
    "no_call": _Words(409, N_("There is no call to do this with."), N_("It may just have ended.")),
    "lift_the_handset": _Words(409, N_("This seat has no headset."), N_("Answer by lifting the handset of the phone.")),
    "headset_on_hook": _Words(
        409, N_("The headset phone of this seat is on hook."), N_("Take it off hook, then go ready.")
    ),
    "phone_blocked": _Words(
        409, N_("The phone of this seat is blocked."), N_("A supervisor gives its channel back at the wall.")
    ),
    "configuration_wrong": _Words(
        409,
        N_("The configuration files of the box are wrong: nothing was changed."),
        N_("An administrator corrects them; linebox config check names what is wrong."),
    ),
    "in_call": _Words(409, N_("The agent is in a call."), N_("End the call first.")),
    "too_large": _Words(413, N_("The request is too large."), N_("Send less at once.")),
    "range_not_satisfiable": _Words(
        416, N_("The recording ends before the part that is asked for."), N_("Ask for a part within its length.")
    ),
    "server_error": _Words(500, N_("Something went wrong in the box."), N_("Try again; the log of the box says more.")),
    "callserver_away": _Words(
        503, N_("Call control does not answer at the moment."), N_("It comes back by itself within seconds.")
    ),
    "records_away": _Words(
        503, N_("The call records cannot be read at the moment."), N_("Try again; look at the alarms and the disk.")
    ),
    "audit_away": _Words(
        503,
        N_("Reading is refused because the audit cannot be written."),
        N_("Look at the disk of the box: it may be full."),
    ),
    "not_stored": _Words(
        503, N_("It could not be stored: nothing was changed."), N_("Look at the disk of the box: it may be full.")
    ),
    "too_many_streams": _Words(503, N_("Too many pages are open."), N_("Close pages that are not needed.")),
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """Raised by whatever answers a request, to answer it with a problem instead.

    What an exception says belongs into the log: it is neither in the reader's language nor meant for readers."""

    def __init__(self, code: str, *details: Detail, status: int = 0, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
        self.status = KNOWN[code].status if code in KNOWN else status or KNOWN["not_possible_now"].status
        self.headers = headers or {}

    def problem(self, words: Words) -> Problem:
        """As it is told to the one who asked. A code that nobody has written words for is told with general ones."""
        known = KNOWN.get(self.code, KNOWN["not_possible_now"])
        return Problem(
            status=self.status,
            title=TITLES[self.status],
            code=self.code,
            what=words(known.what),
            remedy=words(known.remedy),
            details=tuple(words(one.text, **one.values) for one in self.details),
        )


encode_problem = msgspec.json.Encoder().encode
