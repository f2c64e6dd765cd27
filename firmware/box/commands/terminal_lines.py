"""Texts as lines of a terminal of 80 columns: problem and remedy one below the other. Not what they say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

COLUMNS = 80
_PIECES = re.compile(r"\s+|[^\s\u2e80-\uffef]+|.", re.DOTALL)
"""Blanks, words, and Chinese characters: between those a line may end."""
_NEVER_FIRST = "，。；：！？、）》」』”’…"
"""Punctuation that does not begin a line."""


def columns_of(text: str) -> int:
    """How many columns the text takes: wide characters (Unicode Standard Annex 11) take two."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) - sum(unicodedata.combining(one) != 0 for one in text) + wide


def laid_out(head: str, text: str) -> list[str]:
    """`head` and then the text, in lines of at most 80 columns that begin below the text's own beginning. A word that
    is longer (a path, a command) is not cut."""
    margin = columns_of(head)
    lines = list(_lines(text, COLUMNS - margin))
    return [(head if number == 0 else " " * margin) + line for number, line in enumerate(lines)] or [head.rstrip()]


def problem_and_remedy(problem: str, remedy: str) -> list[str]:
    """Each of the two in lines of its own; an empty one has none."""
    lines = laid_out("  problem: ", problem) if problem else []
    return lines + (laid_out("  remedy:  ", remedy) if remedy else [])


def _lines(text: str, columns: int) -> Iterator[str]:
    line = ""
    for piece in _PIECES.findall(" ".join(text.split())):
        room = columns if piece in _NEVER_FIRST else columns - 2  # punctuation stays with what it follows
        if columns_of((line + piece).rstrip()) > room and line:
            yield line.rstrip()
            line = ""
        line = (line + piece).lstrip()
    if line.strip():
        yield line.rstrip()
