"""What is going on, as structs: contact, leg, agent, recording. Kept as JSON in the `live` table for a restart.

No behaviour here: that is in `firmware/contacts`. Times are stamps; deadlines are monotonic microseconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from firmware.calls.messages import AgentState
from firmware.core.clock import Stamp
from firmware.core.schemas import Menu


class ContactState(StrEnum):
    """Where a contact is on its way."""

    CALLING = "calling"
    """An agent calls out, and nobody has answered yet."""
    ARRIVING = "arriving"
    """Our answer has been ordered and is not yet confirmed."""
    ANNOUNCED = "announced"
    MENU = "menu"
    QUEUED = "queued"
    OFFERED = "offered"
    TALKING = "talking"
    HELD = "held"
    ENDING = "ending"
    """The citizen's line has been told to clear and is not yet idle."""


class Party(StrEnum):
    CITIZEN = "citizen"
    AGENT = "agent"


class Leg(msgspec.Struct, kw_only=True):
    """One party on one line while it belongs to a call. `gateway_leg` is empty until the gateway has named it."""

    number: int
    contact: int
    call: int
    party: Party
    channel: int
    started: Stamp
    gateway_leg: str = ""
    agent: str = ""
    seat: str = ""
    answered: bool = False
    segment: str = ""
    """Kind of the open segment; empty when none is open."""
    segment_since: Stamp | None = None
    segment_queue: str = ""
    served_queue: str = ""
    """An agent's leg: the queue that the contact came from."""
    served_since: Stamp | None = None
    not_recorded: str = ""
    """Why this line is not recorded from its answer on; empty if it is."""


class Contact(msgspec.Struct, kw_only=True):
    """One citizen's matter of the moment."""

    number: int
    call: int
    state: ContactState
    since: Stamp
    arrived: Stamp
    service: str
    calling: str
    called: str
    trunk: str
    """Channel label of the citizen's line."""
    citizen_leg: int
    agent_leg: int = 0
    queue: str = ""
    queued: Stamp | None = None
    agent: str = ""
    """The agent who is offered the contact or talks."""
    request: str = ""
    """Name of the ring that belongs to the offer; no other offer, also not one that was lost in a crash, has it."""
    deadline_us: int = 0
    """Monotonic microseconds at which the offer or the menu's wait ends; 0: none."""
    play: str = ""
    """Name of the play whose end is waited for."""
    interruptible: bool = False
    """That play is stopped by a digit."""
    typed_ahead: str = ""
    """Digits that were pressed before the menu that they are for."""
    calling_name: str = ""
    """As the line said it."""
    presentation: str = "allowed"
    region: str = ""
    """Where the calling number is from, as `firmware/calls/regions.py` has it."""
    times: int | None = None
    """How often the number has called, this call included; None while it is not known."""
    menu: Menu | None = None
    attempts: int = 0
    """Menu prompts played so far."""
    announce_us: int = 0
    """Monotonic microseconds of the next announcement to who waits; 0: none."""
    announcements: int = 0
    """Announcements while waiting so far."""
    was_answered: bool = False
    outgoing: str = ""
    """The number that an agent calls, as it was given; empty for a contact that came from outside."""
    trunk_group: str = ""
    trunks: tuple[int, ...] = ()
    """Channels on which the call has not been tried yet."""
    placing: str = ""
    """Name of the PlaceCall whose leg the gateway has not named yet."""
    recording: int = 0


class Agent(msgspec.Struct, kw_only=True):
    """An agent who is or was signed in."""

    agent: str
    state: AgentState = AgentState.LOGGED_OUT
    reason: str = ""
    since: Stamp | None = None
    idle_since_us: int = 0
    """Monotonic microseconds since which the agent has been ready: the longest idle is served first. An offer that was
    taken back without the agent's fault does not change it."""
    seat: str = ""
    contact: int = 0
    pending_reason: str = ""
    """NotReady reason that takes effect after the call; empty at rest."""
    deadline_us: int = 0
    """End of wrap-up; 0: none."""
    wrap_up_leg: int = 0
    """The leg of the call that is being finished; it is kept until wrap-up ends."""


class Phone(msgspec.Struct, kw_only=True):
    """The extension port of a seat: which leg the gateway has there, if any.

    `extension` and `headset` are the seat's, as configured when the last agent signed in there or later.
    """

    seat: str
    extension: str = ""
    headset: bool = False
    channel: int = -1
    """-1 while the gateway has no such port, or another seat's agent still has it."""
    gateway_leg: str = ""
    off_hook: bool = False
    """Lifted and fit for use: not one that was given up and must be put down first."""
    request: str = ""
    """A ring that has been ordered and neither begun nor failed yet."""


class Recording(msgspec.Struct, kw_only=True):
    """A recording that is open or waits for the recorder to close it."""

    number: int
    contact: int
    leg: int
    file: str
    gateway_boot: str
    channel: int
    from_sample: int
    to_sample: int | None = None
    """None while it is open; -1 when it has ended and only the recorder knows where."""


class QueueLoad(msgspec.Struct, kw_only=True):
    """How long a queue's contacts took their agents, from answer to the end of the wrap-up, the last ones."""

    queue: str
    handling_seconds: tuple[float, ...] = ()


class BoxLife(msgspec.Struct, kw_only=True):
    """What the callserver must remember of itself."""

    machine_boot: str
    gateway_boot: str = ""
    last_line_number: int = 0
    last_seen: Stamp = Stamp(0, 0)
    """Moment of the last stored input while the gateway was connected: the last one at which it lived for sure."""
