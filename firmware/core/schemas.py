"""The configuration documents of a box: what each may hold, with defaults. Reading and checking is `configuration.py`.

One file per subject in the configuration folder, each a TinyDB file with one table of the same name, so that a person
can read and compare them over SSH. A field without a default must be given.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# The descriptions are what a person is told when a value does not fit.
Name = Annotated[str, Meta(min_length=1, max_length=64, description="a name that is not empty")]
"""Names documents, and is what other documents refer to."""
Title = Annotated[str, Meta(min_length=1, max_length=200, description="a text that is not empty")]
Sound = Annotated[
    str,
    Meta(
        pattern=r"^((prompt|word|tone|music):[^/]+|text:.{1,200}|say:(agent|position|wait)"
        r"|say:(number:-?[0-9]{1,16}|decimal:-?[0-9]{1,16}(\.[0-9]{1,9})?|ordinal:[1-9][0-9]{0,15}"
        r"|amount:-?[0-9]{1,15}(\.[0-9]{1,2})?|(date|weekday):[0-9]{4}-[01][0-9]-[0-3][0-9]|time:[0-2][0-9]:[0-5][0-9]"
        r"|duration:[0-9]{1,9}|telephone:[+]?[0-9*#]{1,40}))$",
        description="a sound such as prompt:welcome, music:waiting, text:您好, say:number:1203 or say:telephone:12345",
    ),
]
"""Also `word:…` and `tone:…` of the store. What can be said is in `firmware/ivr/announcements.py`."""
Digit = Annotated[str, Meta(pattern="^[0-9*#]$", description="one digit, * or #")]
NumberPrefix = Annotated[str, Meta(pattern="^[+]?[0-9]+$", description="the first digits of a telephone number")]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="seconds, more than 0 and at most a day")]
Role = Literal["administrator", "supervisor", "agent"]


ClockTime = Annotated[
    str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", description="a time of day, 00:00 to 24:00")
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[int, Meta(ge=0, le=36500, description="days, 0 to 36500")]


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


SpiDevice = Annotated[
    str, Meta(pattern=r"^/dev/spidev[0-9]+\.[0-9]+$", description="an SPI device such as /dev/spidev0.0")
]
GpioName = Annotated[
    str, Meta(pattern=r"^(/dev/gpiochip[0-9]+:[0-9]+)?$", description="a GPIO line such as /dev/gpiochip0:17")
]
Slot = Annotated[int, Meta(ge=0, le=127, description="a slot of the TDM bus, 0 to 127")]


class LinePort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line chip of a `spi_analogue` board."""

    chip: Literal["si3210", "si3050"]
    """`si3210`: an attached phone (FXS); `si3050`: an exchange line (FXO)."""
    spi: SpiDevice
    slot: Slot
    """Where its samples are on the TDM bus; each port its own."""


class TdmBus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The TDM bus of a board on the processor's own buses, as an ALSA sound card."""

    card: Title = "hw:CARD=tdm"
    """As `arecord -L` lists it."""
    slots: Annotated[int, Meta(ge=1, le=128, description="1 to 128 slots")] = 32
    samples: Literal["a_law", "word"] = "a_law"
    """`a_law`: 8-bit slots; `word`: 16-bit slots with the A-law code in the lower byte."""


class AnalogueLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `spi_analogue` board: SPI line chips and a TDM bus."""

    ports: Annotated[tuple[LinePort, ...], Meta(min_length=1, description="a list of ports that is not empty")]
    tdm: TdmBus = TdmBus()
    hardware: Literal["real", "simulated"] = "real"
    """`simulated`: register-accurate chips in the gateway itself; no call leaves the box by them."""
    framing: Literal["byte", "whole"] = "byte"
    """Whether chip select is released after each byte or after a whole access."""
    reset: GpioName = ""
    """GPIO line of the chips' reset pins, low when active; empty: none."""


R2Timer = Literal[
    "recognition",
    "shortest_signal",
    "seize",
    "answer",
    "release_guard",
    "clear_back",
    "release",
    "settle",
    "answer_guard",
    "forward_tone",
    "forward_silence",
    "first_digit",
    "next_digit",
    "backward_tone",
    "pulse",
    "pulse_gap",
]
"""Timers of line bits and registers; what each is for, and its usual value, is in `lines/r2/china.toml`."""
Digits = Annotated[int, Meta(ge=1, le=24, description="1 to 24 digits")]
RegisterSignal = Annotated[int, Meta(ge=1, le=15, description="a register signal, 1 to 15")]


