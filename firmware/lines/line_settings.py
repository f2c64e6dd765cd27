"""What a configuration says of lines, as the gateway is told it. Reading files is the processes' business."""

from __future__ import annotations

import msgspec

from firmware.core.schemas import Configuration, ExchangeLineEntry, R2Settings
from firmware.lines.messages import ConfigureLines


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
    )
