"""What an INVITE and a session description say."""

from __future__ import annotations

import random

import pytest

from drivers.sip_text import parse_invite, prefer_alaw, uri_user


def message(*headers: str, start: str = "INVITE sip:12345@box.example SIP/2.0", body: str = "") -> str:
    return "\r\n".join((start, *headers)) + "\r\n\r\n" + body


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:12345@10.0.0.1:5060;transport=udp", "12345"),
        ("<sips:12345@box>", "12345"),
        ("tel:+86-10-12345;phone-context=+86", "+86-10-12345"),
        ("sip:%31%32345;isub=1@box", "12345"),
        ("sip:alice:secret@box", "alice"),
        ("sip:box.example", ""),
        ("sip:a%00b@box", "ab"),
        ("http://12345@box", ""),
        ("sip:" + "1" * 5000 + "@box", "1" * 64),
    ],
)
def test_user_part(uri: str, user: str) -> None:
    assert uri_user(uri) == user


def test_who_calls_whom() -> None:
    invite = parse_invite(message('From: "王 \\"芳\\"" <sip:13800138000@gw.example>;tag=1', "To: <sip:x@y>"))

    assert (invite.called, invite.calling, invite.calling_name) == ("12345", "13800138000", '王 "芳"')
    assert invite.presentation == "allowed"


def test_compact_and_folded_headers() -> None:
    invite = parse_invite(message("f: Wang\r\n <sip:138@gw>\r\n ;tag=2", "v: SIP/2.0/UDP x"))

    assert (invite.calling, invite.calling_name) == ("138", "Wang")


@pytest.mark.parametrize(
    ("headers", "calling", "presentation"),
    [
        (["From: <sip:138@gw>;tag=1", "Privacy: id"], "138", "restricted"),
        (["From: <sip:138@gw>;tag=1", "Privacy: header;user"], "138", "restricted"),
        (["From: <sip:138@gw>;tag=1", "Privacy: none"], "138", "allowed"),
        (["From: Anonymous <sip:anonymous@anonymous.invalid>;tag=1"], "", "restricted"),
        (
            ["From: <sip:anonymous@gw>;tag=1", "P-Asserted-Identity: <tel:+8613800138000>", "Privacy: id"],
            "+8613800138000",
            "restricted",
        ),
        (["From: <sip:gw.example>;tag=1"], "", "unavailable"),
        ([], "", "unavailable"),
    ],
)
def test_callers_who_do_not_want_to_be_shown(headers: list[str], calling: str, presentation: str) -> None:
    invite = parse_invite(message(*headers))

    assert (invite.calling, invite.presentation) == (calling, presentation)


@pytest.mark.parametrize(
    ("line", "offered"),
    [("a=rtpmap:101 telephone-event/8000", True), ("a=rtpmap:96 TELEPHONE-EVENT/8000", True), ("a=sendrecv", False)],
)
def test_digits_as_events(line: str, offered: bool) -> None:
    assert parse_invite(message("From: <sip:1@x>", body=f"v=0\r\n{line}\r\n")).telephone_events is offered


def test_whatever_a_stranger_sends_gives_short_printable_texts() -> None:
    dice = random.Random(3)
    good = message('From: "王\udcff\x07" <sip:1@x>', "Privacy: id", "P-Asserted-Identity: <tel:1>", body="m=audio")
    for _ in range(2000):
        at, to = dice.randrange(len(good)), dice.randrange(len(good))
        text = good[:at] + chr(dice.choice([0, 10, 13, 34, 37, 58, 60, 64, 0xDCFF, 0x738B])) + good[to:] * 2
        invite = parse_invite(text)
        for value, length in ((invite.called, 64), (invite.calling, 64), (invite.calling_name, 128)):
            assert len(value) <= length
            value.encode()
            assert not any(ord(letter) < 32 for letter in value)


OURS = (
    "v=0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
)


def test_alaw_is_taken_even_if_mu_law_is_offered_first() -> None:
    wanted = prefer_alaw(OURS, "v=0\r\nm=audio 9 RTP/AVP 0 18 8\r\n")

    assert "m=audio 4000 RTP/AVP 8 101\r\n" in wanted
    assert "PCMU" not in wanted
    assert "telephone-event" in wanted


@pytest.mark.parametrize("theirs", ["", "v=0\r\nm=audio 9 RTP/AVP 0 18\r\n", "v=0\r\nm=video 9 RTP/AVP 8\r\n"])
def test_without_alaw_on_offer_nothing_is_changed(theirs: str) -> None:
    assert prefer_alaw(OURS, theirs) == OURS
