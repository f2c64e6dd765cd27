"""`linebox config check`: what is wrong with the configuration files, and which names of lines and sounds lead nowhere.

Files that are wrong are refused by everybody. A name of a line that no board has is not: the board may be on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from boards.base import BoardError
from boards.signals import ChannelKind
from firmware.box.commands.doctor_sounds import missing_sounds
from firmware.box.gateway.boards import make_board
from firmware.core.configuration import ConfigurationError, load_configuration
from firmware.core.configuration_problems import Problem, nearest_name
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration
from firmware.lines.board_row import BoardRow, board_rows

EXTENSION, EXCHANGE_LINE = (ChannelKind.EXTENSION,), (ChannelKind.EXCHANGE_LINE,)
NAMES = {
    ChannelKind.TRUNK: "trunks",
    ChannelKind.CAS: "trunks with line bits",
    ChannelKind.EXTENSION: "extension ports",
    ChannelKind.EXCHANGE_LINE: "exchange lines",
}
TRUNKS = (ChannelKind.TRUNK, ChannelKind.CAS, ChannelKind.EXCHANGE_LINE)


def config_check(paths: BoxPaths) -> int:
    """Prints what was found. 1 if anything is wrong. Raises ClearError where there is no configuration at all."""
    if not any(paths.configuration.glob("*.json")):
        raise ClearError(
            f"there is no configuration in {paths.configuration}",
            "name the data folder of a box with --data; `linebox up` sets up an empty one",
        )
    try:
        configuration = load_configuration(paths)
    except ConfigurationError as error:
        print(f"The configuration in {paths.configuration} is wrong; until it is right the last good one is in force.")
        print(error)
        return 1
    counts = ", ".join(
        f"{len(getattr(configuration, name))} {name}" for name in ("services", "queues", "agents", "seats")
    )
    lines = lines_of(configuration, paths)
    problems = names_that_lead_nowhere(configuration, paths, lines)
    state = "can be used, but names what is not there" if problems else "is valid"
    print(f"The configuration in {paths.configuration} {state}: {configuration.box.name}, {counts}.")
    for row in lines[0]:
        print(f"  {row.name}: {lines_in_words(row)}")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


def names_that_lead_nowhere(
    configuration: Configuration, paths: BoxPaths, lines: tuple[list[BoardRow], list[Problem]]
) -> list[Problem]:
    """What the files name and nobody has. `lines`: what `lines_of` gave."""
    rows, problems = lines
    return [*problems, *line_problems(configuration, rows), *missing_sounds(configuration, paths)]


def lines_of(configuration: Configuration, paths: BoxPaths) -> tuple[list[BoardRow], list[Problem]]:
    """The lines of all boards, disabled ones counted in, and the boards that cannot be."""
    boards, problems = [], []
    for entry in configuration.boards:
        try:
            boards.append((entry.board, make_board(entry, paths).channels))
        except BoardError as error:
            problems.append(Problem("boards.json", f"board {entry.board}", error.what, remedy=error.remedy))
    return board_rows(boards), problems


def lines_in_words(row: BoardRow) -> str:
    """The first and the last label of each kind."""
    parts = []
    for kind, name in NAMES.items():
        labels = [place.label for place in row.places if place.kind is kind]
        if labels:
            parts.append(f"{labels[0]} to {labels[-1]} ({len(labels)} {name})" if len(labels) > 1 else labels[0])
    return ", ".join(parts)


def line_problems(configuration: Configuration, rows: Sequence[BoardRow]) -> Iterator[Problem]:
    """Names of lines that no board has, or not as such."""
    places = [place for row in rows for place in row.places]

    def labels(kinds: Sequence[ChannelKind]) -> list[str]:
        return [place.label for place in places if place.kind in kinds]

    for seat in configuration.seats:
        yield from _unknown("seats.json", f"seat {seat.seat}, field extension", [seat.extension], labels(EXTENSION))
    for line in configuration.exchange_lines:
        where = f"line {line.line}, field line"
        yield from _unknown("exchange_lines.json", where, [line.line], labels(EXCHANGE_LINE))
    for group in configuration.trunk_groups:
        yield from _unknown("trunk_groups.json", f"group {group.group}, field lines", group.lines, labels(TRUNKS))
    for one in configuration.blocked_channels:
        where = f"channel {one.channel}, field channel"
        yield from _unknown("blocked_channels.json", where, [one.channel], labels(tuple(NAMES)))


def _unknown(file: str, place: str, names: Iterable[str], known: Sequence[str]) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            what = f"no board has a line {name} that can be used here"
            yield Problem(file, place, what, nearest=nearest_name(name, known))
