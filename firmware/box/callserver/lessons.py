"""Writes a busy tone that was learnt into the configuration of its line. What it is worth is not judged here."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from firmware.core.configuration import ConfigurationError, change_documents, change_last_good
from firmware.core.line_schemas import BusyTone
from firmware.core.paths import BoxPaths
from firmware.lines.line_settings import with_tone
from firmware.tones.cadence import LearnedTone

_log = logging.getLogger(__name__)
SUBJECT = "exchange_lines"


def store_tone(paths: BoxPaths, line: str, tone: LearnedTone) -> str:
    """Store it durably. An empty text, or why it could not be: `not_stored`. Edits that were not yet taken into force
    stay as they are but for the tone. The last good configuration takes up the tone, and none of those edits."""

    def change(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        document = next((one for one in documents if one["line"] == line), None)
        if document is None:
            documents.append(document := {"line": line})
        known = msgspec.convert(document.get("busy_tones", []), tuple[BusyTone, ...])
        document["busy_tones"] = msgspec.to_builtins(with_tone(known, tone))
        return documents

    try:
        change_documents(paths, SUBJECT, change)
    except (ConfigurationError, OSError) as error:
        _log.error("the busy tone of %s is in force, but could not be stored: %s", line, error)
        return "not_stored"
    try:
        change_last_good(paths, SUBJECT, change)
    except (ConfigurationError, OSError) as error:
        _log.error("the busy tone of %s could not be kept in the last good configuration: %s", line, error)
    return ""
