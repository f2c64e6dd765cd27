"""What is wrong with the JSON body of a request, in the reader's words. The decoder says it in English and Python.

What it says is read by its forms, those of msgspec 0.22; what has another form is told without a detail.
"""

from __future__ import annotations

import re

from webui.problems import Detail, detail
from webui.words import N_

_JSON_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}

_FORMS: tuple[tuple[str, str], ...] = (
    (r"Object missing required field `(?P<field>.+?)`", N_("{place}: the field is missing")),
    (r"Object contains unknown field `(?P<field>.+?)`", N_("{place}: there is no such field here")),
    (r"Expected `str` matching regex '\\\\S'", N_("{place}: a text that is not blank is expected")),
    (r"Expected `str` matching regex (?P<pattern>'.*')", N_("{place}: a text of the form {pattern} is expected")),
    (r"Expected `str` of length (?P<bound>[<>]=? \d+)", N_("{place}: a text of {bound} characters is expected")),
    (r"Expected `(?:int|float)` (?P<bound>[<>]=? [\d.]+)", N_("{place}: a number {bound} is expected")),
    (r"Expected `(?P<wanted>.+)`, got `(?P<given>.+)`", N_("{place}: {wanted} is expected, not {given}")),
    (r"JSON is malformed: .*\(byte (?P<byte>\d+)\)", N_("{place}: wrong from byte {byte} on")),
    (r"Input data was truncated", N_("{place}: it ends in the middle")),
    (r"'utf-8' codec can't decode .*", N_("{place}: this is not text in UTF-8")),
)
"""Form of what the decoder says, and the text."""
_AT = re.compile(r" - at `\$\.?(.*?)`$")


def what_is_wrong(said: str) -> tuple[Detail, ...]:
    """The detail for what the decoder said of a body: where, and what is expected there."""
    at = _AT.search(said)
    bare = said[: at.start()] if at else said
    for form, text in _FORMS:
        if found := re.fullmatch(form, bare):
            values = found.groupdict()
            path = [part for part in (at[1] if at else "", values.pop("field", "")) if part]
            for name in ("wanted", "given"):
                if name in values:
                    values[name] = " / ".join(_JSON_TYPES.get(one, one) for one in values[name].split(" | "))
            return (detail(text, place=".".join(path) or "JSON", **values),)
    return ()
