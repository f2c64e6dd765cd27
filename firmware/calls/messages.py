"""What the callserver tells pages, agents' programs and the command line, and what they ask of it (CTI).

Events carry CSTA names and are numbered without gaps over the whole life of the box; a client that reconnects
subscribes after its last number and misses nothing. An event is sent only after the database has it. Reasons are codes;
words are made at display.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from boards.signals import LoopWay
from firmware.core.clock import Stamp
from firmware.core.faults import Fault
from firmware.core.line_schemas import BlockedChannel, LineLevels
from firmware.lines.loop_messages import LoopOutcome
from firmware.lines.messages import BoardState, ChannelState
from firmware.tones.cadence import LearnedTone


class AgentState(StrEnum):
    """What an agent is doing; every change is an AgentStateChanged event."""

    LOGGED_OUT = "LoggedOut"
    NOT_READY = "NotReady"
    READY = "Ready"
    OFFERED = "Offered"
    TALKING = "Talking"
    WRAP_UP = "WrapUp"


class EventName(StrEnum):
    """CSTA (ECMA-269) names where there is one."""

    ARRIVED = "ServiceInitiated"
    """A contact arrived; called, calling and service are known."""
    ORIGINATED = "Originated"
    """An agent calls out."""
    QUEUED = "Queued"
    DELIVERED = "Delivered"
    """An agent's phone rings (or headset beeps) for the contact; of a call out: the far phone rings."""
    ESTABLISHED = "Established"
    DIVERTED = "Diverted"
    """An offer was taken back (no answer, agent's phone failed); the contact is in the queue again."""
    HELD = "Held"
    RETRIEVED = "Retrieved"
    FAILED = "Failed"
    CONNECTION_CLEARED = "ConnectionCleared"
    """One leg left the call."""
    CONTACT_ENDED = "CallCleared"
    """The contact is over; its record is complete but for the recording's closing."""
    DIGIT = "DigitsGenerated"
    AGENT_STATE_CHANGED = "AgentStateChanged"
    CHANNEL_CHANGED = "ChannelChanged"
    BOARD_CHANGED = "BoardChanged"
    RECORDING_CLOSED = "RecordingClosed"
    CONFIGURATION_CHANGED = "ConfigurationChanged"
    """What stands in the files is in force now: who works by them reads them again."""
    BLOCKING_CHANGED = "BlockingChanged"
    """Channels were blocked or given back by hand (`BoxState.blocked`); nothing else in the files came into force."""
    LINE_LEARNT = "LineLearnt"
    """A lesson asked for by LearnLine is over: `tone` was measured and is in force; without one, `reason` says why."""
    LOOP_TESTED = "LoopTested"
    """A test asked for by LoopTest is over: `loop_test`, with what was found, or why nothing was (`reason`)."""
    ALARMS_CHANGED = "AlarmsChanged"
    """`reason` names the alarms of the box that there are now, separated by spaces."""
    DISPLAY_CHANGED = "DisplayChanged"
    """The display at a seat failed (`reason`), or works again."""
    PANEL_CHANGED = "PanelChanged"
    """Lamps or buttons at the front of the box failed (`reason`), or work again."""


class CallEvent(msgspec.Struct, tag="event", frozen=True, kw_only=True, omit_defaults=True):
    """One numbered event. Fields that do not apply are left out."""

    number: int
    name: EventName
    at: Stamp
    contact: int = 0
    call: int = 0
    leg: int = 0
    service: str = ""
    queue: str = ""
    agent: str = ""
    seat: str = ""
    calling: str = ""
    called: str = ""
    outgoing: bool = False
    """An agent calls: `called` is the citizen."""
    state: str = ""
    reason: str = ""
    cause: str = ""
    digit: str = ""
    recording: int = 0
    channel: ChannelState | None = None
    board: BoardState | None = None
    line: str = ""
    """Channel label of an analogue trunk."""
    tone: LearnedTone | None = None
    loop_test: LoopOutcome | None = None
    fault: Fault | None = None
    """Why a recording could not be completed; `reason` is its code."""


