"""Finds everything that is wrong with the documents of a configuration, at once. Pure: reads and writes no file.

Each subject (`services`, `queues` …) comes in as the decoded documents of its file, or as None when its file could not
be read; a subject that could not be read is not blamed a second time by those that refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from firmware.core.board_checks import check_boards
from firmware.core.configuration_problems import Problem, nearest_name
from firmware.core.document_checks import check_document
from firmware.core.gpio_checks import check_gpio_lines
from firmware.core.line_schemas import MOST_BOTH_WAYS_DB, LineLevels
from firmware.core.schemas import Configuration, Recordings
from firmware.core.subjects import SUBJECT, SUBJECTS, Documents, Subject, places, texts


def _check_double(subject: Subject, documents: Documents | None, field: str, called: str) -> Iterator[Problem]:
    """Two documents (or one, twice) that claim the same name, extension or called number."""
    first: dict[str, str] = {}
    for place, document in places(subject, documents):
        for value in texts(document.get(field)):
            if not value:
                continue
            if value in first:
                what = f'{called} "{value}" is used twice, first in {first[value]}'
                yield Problem(subject.file, f"{place}, field {field}", what, remedy="give each its own")
            else:
                first[value] = place


REFERENCES = (
    ("services", "queue", "queues"),
    ("services", "menu", "menus"),
    ("menus", "choices", "queues"),
    ("menus", "otherwise", "queues"),
    ("agents", "queues", "queues"),
    ("logins", "agent", "agents"),
    ("trunk_groups", "boards", "boards"),
)
"""(subject, field, subject that is referred to); an empty text refers to nothing, except in `otherwise` and lists."""


def _check_reference(
    subject: Subject, field: str, target: Subject, contents: Mapping[str, Documents | None]
) -> Iterator[Problem]:
    if contents[target.name] is None:
        return
    names = [name for _, document in places(target, contents[target.name]) for name in texts(document.get(target.key))]
    for place, document in places(subject, contents[subject.name]):
        value = document.get(field)
        if value == "" and field != "otherwise":
            continue
        for name in texts(value):
            if name not in names:
                yield Problem(
                    subject.file,
                    f"{place}, field {field}",
                    f'there is no {target.key} "{name}"',
                    f"one of {', '.join(names)}" if names else "",
                    nearest_name(name, names),
                    f"correct the name, or add the {target.key} to {target.file}",
                )


def _check_services(documents: Documents | None) -> Iterator[Problem]:
    """One default service; each leads to a queue or to a menu."""
    if documents is None:
        return
    subject = SUBJECT["services"]
    defaults = []
    for place, document in places(subject, documents):
        if document.get("default") is True:
            defaults.append(place)
        queue, menu = document.get("queue", ""), document.get("menu", "")
        if queue and menu:
            what = f'leads to the queue "{queue}" and to the menu "{menu}"'
            yield Problem(subject.file, place, what, "one of the two", remedy="remove one of them")
        elif queue == "" and menu == "":
            what = "leads nowhere"
            yield Problem(subject.file, place, what, "a queue or a menu", remedy='add "queue" or "menu"')
    if not defaults:
        what = "no service is the default one"
        remedy = 'set "default": true in the service that takes all other called numbers'
        yield Problem(subject.file, "", what, "exactly one", remedy=remedy)
    for place in defaults[1:]:
        what = f"is a second default service, the first is {defaults[0]}"
        yield Problem(subject.file, place, what, "exactly one", remedy='set "default": false in all but one')


def _check_groups(documents: Documents | None) -> Iterator[Problem]:
    """Each trunk group has trunks."""
    subject = SUBJECT["trunk_groups"]
    for place, document in places(subject, documents):
        if not document.get("lines") and not document.get("boards"):
            yield Problem(subject.file, place, "has no trunks", "lines or boards", remedy='add "lines" or "boards"')


def _check_recordings(documents: Documents | None) -> Iterator[Problem]:
    """Recording times that are times, and a retention that does not contradict itself."""
    for place, document in places(SUBJECT["box"], documents):
        section = document.get("recordings")
        if not isinstance(section, Mapping):
            continue
        windows = section.get("windows", ())
        for number, window in enumerate(windows if isinstance(windows, list | tuple) else (), 1):
            if isinstance(window, Mapping) and window.get("begin", "00:00") == window.get("end", "24:00"):
                where = f"{place}, field recordings, field windows, item {number}"
                what = f"begins and ends at {window['begin']}"
                yield Problem("box.json", where, what, remedy="leave both out for the whole day")
        keep, least = section.get("keep_days", 0), section.get("least_days", Recordings().least_days)
        if isinstance(keep, int) and isinstance(least, int) and 0 < keep < least:
            where = f"{place}, field recordings"
            what = f"keep_days ({keep}) would delete what least_days ({least}) keeps"
            yield Problem("box.json", where, what, "keep_days of 0, or not less than least_days")


def _check_displays(documents: Documents | None) -> Iterator[Problem]:
    """Each display hangs on a place of its own, and is one that there is."""
    subject = SUBJECT["seats"]
    taken: dict[tuple[object, object], str] = {}
    for place, document in places(subject, documents):
        display = document.get("display")
        if not isinstance(display, Mapping):
            continue
        inside = f"{place}, field display"
        is_character = display.get("kind") == "hd44780"
        address = display.get("address", 0x27) if is_character else None
        at = (str(display.get("device")), str(address))
        where = f"{at[0]}, address {address}" if is_character else at[0]
        if at in taken:
            what = f"the display at {where} is used twice, first in {taken[at]}"
            yield Problem(subject.file, inside, what, remedy="give each its own device or address")
        taken.setdefault(at, inside)
        columns, rows = display.get("columns", 20), display.get("rows", 2)
        if not is_character or not isinstance(columns, int) or not isinstance(rows, int):
            continue
        if columns > 20 or rows not in (1, 2, 4):
            what = f"an HD44780 has no {rows} rows of {columns} characters"
            yield Problem(subject.file, inside, what, "1, 2 or 4 rows of at most 20 characters")


def _check_levels(subject: Subject, documents: Documents | None) -> Iterator[Problem]:
    """A line that is made louder both ways sings: it amplifies its own echo."""
    for place, document in places(subject, documents):
        both = [document.get(name, 0) for name in LineLevels.__struct_fields__]
        if all(isinstance(one, int | float) for one in both) and sum(both) > MOST_BOTH_WAYS_DB:
            what = f"receive_db and send_db come to {sum(both):g} dB: the line would sing"
            expected = f"at most {MOST_BOTH_WAYS_DB:g} dB together"
            yield Problem(subject.file, place, what, expected, remedy="lower the one of the way that is not faint")


def check(contents: Mapping[str, Documents | None]) -> list[Problem]:
    """All problems of a configuration. `contents` has every subject; None for one whose file could not be read."""
    problems: list[Problem] = []
    for subject in SUBJECTS:
        documents = contents[subject.name]
        for number, document in (documents or {}).items():
            problems += check_document(subject, number, document)
        problems += _check_double(subject, documents, subject.key, f"the {subject.key}")
    box = contents["box"]
    if box is not None and len(box) != 1:
        problems.append(Problem("box.json", "", f"holds {len(box)} documents", "exactly one: who this box is"))
    problems += _check_double(SUBJECT["services"], contents["services"], "called", "the called number")
    problems += _check_double(SUBJECT["trunk_groups"], contents["trunk_groups"], "lines", "the line")
    problems += _check_double(SUBJECT["trunk_groups"], contents["trunk_groups"], "boards", "the board")
    problems += _check_groups(contents["trunk_groups"])
    problems += _check_double(SUBJECT["seats"], contents["seats"], "extension", "the extension")
    problems += _check_recordings(box)
    problems += _check_displays(contents["seats"])
    problems += _check_levels(SUBJECT["seats"], contents["seats"])
    problems += _check_levels(SUBJECT["exchange_lines"], contents["exchange_lines"])
    problems += _check_services(contents["services"])
    problems += check_boards(contents["boards"])
    problems += check_gpio_lines(box, contents["boards"])
    for name, field, target in REFERENCES:
        problems += _check_reference(SUBJECT[name], field, SUBJECT[target], contents)
    order = [subject.file for subject in SUBJECTS]
    return sorted(problems, key=lambda problem: order.index(problem.file))


def build(contents: Mapping[str, Documents | None]) -> Configuration:
    """The configuration that documents mean in which `check` found nothing, of files that could all be read."""
    whole: dict[str, Any] = {}
    for subject in SUBJECTS:
        documents = list((contents[subject.name] or {}).values())
        whole[subject.name] = documents[0] if subject.name == "box" else documents
    return msgspec.convert(whole, Configuration)
