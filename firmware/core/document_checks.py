"""Finds all that is wrong in one document of a configuration, by its schema: keys, fields, values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from firmware.core.configuration_problems import Problem, nearest_name
from firmware.core.subjects import Document, Subject, document_place

SECRET_FIELDS = frozenset({"password_hash"})
"""Fields whose values are never shown."""

# ---- one value -------------------------------------------------------------------------------------------------------

_PLAIN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


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


def check_document(subject: Subject, number: str, document: Any) -> list[Problem]:
    """Unknown keys, missing fields and wrong values of one document."""
    place = document_place(subject, number, document)
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
            problems.append(
                Problem(file, where, what, _description(wanted), nearest, _in_quotation_marks(value, wanted))
            )
    return problems


def _in_quotation_marks(value: Any, wanted: Any) -> str:
    """The remedy for a number where a text of digits is expected, as in `"agent": 801`; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    try:
        msgspec.convert(str(value), wanted)
    except msgspec.ValidationError:
        return ""
    return f'write it in quotation marks: "{value}"'


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
