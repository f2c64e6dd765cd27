"""The command that carries a part of a recording to the gateway. By itself, so that who only reads `messages.py` (the
process of the displays) loads no numpy; cutting and putting together is `sound_parts.py`.
"""

from __future__ import annotations

import msgspec


class LoadSound(msgspec.Struct, tag="load_sound", frozen=True):
    """Plays that begin from now on have this recording for the sound. It comes in parts; `at` is the sample (from 0) at
    which this one begins. In force with the `last`, if there is room for it; if not, that is logged."""

    sound: str
    at: int
    samples: bytes
    """A-law."""
    last: bool