# ---- what pages show -------------------------------------------------------------------------------------------------


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """One agent, signed in or not."""

    agent: str
    """Agent number 工号."""
    name: str
    state: AgentState
    reason: str = ""
    since: Stamp | None = None
    seat: str = ""
    contact: int = 0
    queues: tuple[str, ...] = ()


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    seat: str
    extension: str
    """Channel label, e.g. FXS-3."""
    headset: bool = False
    agent: str = ""
    display_fault: Fault | None = None
    """Why the display at the seat shows nothing; None while it works, or if there is none."""


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    queue: str
    title: str
    waiting: int
    longest_wait_since: Stamp | None = None
    ready_agents: int = 0


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """One live contact."""

    contact: int
    state: str
    """`announced`, `menu`, `queued`, `offered`, `talking`, `held`, `ending`."""
    calling: str
    called: str
    service: str
    arrived: Stamp
    since: Stamp
    queue: str = ""
    agent: str = ""
    seat: str = ""
    trunk: str = ""
    recorded: bool = False
    presentation: str = "allowed"
    """`allowed`, `restricted` or `unavailable`; the calling number is empty unless it is allowed."""
    calling_name: str = ""
    region: str = ""
    """Where the number is from (`regions.py`): a name, a code, or empty."""
    outgoing: bool = False
    """The box called: `called` is the citizen."""
    times: int | None = None
    """How often this number has called, this call included; None: not known."""


class BoxAlarm(StrEnum):
    """What is wrong with the box itself; boards tell their own."""

    DISK_LOW = "disk_low"
    """Less than twice the reserve is free: old recordings are deleted where that is allowed."""
    RECORDINGS_REFUSED = "recordings_refused"
    """Less than the reserve is free: no new recording begins."""
    RECORDINGS_STOPPED = "recordings_stopped"
    """Less than a quarter of the reserve is free: running recordings wait, too."""
    RECORDS_ON_RESERVE = "records_on_reserve"
    """The disk was full for the records of calls: they use what was kept for that."""
    ALL_TRUNKS_BLOCKED = "all_trunks_blocked"
    """By hand: nobody can call in."""
    STOPPING = "stopping"
    """Somebody holds the shut-down button: the box is about to stop, in order."""


class BoxState(msgspec.Struct, tag="box_state", frozen=True, kw_only=True):
    """Everything live, as of event `number`."""

    number: int
    at: Stamp
    box_id: str
    gateway_connected: bool
    recorder_connected: bool
    agents: tuple[AgentView, ...] = ()
    seats: tuple[SeatView, ...] = ()
    queues: tuple[QueueView, ...] = ()
    contacts: tuple[ContactView, ...] = ()
    channels: tuple[ChannelState, ...] = ()
    boards: tuple[BoardState, ...] = ()
    alarms: tuple[BoxAlarm, ...] = ()
    blocked: tuple[BlockedChannel, ...] = ()
    """Channels that are out of service by hand. One whose state is not `blocked` yet will be when its call is over; one
    whose state is, and that is not here, was blocked by the far end."""
    levels: dict[str, LineLevels] = {}
    """Label → levels in force, of the analogue lines that are not left as they are."""
    panel_faults: tuple[Fault, ...] = ()
    """What is wrong with lamps and buttons at the front of the box."""


# ---- requests --------------------------------------------------------------------------------------------------------


Labels = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=1000)]
"""Channel labels, e.g. E1-1/17."""


class SignIn(msgspec.Struct, tag="sign_in", frozen=True):
    """Agent takes a seat. State becomes NotReady(signed_in)."""

    agent: str
    seat: str


class SignOut(msgspec.Struct, tag="sign_out", frozen=True):
    agent: str


class SetReady(msgspec.Struct, tag="set_ready", frozen=True):
    """Also ends wrap-up."""

    agent: str


class SetNotReady(msgspec.Struct, tag="set_not_ready", frozen=True):
    """In a call: takes effect when it ends."""

    agent: str
    reason: str = "break"


class AnswerCall(msgspec.Struct, tag="answer_call", frozen=True):
    """Headset seats: connect the offered contact. A seat without headset answers by lifting the handset."""

    agent: str


class HoldCall(msgspec.Struct, tag="hold_call", frozen=True):
    agent: str


class RetrieveCall(msgspec.Struct, tag="retrieve_call", frozen=True):
    agent: str


class ReleaseCall(msgspec.Struct, tag="release_call", frozen=True):
    """The agent ends the conversation."""

    agent: str


class GetBoxState(msgspec.Struct, tag="get_box_state", frozen=True):
    """Answer: BoxState, as of its event number."""


class Subscribe(msgspec.Struct, tag="subscribe", frozen=True):
    """All events after this number, then live ones. -1: live ones only."""

    after: Annotated[int, msgspec.Meta(ge=-1, le=1 << 62)] = -1


class MakeCall(msgspec.Struct, tag="make_call", frozen=True):
    """An agent calls a number: with a headset, or with the handset of the seat's phone lifted. The group's first free
    trunk is taken, by its policy, and the next one if that cannot."""

    agent: str
    number: Annotated[str, msgspec.Meta(pattern=r"^[+]?[0-9*#]{1,24}$")]
    group: str = ""
    """Trunk group; empty: the first of the configuration."""


