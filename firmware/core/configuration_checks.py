"""Finds everything that is wrong with the documents of a configuration, at once. Pure: reads and writes no file.

Each subject (`services`, `queues` …) comes in as the decoded documents of its file, or as None when its file could not
be read; a subject that could not be read is not blamed a second time by those that refer to it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from firmware.core import schemas
from firmware.core.schemas import Configuration


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one place. All texts are for a person; empty where there is nothing to say."""

    file: str
    """File name in the configuration folder, e.g. `services.json`."""
    place: str
    """Where in it, e.g. `document 2 (12346), field queue`, or `line 3, column 5`."""
    what: str
    expected: str = ""
    nearest: str = ""
    """The right name that looks most like what was written."""
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        text = f"{where}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest:
            text += f'; did you mean "{self.nearest}"?'
        if self.remedy:
            text += f"\n    remedy: {self.remedy}"
        return text


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` holds all that is wrong with it, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        heading = "1 problem in the configuration:" if count == 1 else f"{count} problems in the configuration:"
        return "\n".join([heading, *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class Subject:
    """What one file holds. `key` is the field that names a document."""

    name: str
    schema: type[msgspec.Struct]
    key: str

    @property
    def file(self) -> str:
        return f"{self.name}.json"


SUBJECTS = (
    Subject("box", schemas.Box, "box_id"),
    Subject("boards", schemas.BoardEntry, "board"),
    Subject("services", schemas.Service, "service"),
    Subject("menus", schemas.Menu, "menu"),
    Subject("queues", schemas.Queue, "queue"),
    Subject("agents", schemas.Agent, "agent"),
    Subject("seats", schemas.Seat, "seat"),
    Subject("logins", schemas.Login, "login"),
)
SUBJECT = {subject.name: subject for subject in SUBJECTS}

SECRET_FIELDS = frozenset({"password_hash"})
"""Fields whose values are never shown."""

Document = Mapping[str, Any]
Documents = Mapping[str, Any]
"""Document number (`1`, `2` …) → document, as TinyDB keeps a table."""


def nearest_name(wrong: str, right: Iterable[str]) -> str:
    """The right name that looks most like the wrong one, or an empty text when none does."""
    found = difflib.get_close_matches(wrong, list(right), n=1, cutoff=0.6)
    return found[0] if found else ""


# ---- one value -------------------------------------------------------------------------------------------------------

_PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_GOT = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def _description(wanted: Any) -> str:
    """What a person calls a type."""
    if get_origin(wanted) is Annotated:
        for meta in wanted.__metadata__:
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
        return _description(get_args(wanted)[0])
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list, each item {_description(arguments[0])}"
    if origin is dict:
        return f"an object from {_description(arguments[0])} to {_description(arguments[1])}"
    if isinstance(origin, UnionType) or isinstance(wanted, UnionType):
        return " or ".join(map(_description, arguments))
    if _struct_of(wanted):
        return "an object with fields"
    return _PLAIN.get(wanted, str(wanted))


def _shown(value: Any) -> str:
    """A wrong value as it stands in the file, short."""
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong_values(value: Any, wanted: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """All (place, value, wanted type) in a value that do not fit: items of lists and objects one by one."""
    bare = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    origin, arguments = get_origin(bare), get_args(bare)
    wrong: list[tuple[str, Any, Any]] = []
    if origin is tuple and isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            wrong += _wrong_values(item, arguments[0], f"{place}, item {number}")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            wrong += _wrong_values(key, arguments[0], f"{place}, key")
            wrong += _wrong_values(item, arguments[1], f'{place}, "{key}"')
    if wrong:
        yield from wrong
        return
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        yield place, value, wanted


def _choices(wanted: Any) -> tuple[str, ...]:
    bare = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    return get_args(bare) if get_origin(bare) is Literal else ()


# ---- one document ----------------------------------------------------------------------------------------------------


def _document_place(subject: Subject, number: str, document: Any) -> str:
    name = document.get(subject.key) if isinstance(document, Mapping) else None
    return f"document {number} ({name})" if isinstance(name, str) and name else f"document {number}"


def _check_document(subject: Subject, number: str, document: Any) -> list[Problem]:
    """Unknown keys, missing fields and wrong values of one document."""
    place = _document_place(subject, number, document)
    if not isinstance(document, Mapping):
        return [Problem(subject.file, place, f"is {_shown(document)}", "an object with fields")]
    return _check_fields(subject.file, place, subject.schema, document)


def _check_fields(file: str, place: str, schema: type[msgspec.Struct], document: Document) -> list[Problem]:
    """The same of an object, which may be a whole document or stand in one."""
    fields = {field.name: field for field in msgspec.structs.fields(schema)}
    unknown = [str(key) for key in document if key not in fields]
    missing = [name for name, field in fields.items() if field.required and name not in document]
    problems = [
        Problem(
            file,
            place,
            f'unknown key "{key}"',
            nearest=nearest_name(key, [*missing, *(name for name in fields if name not in document)]),
            remedy="correct the name or remove the key",
        )
        for key in unknown
    ]
    for name in missing:
        expected = _description(fields[name].type)
        problems.append(Problem(file, place, f'the field "{name}" is missing', expected, remedy="add it"))
    for name, field in fields.items():
        if name not in document:
            continue
        inside = f"{place}, field {name}"
        within = list(_objects_within(document[name], field.type, inside))
        if within:
            for where, schema_within, value in within:
                problems += _check_fields(file, where, schema_within, value)
            continue
        for where, value, wanted in _wrong_values(document[name], field.type, inside):
            nearest = nearest_name(value, _choices(wanted)) if isinstance(value, str) else ""
            # A password that was written here in place of its hash must not reach a log.
            what = "the value is not one (not shown)" if name in SECRET_FIELDS else f"the value is {_shown(value)}"
            problems.append(Problem(file, where, what, _description(wanted), nearest))
    return problems


def _struct_of(wanted: Any) -> type[msgspec.Struct] | None:
    """The struct that a type stands for, also where it may be left out."""
    for one in get_args(wanted) or (wanted,):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None


def _objects_within(value: Any, wanted: Any, place: str) -> Iterator[tuple[str, type[msgspec.Struct], Document]]:
    """(place, schema, object) of each object that a field holds, alone or in a list; nothing for other fields."""
    bare = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    if get_origin(bare) is tuple and isinstance(value, list | tuple) and (item := _struct_of(get_args(bare)[0])):
        if all(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value, 1):
                yield f"{place}, item {number}", item, one
    elif isinstance(value, Mapping) and (schema := _struct_of(bare)):
        yield place, schema, value


# ---- documents together ----------------------------------------------------------------------------------------------


def _places(subject: Subject, documents: Documents | None) -> Iterator[tuple[str, Document]]:
    """(place, document) of each document that is an object."""
    for number, document in (documents or {}).items():
        if isinstance(document, Mapping):
            yield _document_place(subject, number, document), document


def _texts(value: Any) -> list[str]:
    """The texts in a value that may have any wrong type."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def _check_double(subject: Subject, documents: Documents | None, field: str, called: str) -> Iterator[Problem]:
    """Two documents (or one, twice) that claim the same name, extension or called number."""
    first: dict[str, str] = {}
    for place, document in _places(subject, documents):
        for value in _texts(document.get(field)):
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
)
"""(subject, field, subject that is referred to); an empty text refers to nothing, except in `otherwise` and lists."""


def _check_reference(
    subject: Subject, field: str, target: Subject, contents: Mapping[str, Documents | None]
) -> Iterator[Problem]:
    if contents[target.name] is None:
        return
    names = [
        name for _, document in _places(target, contents[target.name]) for name in _texts(document.get(target.key))
    ]
    for place, document in _places(subject, contents[subject.name]):
        value = document.get(field)
        if value == "" and field != "otherwise":
            continue
        for name in _texts(value):
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
    for place, document in _places(subject, documents):
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


E1_SLOTS = 32
SECTIONS = {"spi_analogue": "analogue", "framer_e1": "framer"}
"""Kind of board → the field that says what is on it."""


def _check_boards(documents: Documents | None) -> Iterator[Problem]:
    """Each kind of board has its own section and no other; chips and slots are given once."""
    subject = SUBJECT["boards"]
    devices: dict[str, str] = {}
    for place, document in _places(subject, documents):
        kind = document.get("kind")
        for owner, section in SECTIONS.items():
            given = document.get(section)
            if kind == owner and given is None:
                remedy = f'add "{section}": boards/README.md has an example'
                what = f'a {owner} board without "{section}"'
                yield Problem(subject.file, place, what, "what is on it", remedy=remedy)
            elif kind != owner and given is not None:
                remedy = f'correct the kind, or remove "{section}"'
                yield Problem(subject.file, place, f'"{section}" is for boards of the kind {owner}', remedy=remedy)
            elif isinstance(given, Mapping):
                yield from _check_chips(f"{place}, field {section}", given, devices)


def _check_chips(place: str, section: Document, devices: dict[str, str]) -> Iterator[Problem]:
    """`devices`: SPI device → where it is used, of the real boards so far."""
    file = SUBJECT["boards"].file
    tdm = section.get("tdm")
    slots = tdm.get("slots", 32) if isinstance(tdm, Mapping) else 32
    ports = section.get("ports")
    if ports is None and isinstance(slots, int) and slots < E1_SLOTS:
        yield Problem(file, place, f"a TDM bus of {slots} slots does not hold an E1", f"{E1_SLOTS} slots or more")
    taken: set[int] = set()
    for number, chip in enumerate(ports if isinstance(ports, list | tuple) else [section], 1):
        if not isinstance(chip, Mapping):
            continue
        where = place if ports is None else f"{place}, port {number}"
        device, slot = chip.get("spi"), chip.get("slot")
        if isinstance(device, str) and section.get("hardware") != "simulated":
            if device in devices:
                what = f"{device} is used twice, first in {devices[device]}"
                yield Problem(file, where, what, remedy="give each chip its own chip select")
            devices.setdefault(device, where)
        if isinstance(slot, int) and isinstance(slots, int):
            if slot in taken:
                yield Problem(file, where, f"slot {slot} is used twice", "each port its own slot")
            elif slot >= slots > 0:
                what = f"slot {slot} is not on the TDM bus"
                yield Problem(file, where, what, f"0 to {slots - 1}", remedy='or raise "slots"')
            taken.add(slot)


def check(contents: Mapping[str, Documents | None]) -> list[Problem]:
    """All problems of a configuration. `contents` has every subject; None for one whose file could not be read."""
    problems: list[Problem] = []
    for subject in SUBJECTS:
        documents = contents[subject.name]
        for number, document in (documents or {}).items():
            problems += _check_document(subject, number, document)
        problems += _check_double(subject, documents, subject.key, f"the {subject.key}")
    box = contents["box"]
    if box is not None and len(box) != 1:
        problems.append(Problem("box.json", "", f"holds {len(box)} documents", "exactly one: who this box is"))
    problems += _check_double(SUBJECT["services"], contents["services"], "called", "the called number")
    problems += _check_double(SUBJECT["seats"], contents["seats"], "extension", "the extension")
    problems += _check_services(contents["services"])
    problems += _check_boards(contents["boards"])
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
