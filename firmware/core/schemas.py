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
Sound = Annotated[str, Meta(pattern="^[a-z]+:.+$", description="a sound such as prompt:welcome or music:waiting")]
Digit = Annotated[str, Meta(pattern="^[0-9*#]$", description="one digit, * or #")]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="seconds, more than 0 and at most a day")]
Role = Literal["administrator", "supervisor", "agent"]


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


class BoardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`boards.json`: one document a board; `kind` is the file in `boards/` that drives it."""

    board: Name
    kind: Name
    enabled: bool = True
    extensions: Annotated[int, msgspec.Meta(ge=1, le=32, description="1 to 32 extension ports")] = 8
    """Extension ports of the simulated board. What a real board has, its driver knows."""


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`services.json`: what a called number reaches."""

    service: Name
    title: Title
    called: tuple[Annotated[str, Meta(pattern="^[+]?[0-9*#]+$", description="a telephone number")], ...]
    """Called numbers. One service has `default` set and takes all others."""
    default: bool = False
    greeting: tuple[Sound, ...] = ("prompt:welcome",)
    queue: str = ""
    """Where the caller goes after the greeting: straight to a person (GB/T 33358)."""
    menu: str = ""
    """Or the menu that is asked first."""


class Menu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`menus.json`: a menu of one level. Digit → queue."""

    menu: Name
    prompt: tuple[Sound, ...]
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


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agents.json`: an agent number 工号, whose person it is, and which queues it serves."""

    agent: Name
    name: Title
    queues: tuple[str, ...]


class Seat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seats.json`: a place with an attached phone."""

    seat: Name
    extension: Name
    """Channel label of its phone, e.g. `FXS-3`."""
    headset: bool = False
    """The phone stays off hook while an agent is signed in; calls are answered on the page."""


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
