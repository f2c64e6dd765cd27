"""What a configuration says of lines, as the gateway is told it. Reading files is the processes' business."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from firmware.core.line_schemas import BusyTone, ExchangeLineEntry, LineLevels, R2Settings
from firmware.core.schemas import Configuration
from firmware.lines.line_commands import ConfigureLines
from firmware.tones.cadence import Cadence, LearnedTone


def line_settings(configuration: Configuration) -> ConfigureLines:
    """The settings of all lines that are not as usual; a line without a number has that of its trunk group."""
    groups = configuration.trunk_groups
    numbers = {label: group.number for group in groups for label in group.lines}
    entries = {label: ExchangeLineEntry(line=label) for label in numbers}
    entries |= {entry.line: entry for entry in configuration.exchange_lines}
    lines = tuple(
        msgspec.structs.replace(entry, number=entry.number or numbers.get(label, ""))
        for label, entry in entries.items()
    )
    r2 = {entry.board: section.r2 for entry in configuration.boards if (section := entry.e1 or entry.framer)}
    return ConfigureLines(
        exchange_lines=lines,
        numbers={board: group.number for group in groups for board in group.boards if group.number},
        r2={board: settings for board, settings in r2.items() if settings != R2Settings()},
        blocked=tuple(one.channel for one in configuration.blocked_channels),
        levels=line_levels(configuration),
    )


def line_levels(configuration: Configuration) -> dict[str, LineLevels]:
    """Label of a channel → its levels, of those that are not left as they are."""
    lines, seats = configuration.exchange_lines, configuration.seats
    levelled = [*((one.line, one) for one in lines), *((seat.extension, seat) for seat in seats)]
    levels = {label: LineLevels(receive_db=one.receive_db, send_db=one.send_db) for label, one in levelled}
    return {label: one for label, one in levels.items() if one != LineLevels()}


MOST_TONES = 4
"""Learnt tones that a line keeps: an exchange has one, perhaps another after a work on it."""


def with_tone(known: Sequence[BusyTone], tone: LearnedTone) -> tuple[BusyTone, ...]:
    """A line's busy tones with one that was learnt now, which takes the place of those that are like it."""
    new = BusyTone(hz=tone.hz, on_ms=tone.on_ms, off_ms=tone.off_ms, level_dbm0=tone.level_dbm0)
    others = [one for one in known if not Cadence(one.hz, one.on_ms, one.off_ms).like(tone)]
    return (new, *others)[:MOST_TONES]


def with_line_learnt(configuration: Configuration, line: str, tone: LearnedTone) -> Configuration:
    """The configuration with a tone that was learnt for the analogue trunk with this label; all else as it is."""
    entries = {one.line: one for one in configuration.exchange_lines}
    entry = entries.get(line, ExchangeLineEntry(line=line))
    entries[line] = msgspec.structs.replace(entry, busy_tones=with_tone(entry.busy_tones, tone))
    return msgspec.structs.replace(configuration, exchange_lines=tuple(entries.values()))
