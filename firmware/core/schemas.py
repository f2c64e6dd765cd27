"""The configuration documents of a box: what each may hold, with defaults. Reading and checking is `configuration.py`.

Those of boards, lines and trunk groups are in line_schemas.py. One file per subject in the configuration folder, each a
TinyDB file with one table of the same name, so that a person can read and compare them over SSH. A field without a
default must be given.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from firmware.core.line_schemas import (
    BlockedChannel,
    BoardEntry,
    ExchangeLineEntry,
    GpioName,
    LineLevels,
    Telephone,
    TrunkGroup,
)
from firmware.core.schema_fields import ClockTime, Days, Digit, Name, NumberPrefix, Role, Seconds, Sound, Title, Weekday


class RecordingWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time of the week, in the time of China, in which calls are recorded."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, description="a list of days that is not empty")] = (
        *("mon", "tue", "wed", "thu", "fri"),
        *("sat", "sun"),
    )
    begin: ClockTime = "00:00"
    end: ClockTime = "24:00"
    """Not included. Before `begin`: the window ends on the next day."""


class Recordings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is recorded, and how long it is kept. What is on legal hold is kept whatever stands here."""

    windows: tuple[RecordingWindow, ...] = ()
    """A call that is answered in one of these is recorded to its end, any other not. Empty: every call."""
    keep_days: Days = 0
    """Older recordings are deleted; 0: age alone deletes none."""
    least_days: Days = 180
    """Younger recordings are never deleted, whatever room is needed."""
    quota_gb: Annotated[float, Meta(ge=0, le=1e6, description="gigabytes, 0 to 1000000")] = 0.0
    """When all recordings take more, the oldest are deleted; 0: when the disk has less than twice the reserve free."""
    reserve_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="megabytes, 1 to 1000000")] = 256
    """Kept free for calls and their records: with less no new recording begins, with a quarter of it none goes on."""
    compress: bool = True
    """Make a FLAC copy of finished recordings while no call is recorded; it holds the same samples."""
    raw_days: Days = 30
    """Days after which a recording with such a copy is kept as that copy alone; 0: both are kept."""


