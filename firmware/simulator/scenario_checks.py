"""Finds all values of a document that do not fit a tree of msgspec structs, at once. Knows nothing of scenarios.

msgspec stops at the first error of a document, so each value is converted for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from firmware.core.configuration_problems import Problem, nearest_name


def _structs_in(wanted: Any) -> tuple[type[msgspec.Struct], ...]:
    """The struct types that a type allows: itself, or the members of a union."""
    members = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    return tuple(member for member in members if isinstance(member, type) and issubclass(member, msgspec.Struct))


def _expected(wanted: Any) -> str:
    """What a person calls a type."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        described = next((meta.description for meta in wanted.__metadata__ if meta.description), None)
        return described or _expected(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(_expected(member) for member in arguments if member is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(f'"{value}"' for value in arguments)
    if origin is tuple:
        return "a list"
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}.get(wanted, "an object")


def _choices(wanted: Any) -> tuple[str, ...]:
    if get_origin(wanted) is Literal:
        return tuple(str(value) for value in get_args(wanted))
    return tuple(choice for member in get_args(wanted) for choice in _choices(member))


def check_document(value: Any, wanted: type[msgspec.Struct], file: str) -> list[Problem]:
    """All unknown names, missing fields and wrong values in a decoded document, in the order of the document."""
    return _check(value, wanted, file, "")


def _check(value: Any, wanted: Any, file: str, place: str) -> list[Problem]:
    structs = _structs_in(wanted)
    if structs and isinstance(value, Mapping):
        return _check_struct(value, structs, file, place)
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        (item,) = get_args(wanted)[:1]
        return [p for number, entry in enumerate(value, 1) for p in _check(entry, item, file, f"{place} {number}")]
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        nearest = nearest_name(value, _choices(wanted)) if isinstance(value, str) else ""
        return [Problem(file, place, f"the value is {_shown(value)}", _expected(wanted), nearest)]
    return []


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "a list"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_struct(
    value: Mapping[str, Any], structs: tuple[type[msgspec.Struct], ...], file: str, place: str
) -> list[Problem]:
    struct = structs[0]
    tag_field = struct.__struct_config__.tag_field
    if tag_field:
        by_tag = {str(each.__struct_config__.tag): each for each in structs}
        tag = value.get(tag_field)
        if tag not in by_tag:
            what = f"{tag_field} is {_shown(tag)}" if tag_field in value else f'the field "{tag_field}" is missing'
            nearest = nearest_name(str(tag), by_tag)
            return [Problem(file, place, what, "one of " + ", ".join(f'"{name}"' for name in by_tag), nearest)]
        struct = by_tag[tag]
    types = get_type_hints(struct, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    absent = [name for name in fields if name not in value]
    problems = []
    for name, entry in value.items():
        if name in fields:
            inner = f"{place}, {name}" if place else name
            if not _is_list_of_structs(types[fields[name].name]):
                inner = f"{place}, field {name}" if place else f"field {name}"
            problems += _check(entry, types[fields[name].name], file, inner)
        elif name != tag_field:
            remedy = "correct the name or remove it"
            problems.append(Problem(file, place, f'unknown name "{name}"', "", nearest_name(name, absent), remedy))
    for name, field in fields.items():
        if field.required and name not in value:
            problems.append(Problem(file, place, f'the field "{name}" is missing', _expected(types[field.name])))
    return problems


def _is_list_of_structs(wanted: Any) -> bool:
    return get_origin(wanted) is tuple and bool(_structs_in(get_args(wanted)[0]))
