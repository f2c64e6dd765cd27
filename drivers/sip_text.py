"""What a SIP request and a session description say that pjsua2 does not hand over in fields of its own. Pure text.

For drivers/sip_pjsua2.py, which gets whole messages that pjsip has accepted; everything in them was still written by a
stranger, so every value is cut to a length and freed of what is not text. Not a SIP parser: pjsip is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import unquote

import msgspec

NUMBER_LENGTH = 64
NAME_LENGTH = 128

Presentation = Literal["allowed", "restricted", "unavailable"]

_COMPACT = {"f": "from", "t": "to", "i": "call-id", "v": "via", "m": "contact", "c": "content-type"}
_URI = re.compile(r"(?:sips?|tel):([^>\s]*)", re.IGNORECASE)
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
_PRIVATE = frozenset({"id", "user", "header", "session"})
"""Values of the Privacy header (RFC 3323, RFC 3325) that ask to hide the caller."""


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls whom. All texts are printable and of bounded length."""

    called: str
    """User part of the Request-URI; may be empty."""
    calling: str
    """User part of P-Asserted-Identity if From is anonymous, else of From; empty if it is not told."""
    calling_name: str
    presentation: Presentation
    """`restricted`: do not show it (RFC 3323 Privacy, or an anonymous From). `unavailable`: there is no number."""
    telephone_events: bool
    """The caller offers RFC 4733 events for its digits."""


def _headers(message: str) -> Iterator[tuple[str, str]]:
    """(name in small letters, value) of each header; folded lines joined (RFC 3261, 7.3.1)."""
    head = message.replace("\r\n", "\n").partition("\n\n")[0]
    for line in re.sub(r"\n[ \t]+", " ", head).split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            yield _COMPACT.get(name, name), value.strip()


def clean(text: str, length: int) -> str:
    """Text without control characters and what was no UTF-8, at most `length` characters."""
    return _NOT_TEXT.sub("", text[: 8 * length]).strip()[:length]


def uri_user(uri: str) -> str:
    """The user part of a SIP URI, or the number of a tel URI, unescaped, without parameters (`;phone-context=…`)."""
    found = _URI.search(uri)
    if found is None:
        return ""
    is_tel = found.group(0)[:4].lower() == "tel:"
    user, at, _ = found.group(1).rpartition("@")
    if not at:
        user = found.group(1) if is_tel else ""
    user = user.partition(":")[0].partition(";")[0]
    return clean(unquote(user), NUMBER_LENGTH)


def _display_name(address: str) -> str:
    """The display name of a name-addr; quoted pairs undone."""
    quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"', address)
    name = re.sub(r"\\(.)", r"\1", quoted.group(1)) if quoted else address.partition("<")[0] if "<" in address else ""
    return clean(name, NAME_LENGTH)


def parse_invite(message: str) -> Invite:
    """What an INVITE says. Never raises: what cannot be understood is empty."""
    headers: dict[str, str] = {}
    for name, value in _headers(message):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    caller = headers.get("from", "")
    calling = uri_user(caller)
    calling_name = _display_name(caller)
    wishes = {word.strip().lower() for word in re.split(r"[;,]", headers.get("privacy", ""))}
    anonymous = calling.lower() == "anonymous" or "@anonymous.invalid" in caller.lower()
    if anonymous:
        asserted = headers.get("p-asserted-identity", "")
        calling, calling_name = uri_user(asserted), _display_name(asserted)
    presentation: Presentation = "allowed"
    if anonymous or wishes & _PRIVATE:
        presentation = "restricted"
    elif not calling:
        presentation = "unavailable"
    request = message.split("\n", 1)[0].split(" ")
    return Invite(
        called=uri_user(request[1]) if len(request) > 1 else "",
        calling=calling,
        calling_name=calling_name,
        presentation=presentation,
        telephone_events=bool(re.search(r"^a=rtpmap:\d+ +telephone-event/", message, re.IGNORECASE | re.MULTILINE)),
    )


def prefer_alaw(ours: str, theirs: str) -> str:
    """Our session description for an answer, without µ-law if theirs offers A-law: the exchange is A-law throughout,
    and recoding costs quality. (RFC 3264, 6.1: the answerer chooses; pjsip would follow the offer's order.)"""
    offered = re.search(r"^m=audio \d+ \S+((?: \d+)+)", theirs, re.MULTILINE)
    if offered is None or "8" not in offered.group(1).split():
        return ours
    ours = re.sub(r"^a=(?:rtpmap|fmtp):0 [^\r\n]*\r?\n", "", ours, flags=re.MULTILINE)
    return re.sub(r"^(m=audio \d+ \S+)((?: \d+)+)", _without_mulaw, ours, count=1, flags=re.MULTILINE)


def _without_mulaw(line: re.Match[str]) -> str:
    formats = [number for number in line.group(2).split() if number != "0"]
    return " ".join((line.group(1), *formats))