class Panel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lamps and buttons at the front of the box, each on a GPIO line of the processor; empty: there is none.

    What they mean is in `firmware/calls/panel.py`, how they are connected in `drivers/README.md`.
    """

    service: GpioName = ""
    """Lamp 运行."""
    alarm: GpioName = ""
    """Lamp 告警."""
    call: GpioName = ""
    """Lamp 通话."""
    acknowledge: GpioName = ""
    """Button 告警确认."""
    shut_down: GpioName = ""
    """Button 关机."""


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`box.json`: one document, who this box is."""

    box_id: Annotated[
        str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,31}$", description="up to 32 small letters, digits and hyphens")
    ]
    """Short and unique in the province, e.g. `xian-01`; in the key of every row."""
    name: Title
    region: Annotated[str, Meta(pattern="^[0-9]{6}$", description="six digits, as in GB/T 2260")]
    """Administrative division code GB/T 2260, six digits."""
    language: Literal["zh_CN", "en"] = "zh_CN"
    number_regions: dict[NumberPrefix, Title] = {}
    """Which place numbers that begin so call from, e.g. `{"1380913": "渭南", "8891": "城关镇"}`; the longest prefix
    wins, also over the country's area codes."""
    recordings: Recordings = Recordings()
    panel: Panel = Panel()


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`services.json`: what a called number reaches."""

    service: Name
    title: Title
    called: tuple[Telephone, ...]
    """Called numbers. One service has `default` set and takes all others."""
    default: bool = False
    greeting: tuple[Sound, ...] = ("prompt:welcome",)
    greeting_interruptible: bool = True
    """Where a menu follows: a digit ends the greeting and counts for the menu; else see `Menu.typed_ahead`."""
    queue: str = ""
    """Where the caller goes after the greeting: straight to a person (GB/T 33358)."""
    menu: str = ""
    """Or the menu that is asked first."""


class Menu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`menus.json`: a menu of one level. Digit → queue."""

    menu: Name
    prompt: tuple[Sound, ...]
    interruptible: bool = True
    """A digit ends the prompt and counts at once."""
    typed_ahead: bool = True
    """A digit that is pressed in what cannot be interrupted counts when that is over; else it is lost."""
    choices: dict[Digit, str]
    """Digit to queue name."""
    timeout_seconds: Seconds = 5.0
    attempts: Annotated[int, Meta(ge=1, le=10, description="a whole number from 1 to 10")] = 2
    otherwise: str
    """Queue for a caller who chooses nothing."""


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`queues.json`: a waiting line."""

    queue: Name
    title: Title
    music: Sound = "music:waiting"
    offer_seconds: Seconds = 15.0
    """How long an agent's phone rings before the contact goes back to the head of the queue."""
    wrap_up_seconds: Annotated[float, Meta(ge=0, le=86400, description="seconds, 0 to a day")] = 10.0
    agent_announcement: tuple[Sound, ...] = ()
    """报工号: what the citizen hears when an agent has answered, before the two are joined, e.g. `word:工号`,
    `say:agent`, `word:为您服务`; the agent hears a short tone at its end. Empty: nothing."""
    announce_every_seconds: Annotated[float, Meta(ge=0, le=3600, description="seconds, 0 to an hour")] = 0.0
    """Who waits hears `announcement` so often, music between; 0: never."""
    announcement: tuple[Sound, ...] = ("say:position", "say:wait")
    """Place in the queue and expected wait (`firmware/acd/expected_wait.py`)."""


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agents.json`: an agent number 工号, whose person it is, and which queues it serves."""

    agent: Name
    name: Title
    queues: tuple[str, ...]


class Display(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A display that stands at a seat."""

    kind: Literal["hd44780", "serial"]
    """`hd44780`: characters (ASCII) by a PCF8574 on an I²C bus; `serial`: Chinese (GB 2312) on a serial line."""
    device: Annotated[str, Meta(pattern="^/dev/.+$", description="a device such as /dev/i2c-1 or /dev/ttyUSB0")]
    address: Annotated[int, Meta(ge=8, le=119, description="an I²C address, 8 to 119")] = 0x27
    """On the I²C bus: 39 (0x27) for a PCF8574, 63 (0x3f) for a PCF8574A, with its address pins open."""
    columns: Annotated[int, Meta(ge=12, le=40, description="12 to 40 columns: a number of 11 digits must fit")] = 20
    rows: Annotated[int, Meta(ge=1, le=4, description="1 to 4 rows")] = 2
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    """Of the serial line."""


class Seat(LineLevels, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seats.json`: a place with an attached phone. Its levels are those of the phone's line."""

    seat: Name
    extension: Name
    """Channel label of its phone, e.g. `FXS-3`."""
    headset: bool = False
    """The phone stays off hook while an agent is signed in; calls are answered on the page."""
    phone_display: bool = False
    """The phone's display takes texts while it lies on its hook (FSK without ringing): state and queue. Many phones do
    not, or take each for a missed call. Who calls is shown by every phone that has caller ID."""
    display: Display | None = None
    """The display beside the phone, if there is one."""


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`logins.json`: who may sign in to the pages."""

    login: Name
    name: Title
    password_hash: Annotated[
        str, Meta(pattern=r"^\$argon2id\$", description="an argon2id hash, as `linebox login password` writes it")
    ]
    """argon2id, as argon2-cffi writes it."""
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, description="a list of roles that is not empty")]
    """`administrator`, `supervisor`, `agent`."""
    agent: str = ""
    """The agent number that this login works under, if any."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A whole, checked configuration."""

    box: Box
    boards: tuple[BoardEntry, ...]
    services: tuple[Service, ...]
    menus: tuple[Menu, ...]
    queues: tuple[Queue, ...]
    agents: tuple[Agent, ...]
    seats: tuple[Seat, ...]
    logins: tuple[Login, ...]
    exchange_lines: tuple[ExchangeLineEntry, ...] = ()
    trunk_groups: tuple[TrunkGroup, ...] = ()
    blocked_channels: tuple[BlockedChannel, ...] = ()
