"""Writes which channels are taken out of service by hand into the configuration. Not who may ask for it."""

from __future__ import annotations

import logging

import msgspec

from firmware.contacts.effects import BlockingToStore
from firmware.core.configuration import (
    ConfigurationError,
    keep_last_good,
    load_configuration,
    read_documents,
    save_documents,
)
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration

_log = logging.getLogger(__name__)
SUBJECT = "blocked_channels"


def store_blocking(paths: BoxPaths, wish: BlockingToStore, in_force: Configuration) -> tuple[str, tuple[str, ...]]:
    """Store it durably. An empty code, or why it could not be and lines about it: `configuration_wrong`, `not_stored`;
    then nothing is written. Files that were edited and not yet taken into force stay as they are but for this, and do
    not become the last good ones."""
    try:
        edited = load_configuration(paths) != in_force
        new = {one.channel for one in wish.blocked}
        documents = [one for one in read_documents(paths, SUBJECT) if one["channel"] not in (*new, *wish.given_back)]
        save_documents(paths, SUBJECT, [*documents, *map(msgspec.to_builtins, wish.blocked)])
    except ConfigurationError as error:
        return "configuration_wrong", tuple(str(error).splitlines())
    except OSError as error:
        _log.error("blocked channels could not be stored: %s", error)
        return "not_stored", (str(error),)
    if not edited:
        try:
            keep_last_good(paths)
        except (ConfigurationError, OSError) as error:
            _log.error("blocked channels are in force, but could not be kept in the last good configuration: %s", error)
    return "", ()
