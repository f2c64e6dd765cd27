"""The configuration documents of boards, their lines and trunk groups: what each may hold, with defaults.

The others are in schemas.py, kinds of fields in schema_fields.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from firmware.core.schema_fields import Name, Title

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
    line: Literal["china", "600_ohm"] = "china"
    """The line's impedance: a public line or a telephone of China (200 ohm + 680 ohm in parallel with 100 nF), or 600
    ohm: a private exchange's extension, a gateway's port."""


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
    interrupt: GpioName = ""
    """GPIO line that the chips' interrupt pins pull low together; empty: none, every phone is asked every 10 ms."""


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


Level = Annotated[float, Meta(ge=-12, le=12, description="a level in dB, -12 to 12")]
MOST_BOTH_WAYS_DB = 6.0
"""Most that the two levels of a line may come to together. What is sent returns through the line's hybrid, some 12 dB
weaker where the impedance fits; 6 dB of loss round it must be left, or the line sings (ITU-T G.122)."""


class LineLevels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much louder (quieter: less than 0) an analogue line is made, in dB; 0 leaves every bit as it is. Detectors,
    and the recording of what came in, have the line as it is; dialled digits and caller ID are sent as they are. In
    force at `linebox reload`, for calls that are up, too."""

    receive_db: Level = 0.0
    """What comes from the line: 6 where citizens are faint."""
    send_db: Level = 0.0
    """What the line hears, announcements and music included."""


Telephone = Annotated[str, Meta(pattern="^[+]?[0-9*#]+$", description="a telephone number")]
ToneMilliseconds = Annotated[float, Meta(ge=40, le=2000, description="milliseconds, 40 to 2000")]


class BusyTone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tone by which one exchange says that the far end has hung up, as `linebox learn-line` measured it."""

    hz: Annotated[float, Meta(ge=300, le=700, description="a frequency, 300 to 700 Hz")]
    on_ms: ToneMilliseconds
    off_ms: ToneMilliseconds
    level_dbm0: float | None = None
    """As measured, for a person; nothing depends on it."""


class ExchangeLineSettings(LineLevels, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    when somebody speaks after ringback tone or no more of that comes, or when eight seconds after dialling neither that
    nor busy tone was heard."""


class ExchangeLineEntry(ExchangeLineSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`exchange_lines.json`: one document an analogue trunk that is not as usual. In force at `linebox reload`."""

    line: Name
    """Channel label, e.g. `FXO-1`."""

    def settings(self) -> ExchangeLineSettings:
        """Without the name of the line."""
        return ExchangeLineSettings(**{name: getattr(self, name) for name in ExchangeLineSettings.__struct_fields__})


class BlockedChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`blocked_channels.json`: one document a channel that is out of service by hand 闭塞, as `linebox channels block`
    writes it. In force at `linebox reload`. A channel that no board has at present keeps its document."""

    channel: Name
    """Channel label, e.g. `E1-1/17`."""
    reason: Title
    by: Annotated[str, Meta(max_length=64, description="a name of at most 64 characters")] = ""
    """The login or program that asked for it; empty: written by hand."""
    since_utc_us: Annotated[int, Meta(ge=0, description="microseconds since 1970, UTC")] = 0
    """0: not known."""


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
