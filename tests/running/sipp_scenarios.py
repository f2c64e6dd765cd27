"""What sipp's callers do, as scenarios of sipp: talk and hang up, be hung up on, give up, be refused, hold. No tests.

Fields of a call (sip_peers.SippCall): field0 calling number, field1 called number, field2 port of its audio.
"""

from __future__ import annotations

_REQUEST = """<send{retrans}><![CDATA[
{method} {uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {number} {cseq_method}
Contact: <sip:[field0]@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{more}
]]></send>
"""

_BODY = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller {version} {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [field2] RTP/AVP {formats}
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a={direction}
"""

_NO_BODY = "Content-Length: 0\n"
_INITIAL_URI = "sip:[field1]@[remote_ip]:[remote_port]"


def _request(method: str, number: int, body: str = _NO_BODY, in_dialog: bool = True) -> str:
    return _REQUEST.format(
        method=method,
        uri="[next_url]" if in_dialog else _INITIAL_URI,
        to_tag="[peer_tag_param]" if in_dialog else "",
        number=number,
        cseq_method="INVITE" if method == "ACK" else method,
        more=body,
        retrans="" if method == "ACK" else ' retrans="500"',
    )


def _scenario(*steps: str) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="caller">\n' + "".join(steps) + "</scenario>\n"


def _answered(formats: str = "8 0 101") -> str:
    """INVITE to ACK."""
    return (
        _request("INVITE", 1, _BODY.format(version=1, formats=formats, direction="sendrecv"), in_dialog=False)
        + '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
        + '<recv response="200" rrs="true"/>'
        + _request("ACK", 1)
    )


def _pause(seconds: float) -> str:
    return f'<pause milliseconds="{round(seconds * 1000)}"/>\n'


_BYE = _request("BYE", 9) + '<recv response="200"/>\n'


def caller_hangs_up(after_seconds: float, formats: str = "8 0 101") -> str:
    """A caller who talks for a time, then hangs up."""
    return _scenario(_answered(formats), _pause(after_seconds), _BYE)


def box_hangs_up() -> str:
    """A caller who talks until the box ends the call."""
    return _scenario(_answered(), '<recv request="BYE"/>', _OK)


_OK = """<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""


def caller_gives_up(after_seconds: float) -> str:
    """A caller who cancels while it rings."""
    initial = _request("INVITE", 1, _BODY.format(version=1, formats="8 101", direction="sendrecv"), in_dialog=False)
    cancel = _request("CANCEL", 1, in_dialog=False).replace("[branch]", "[branch-4]")
    ack = _request("ACK", 1, in_dialog=False).replace("[branch]", "[branch-7]")
    ack = ack.replace("]:[remote_port]>", "]:[remote_port]>[peer_tag_param]", 1)
    return _scenario(
        initial,
        '<recv response="100"/><recv response="180"/>',
        _pause(after_seconds),
        cancel,
        '<recv response="200"/><recv response="487"/>',
        ack,
    )


def refused(status: int) -> str:
    """A caller who expects to be refused."""
    initial = _request("INVITE", 1, _BODY.format(version=1, formats="8 101", direction="sendrecv"), in_dialog=False)
    ack = _request("ACK", 1, in_dialog=False).replace("[branch]", "[branch-3]")
    return _scenario(
        initial,
        '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
        f'<recv response="{status}"/>',
        ack,
    )


def caller_holds(talk_seconds: float, hold_seconds: float) -> str:
    """A caller who talks, puts the box on hold (re-INVITE, sendonly: CSeq 2), takes it back (CSeq 3), and talks until
    the box ends the call."""
    steps = []
    for number, direction in ((2, "sendonly"), (3, "sendrecv")):
        body = _BODY.format(version=number, formats="8 101", direction=direction)
        steps.append(_pause(talk_seconds if number == 2 else hold_seconds))
        steps.append(_request("INVITE", number, body))
        steps.append('<recv response="100" optional="true"/><recv response="200" rrs="true"/>')
        steps.append(_request("ACK", number))
    return _scenario(_answered("8 101"), *steps, '<recv request="BYE"/>', _OK)


def caller_asks_for_transfer(status: int) -> str:
    """A caller who wants the box to call somebody else (REFER), expects this status, and hangs up."""
    refer = _request("REFER", 2, "Refer-To: <sip:0085212345678@[local_ip]:[local_port]>\n" + _NO_BODY)
    return _scenario(_answered(), refer, f'<recv response="{status}"/>', _BYE)
