"""Writes a busy tone that was learnt into the configuration of its line. What it is worth is not judged here."""

from __future__ import annotations

import logging

import msgspec

from firmware.core.configuration import (
    ConfigurationError,
    keep_last_good,
    load_configuration,
    read_documents,
    save_documents,
)
from firmware.core.line_schemas import BusyTone
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration
from firmware.lines.line_settings import with_tone
from firmware.tones.cadence import LearnedTone

_log = logging.getLogger(__name__)


def store_tone(paths: BoxPaths, line: str, tone: LearnedTone, in_force: Configuration) -> str:
    """Store it durably. An empty text, or why it could not be: `not_stored`. Files that were edited and not yet taken
    into force stay as they are but for the tone, and do not become the last good ones."""
    try:
        edited = load_configuration(paths) != in_force
        documents = read_documents(paths, "exchange_lines")
        document = next((one for one in documents if one.get("line") == line), None)
        if document is None:
            documents.append(document := {"line": line})
        known = msgspec.convert(document.get("busy_tones", []), tuple[BusyTone, ...])
        document["busy_tones"] = msgspec.to_builtins(with_tone(known, tone))
        save_documents(paths, "exchange_lines", documents)
        if not edited:
            keep_last_good(paths)
    except (ConfigurationError, OSError) as error:
        _log.error("the busy tone of %s is in force, but could not be stored: %s", line, error)
        return "not_stored"
    return ""
