"""Writes which channels are taken out of service by hand into the configuration. Not who may ask for it."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from firmware.contacts.effects import BlockingToStore
from firmware.core.configuration import ConfigurationError, change_documents, change_last_good
from firmware.core.line_schemas import BlockedChannel
from firmware.core.paths import BoxPaths

_log = logging.getLogger(__name__)
SUBJECT = "blocked_channels"


def store_blocking(paths: BoxPaths, wish: BlockingToStore) -> tuple[str, tuple[str, ...]]:
    """Store it durably. An empty code, or why it could not be and lines about it: `configuration_wrong`, `not_stored`;
    then nothing is written. Edits that were not yet taken into force stay as they are but for these channels. The last
    good configuration takes up the blocks, and none of those edits."""

    def change(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = {one["channel"]: one for one in documents}
        before = {one.channel: one for one in msgspec.convert(documents, tuple[BlockedChannel, ...])}
        after = wish.applied_to(tuple(before.values()))
        return [known[one.channel] if before.get(one.channel) == one else msgspec.to_builtins(one) for one in after]

    try:
        change_documents(paths, SUBJECT, change)
    except ConfigurationError as error:
        return "configuration_wrong", tuple(str(error).splitlines())
    except OSError as error:
        _log.error("blocked channels could not be stored: %s", error)
        return "not_stored", (str(error),)
    try:
        change_last_good(paths, SUBJECT, change)
    except (ConfigurationError, OSError) as error:
        _log.error("blocked channels are in force, but could not be kept in the last good configuration: %s", error)
    return "", ()
