"""The configuration documents of a box: what each may hold, with defaults. Reading and checking is `configuration.py`.

One file per subject in the configuration folder, each a TinyDB file with one table of the same name, so that a person
can read and compare them over SSH. A field without a default must be given.
"""

from __future__ import annotations

import msgspec


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`box.json`: one document, who this box is."""

    box_id: str
    """Short and unique in the province, e.g. `xian-01`; in the key of every row."""
    name: str
    region: str
    """Administrative division code GB/T 2260, six digits."""
    language: str = "zh_CN"


class BoardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`boards.json`: one document a board; `kind` is the file in `boards/` that drives it."""

    board: str
    kind: str
    enabled: bool = True


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`services.json`: what a called number reaches."""

    service: str
    title: str
    called: tuple[str, ...]
    """Called numbers. One service has `default` set and takes all others."""
    default: bool = False
    greeting: tuple[str, ...] = ("prompt:welcome",)
    queue: str = ""
    """Where the caller goes after the greeting: straight to a person (GB/T 33358)."""
    menu: str = ""
    """Or the menu that is asked first."""


class Menu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`menus.json`: a menu of one level. Digit → queue."""

    menu: str
    prompt: tuple[str, ...]
    choices: dict[str, str]
    """Digit to queue name."""
    timeout_seconds: float = 5.0
    attempts: int = 2
    otherwise: str
    """Queue for a caller who chooses nothing."""


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`queues.json`: a waiting line."""

    queue: str
    title: str
    music: str = "music:waiting"
    offer_seconds: float = 15.0
    """How long an agent's phone rings before the contact goes back to the head of the queue."""
    wrap_up_seconds: float = 10.0


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agents.json`: an agent number 工号, whose person it is, and which queues it serves."""

    agent: str
    name: str
    queues: tuple[str, ...]


class Seat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seats.json`: a place with an attached phone."""

    seat: str
    extension: str
    """Channel label of its phone, e.g. `FXS-3`."""
    headset: bool = False
    """The phone stays off hook while an agent is signed in; calls are answered on the page."""


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`logins.json`: who may sign in to the pages."""

    login: str
    name: str
    password_hash: str
    """argon2id, as argon2-cffi writes it."""
    roles: tuple[str, ...]
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
