"""The subjects of a configuration: one file each, with documents of one schema. Not what may stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from firmware.core import line_schemas, schemas


@dataclass(frozen=True)
class Subject:
    """What one file holds. `key` is the field that names a document."""

    name: str
    schema: type[msgspec.Struct]
    key: str
    optional: bool = False
    """The file may be missing: then there are no such documents."""

    @property
    def file(self) -> str:
        return f"{self.name}.json"


SUBJECTS = (
    Subject("box", schemas.Box, "box_id"),
    Subject("boards", line_schemas.BoardEntry, "board"),
    Subject("services", schemas.Service, "service"),
    Subject("menus", schemas.Menu, "menu"),
    Subject("queues", schemas.Queue, "queue"),
    Subject("agents", schemas.Agent, "agent"),
    Subject("seats", schemas.Seat, "seat"),
    Subject("logins", schemas.Login, "login"),
    Subject("exchange_lines", line_schemas.ExchangeLineEntry, "line", optional=True),
    Subject("trunk_groups", line_schemas.TrunkGroup, "group", optional=True),
    Subject("blocked_channels", line_schemas.BlockedChannel, "channel", optional=True),
)
SUBJECT = {subject.name: subject for subject in SUBJECTS}

Document = Mapping[str, Any]
Documents = Mapping[str, Any]
"""Document number (`1`, `2` …) → document, as TinyDB keeps a table."""


def document_place(subject: Subject, number: str, document: Any) -> str:
    """How a person finds a document in its file."""
    name = document.get(subject.key) if isinstance(document, Mapping) else None
    return f"document {number} ({name})" if isinstance(name, str) and name else f"document {number}"


def places(subject: Subject, documents: Documents | None) -> Iterator[tuple[str, Document]]:
    """(place, document) of each document that is an object."""
    for number, document in (documents or {}).items():
        if isinstance(document, Mapping):
            yield document_place(subject, number, document), document


def texts(value: Any) -> list[str]:
    """The texts in a value that may have any wrong type."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []
