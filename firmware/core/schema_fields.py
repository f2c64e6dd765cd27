"""Kinds of fields that the configuration documents have: names, sounds, digits, times. The documents are schemas.py
and, of lines and boards, line_schemas.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

# The descriptions are what a person is told when a value does not fit.
Name = Annotated[str, Meta(min_length=1, max_length=64, description="a name that is not empty")]
"""Names documents, and is what other documents refer to."""
Title = Annotated[str, Meta(min_length=1, max_length=200, description="a text that is not empty")]
Sound = Annotated[
    str,
    Meta(
        pattern=r"^((prompt|word|tone|music):[^/]+|text:.{1,200}|say:(agent|position|wait)"
        r"|say:(number:-?[0-9]{1,16}|decimal:-?[0-9]{1,16}(\.[0-9]{1,9})?|ordinal:[1-9][0-9]{0,15}"
        r"|amount:-?[0-9]{1,15}(\.[0-9]{1,2})?|(date|weekday):[0-9]{4}-[01][0-9]-[0-3][0-9]|time:[0-2][0-9]:[0-5][0-9]"
        r"|duration:[0-9]{1,9}|telephone:[+]?[0-9*#]{1,40}))$",
        description="a sound such as prompt:welcome, music:waiting, text:您好, say:number:1203 or say:telephone:12345",
    ),
]
"""Also `word:…` and `tone:…` of the store. What can be said is in `firmware/ivr/announcements.py`."""
Digit = Annotated[str, Meta(pattern="^[0-9*#]$", description="one digit, * or #")]
NumberPrefix = Annotated[str, Meta(pattern="^[+]?[0-9]+$", description="the first digits of a telephone number")]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="seconds, more than 0 and at most a day")]
Role = Literal["administrator", "supervisor", "agent"]


ClockTime = Annotated[
    str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", description="a time of day, 00:00 to 24:00")
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[int, Meta(ge=0, le=36500, description="days, 0 to 36500")]
