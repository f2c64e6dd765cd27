"""The SIP stack as the SIP worker sees it: events and commands of calls, and one exchange of audio a tick. No pjsua2.

It knows SIP and RTP, and nothing of channels, Setup or Release. Implemented by `Pjsua2Stack` in drivers/sip_pjsua2.py,
which can only be imported where pjsua2 is built.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivers.sip_text import Invite

BLOCK_SAMPLES = 80
ALAW_SILENCE = 0xD5


class SipError(Exception):
    """The stack cannot start or go on; says what happened."""


class SipSettings(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    """Address to listen at, SIP and RTP; 0.0.0.0 for all."""
    port: int
    """UDP and TCP."""
    rows: int
    """How many calls can have audio at a time."""
    first_rtp_port: int = 20000
    rtp_ports: int = 2000
    """RTP and RTCP ports are taken from this range; ports that others hold are passed over."""
    silent_seconds: float = 20.0
    """A far end that sent no audio for this long is asked by OPTIONS whether it is still there; if not, the call ends
    (RFC 3261, 12.2.1.2). A phone whose power was cut holds its line no longer than this and 32 s."""


# ---- events ----------------------------------------------------------------------------------------------------------


class Invited(msgspec.Struct, frozen=True):
    """Somebody calls; 100 Trying has been sent. `call` names the call from here on and is never used again."""

    call: int
    invite: Invite
    source: str
    """Address and port that the request came from."""


class Pressed(msgspec.Struct, frozen=True):
    """A digit came as an event (RFC 4733, or SIP INFO) and is over."""

    call: int
    digit: str
    duration_ms: int


class Ended(msgspec.Struct, frozen=True):
    """The call is no more, whoever ended it; its row may be given to another."""

    call: int
    status: int
    """SIP status of the end: 200 for a BYE, 487 for a CANCEL, 408 for a far end that does not answer …"""


SipEvent = Invited | Pressed | Ended

# ---- commands --------------------------------------------------------------------------------------------------------


class UseRow(msgspec.Struct, frozen=True):
    """The call's audio is this row. Once a call, before Answer."""

    call: int
    row: int


class Ring(msgspec.Struct, frozen=True):
    """180 Ringing."""

    call: int


class Answer(msgspec.Struct, frozen=True):
    """200 OK."""

    call: int


class Refuse(msgspec.Struct, frozen=True):
    """A final response other than 200 to a call that is not answered."""

    call: int
    status: int
    cause: int = 0
    """Q.850 cause for the Reason header (RFC 3326, RFC 6432); 0: none."""
    retry_after_seconds: int = 0


class HangUp(msgspec.Struct, frozen=True):
    """BYE."""

    call: int
    cause: int = 0


SipCommand = UseRow | Ring | Answer | Refuse | HangUp


class SipStack(Protocol):
    """One running stack. All from one thread."""

    from_sip: NDArray[np.uint8]
    """A-law [rows, 80]: what the far ends said in the last `exchange`; silence where there is no call."""
    to_sip: NDArray[np.uint8]
    """A-law [rows, 80]: what they shall hear in the next one."""

    def exchange(self) -> None:
        """10 ms of audio of all rows, both ways. Never waits; k times at once sends k × 10 ms. Raises SipError."""
        ...

    def serve(self) -> list[SipEvent]:
        """Handle what came from the network and the timers that are due; for at most some 4 ms, also under a flood."""
        ...

    def do(self, command: SipCommand) -> None:
        """Carry out a command. For a call that is gone already, or cannot any more, it does nothing: Ended comes."""
        ...

    def close(self) -> None:
        """Stop at once; calls that are left are forgotten, not hung up. May be repeated."""
        ...


def is_built() -> bool:
    """Whether the stack can be loaded."""
    import importlib.util

    return importlib.util.find_spec("pjsua2") is not None