class R2Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In what a span with line bits (China No.1) differs from the country's plan. In force at `linebox reload`."""

    called_digits: Digits | None = None
    """How many digits a called number has."""
    called_lengths: dict[Annotated[str, Meta(pattern="^[0-9]+$", description="first digits of a number")], Digits] = {}
    """The same for numbers that begin so: `{"12345": 5}`. These count beside the country's."""
    calling_category: RegisterSignal | None = None
    """KA that the box sends."""
    call_kind: RegisterSignal | None = None
    """KD that the box sends."""
    timers_ms: dict[R2Timer, Annotated[int, Meta(ge=0, le=600_000, description="milliseconds, 0 to 600000")]] = {}


class FramerSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `framer_e1` board: one E1 framer on SPI and its slots on the TDM bus."""

    spi: SpiDevice
    tdm: TdmBus = TdmBus()
    hardware: Literal["real", "simulated"] = "real"
    clock: Literal["network", "box"] = "network"
    """Where the span's clock comes from: the far end's signal, or the box."""
    crc4: bool = True
    impedance: Literal[75, 120] = 120
    """Ohms: 75 coaxial, 120 twisted pair."""
    reset: GpioName = ""
    r2: R2Settings = R2Settings()


DriverSpan = Annotated[int, Meta(ge=1, le=128, description="1 to 128, a span of the DAHDI driver")]
EchoCanceller = Annotated[str, Meta(pattern="^[a-z0-9]{0,15}$", description="a canceller that the driver has")]


NumberAs = Literal["unknown/unknown", "unknown/isdn", "subscriber/isdn", "national/isdn", "international/isdn"]
"""Type of number and numbering plan (Q.931 table 4-9) that an exchange wants to be told."""


class DahdiE1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `dahdi_e1` board: one E1 span of a card that the DAHDI driver drives."""

    span: DriverSpan
    signalling: Literal["pri", "cas"] = "pri"
    """ISDN with the D channel in slot 16, or line bits (China No.1)."""
    side: Literal["user", "network"] = "user"
    """ISDN: what this end of the line is; towards an exchange the user."""
    overlap: bool = False
    """ISDN: called numbers come digit by digit."""
    called_as: NumberAs = "unknown/unknown"
    """ISDN, calls out: what the number that is called is said to be. Some exchanges take only `unknown/isdn`."""
    calling_as: NumberAs = "unknown/unknown"
    """ISDN, calls out: the same of our own number."""
    crc4: bool = True
    """CRC4 multiframe (ITU-T G.704); both ends must agree."""
    clock_from: Annotated[int, Meta(ge=0, le=8, description="0 to 8")] = 1
    """0: this end gives the clock; 1: the exchange gives it; 2…: the second choice, …"""
    echo_canceller: EchoCanceller = ""
    """The driver's canceller for every channel, e.g. `mg2`; empty: none, samples stay as they are."""
    r2: R2Settings = R2Settings()
    """Line bits only."""


class DahdiPorts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `dahdi_analogue` board: an analogue card of the DAHDI driver, or a channel bank on an E1."""

    span: DriverSpan
    ports: Annotated[
        tuple[Literal["fxs", "fxo"], ...], Meta(min_length=1, description="a list of ports that is not empty")
    ]
    """What each channel of the span is, in order: an attached phone (fxs) or an exchange line (fxo)."""
    law: Literal["card", "a", "mu"] = "card"
    """What the card's samples are, A-law or mu-law (which the board translates). `card`: what its driver says."""
    echo_canceller: EchoCanceller = ""


class BoardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`boards.json`: one document a board; `kind` is the file in `boards/` that drives it."""

    board: Name
    kind: Name
    enabled: bool = True
    extensions: Annotated[int, msgspec.Meta(ge=1, le=32, description="1 to 32 extension ports")] = 8
    """Extension ports of the simulated board. What a real board has, its driver knows."""
    exchange_lines: Annotated[int, msgspec.Meta(ge=0, le=16, description="0 to 16 analogue trunks")] = 0
    """Analogue trunks of the simulated board."""
    analogue: AnalogueLines | None = None
    """Needed by the kind `spi_analogue`."""
    framer: FramerSpan | None = None
    """Needed by the kind `framer_e1`."""
    e1: DahdiE1 | None = None
    """Needed by the kind `dahdi_e1`."""
    ports: DahdiPorts | None = None
    """Needed by the kind `dahdi_analogue`."""


Telephone = Annotated[str, Meta(pattern="^[+]?[0-9*#]+$", description="a telephone number")]
ToneMilliseconds = Annotated[float, Meta(ge=40, le=2000, description="milliseconds, 40 to 2000")]


class BusyTone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tone by which one exchange says that the far end has hung up, as `linebox learn-line` measured it."""

    hz: Annotated[float, Meta(ge=300, le=700, description="a frequency, 300 to 700 Hz")]
    on_ms: ToneMilliseconds
    off_ms: ToneMilliseconds
    level_dbm0: float | None = None
    """As measured, for a person; nothing depends on it."""


class ExchangeLineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person can set for one analogue trunk."""

    number: Annotated[str, Meta(pattern="^([+]?[0-9*#]+)?$", description="a telephone number")] = ""
    """Its telephone number, by which the service is found: the line itself never says which number was called. Empty:
    that of its trunk group."""
    caller_id: Literal["any", "fsk", "dtmf", "none"] = "any"
    """How the exchange tells who calls. `none`: not at all, so that the first ring is answered."""
    release_on_polarity: bool = True
    """Polarity that turns while the call is up is its end."""
    loop_drop_ms: Annotated[int, Meta(ge=0, le=10_000, description="milliseconds, 0 to 10000")] = 250
    """A break of the loop current this long is the end of the call; 0: never."""
    silence_seconds: Annotated[float, Meta(ge=0, le=86400, description="seconds, 0 to a day")] = 120.0
    """A line on which nothing was heard for so long, nor anything said or played to it, has been left; 0: never. The
    last resort."""
    busy_tones: tuple[BusyTone, ...] = ()
    """Learnt for this line."""
    country_tones: bool = True
    """Busy, congestion and vacant-number tone of the country's plan count as well."""
    any_regular_tone: bool = True
    """Eight like bursts of any tone are busy tone, too."""
    dial_by: Literal["tones", "pulses"] = "tones"
    dial_on: Literal["dial_tone", "wait"] = "dial_tone"
    """Whether dial tone must be heard before dialling, or `dial_tone_seconds` are enough."""
    dial_tone_seconds: Annotated[float, Meta(gt=0, le=60, description="seconds, more than 0 and at most 60")] = 5.0
    """If no dial tone comes the call fails: the line is dead or somebody has just called in."""
    answer_by: Literal["polarity", "dialling"] = "dialling"
    """How the line tells that a call we placed was answered: by polarity, or not at all. Then a call counts as answered
    that has met no busy tone eight seconds after dialling."""


class ExchangeLineEntry(ExchangeLineSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`exchange_lines.json`: one document an analogue trunk that is not as usual. In force at `linebox reload`."""

    line: Name
    """Channel label, e.g. `FXO-1`."""

    def settings(self) -> ExchangeLineSettings:
        """Without the name of the line."""
        return ExchangeLineSettings(**{name: getattr(self, name) for name in ExchangeLineSettings.__struct_fields__})


class TrunkGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`trunk_groups.json`: trunks that have one number together (hunt group 连选号) and from which a call out takes a
    free one."""

    group: Name
    lines: tuple[Name, ...] = ()
    """Channel labels, e.g. `FXO-1`, in the order in which they are chosen."""
    boards: tuple[Name, ...] = ()
    """All trunks of these boards, after `lines`."""
    number: Annotated[str, Meta(pattern="^([+]?[0-9*#]+)?$", description="a telephone number")] = ""
    """The number that citizens call; analogue trunks without a number of their own are called by it."""
    choice: Literal["ascending", "descending", "cyclic", "longest_idle"] = "ascending"
    """Which free trunk a call out takes: the first; the last (where the exchange hunts from the first, calls out and in
    meet least so); the one after the last that was taken; the longest idle."""


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


class Seat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seats.json`: a place with an attached phone."""

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