class LearnLine(msgspec.Struct, tag="learn_line", frozen=True):
    """Learn the busy tone of an analogue trunk: from the next call that comes there, or of a number that the box calls.
    Done when listening begins; the event LineLearnt tells the end."""

    line: str
    """Channel label, e.g. FXO-1."""
    number: Annotated[str, msgspec.Meta(pattern="^[0-9*#]{0,24}$")] = ""
    seconds: Annotated[float, msgspec.Meta(ge=5, le=600)] = 120.0


class BlockChannels(msgspec.Struct, tag="block_channels", frozen=True):
    """Take channels out of service by hand 闭塞: those that are idle at once, the others when their calls are over.

    Done when it is stored. Refused for all of them if one label is unknown. One that is blocked already stays so, and
    is stored all the same if the files had been edited meanwhile."""

    channels: Labels
    reason: str


class UnblockChannels(msgspec.Struct, tag="unblock_channels", frozen=True):
    """Give blocked channels back. One that is not blocked stays as it is; a block of it that stands in edited files and
    is not in force yet is taken out of them."""

    channels: Labels


class LoopTest(msgspec.Struct, tag="loop_test", frozen=True):
    """Test the time slots of an E1 in a loop, or loop it for the exchange's own test. Refused while calls are up there.
    Done when the gateway is told; the event LoopTested tells the end."""

    board: str
    way: LoopWay = LoopWay.FAR
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 10.0


class EndLoopTest(msgspec.Struct, tag="end_loop_test", frozen=True):
    """End the loop test of a board before its time. Done when the gateway is told; LoopTested (`stopped`) tells that
    the channels are given back. Refused (`no_loop_test`) if none runs there."""

    board: str


class ReloadConfiguration(msgspec.Struct, tag="reload_configuration", frozen=True):
    """Read the configuration files again. Refused as a whole, with all errors, if any is wrong."""


class ReportDisplay(msgspec.Struct, tag="report_display", frozen=True):
    """The display process says how the display at a seat is; no fault while it works."""

    seat: str
    fault: Fault | None = None


class ReportPanel(msgspec.Struct, tag="report_panel", frozen=True):
    """The display process says what is wrong with lamps and buttons at the front of the box; nothing if they work."""

    faults: Annotated[tuple[Fault, ...], msgspec.Meta(max_length=16)] = ()


class AnnounceStop(msgspec.Struct, tag="announce_stop", frozen=True):
    """The shut-down button was held: the box is about to be stopped, which the supervisor does. Told to everybody, and
    in the audit log. Not `stopping`: it came to nothing."""

    stopping: bool = True


class DeleteRecording(msgspec.Struct, tag="delete_recording", frozen=True):
    """Remove its files; row and links stay. `raw_only`: a compressed copy of it is kept. Refused on legal hold.

    When the reply says done the deletion is on disk, and the archive removes the files.
    """

    recording: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
    reason: str
    raw_only: bool = False


class HoldRecording(msgspec.Struct, tag="hold_recording", frozen=True):
    """Legal hold: keep it whatever its age and whatever room is needed; or no longer."""

    recording: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
    hold: bool
    reason: str


class KeepCopy(msgspec.Struct, tag="keep_copy", frozen=True):
    """From the archive: the compressed copy of a recording lies beside it, durable, with that size and hash."""

    recording: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=1 << 48)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


AnyRequestBody = (
    SignIn
    | SignOut
    | SetReady
    | SetNotReady
    | AnswerCall
    | HoldCall
    | RetrieveCall
    | ReleaseCall
    | GetBoxState
    | Subscribe
    | MakeCall
    | LearnLine
    | BlockChannels
    | UnblockChannels
    | LoopTest
    | EndLoopTest
    | ReloadConfiguration
    | ReportDisplay
    | ReportPanel
    | AnnounceStop
    | DeleteRecording
    | HoldRecording
    | KeepCopy
)


class Request(msgspec.Struct, tag="request", frozen=True):
    """One question; the reply carries the same `id`. `by` names the login or program, for the audit log."""

    id: int
    body: AnyRequestBody
    by: str = ""


class Reply(msgspec.Struct, tag="reply", frozen=True, omit_defaults=True):
    """`error` is a code (empty: done); `details` its lines for a person; `state` the answer to GetBoxState."""

    id: int
    error: str = ""
    details: tuple[str, ...] = ()
    state: BoxState | None = None


ToClient = Reply | CallEvent
decode_request = msgspec.json.Decoder(Request).decode
decode_to_client = msgspec.json.Decoder(ToClient).decode
