"""Prompts and music that ship with the box, beside this file: one folder a language with `words` in it, and `music`.

What they say is here for who has no use for the samples (and no numpy); those are read by `firmware/media/sounds.py`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

PROMPTS = Path(__file__).parent


def prompt_texts(language: str) -> dict[str, str]:
    """What the shipped prompts of a language say, by name without `prompt:`."""
    path = PROMPTS / language / "texts.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
