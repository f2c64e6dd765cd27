"""Checks passwords against argon2id hashes, without stopping live streams or eating the memory of the box."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from gevent.lock import BoundedSemaphore

AT_ONCE = 2
"""A check takes 64 MB and some 50 ms of a core: more at once wait, so that a flood of guesses harms nobody else."""
LONGEST = 256


class PasswordCheck:
    """`check(hash, password)`. An empty hash, for a login that does not exist, takes as long and is always wrong."""

    def __init__(self, in_thread: Callable[..., bool] | None = None) -> None:
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._turn = BoundedSemaphore(AT_ONCE)
        self._in_thread = in_thread

    def __call__(self, password_hash: str, password: str) -> bool:
        if len(password) > LONGEST:
            return False
        with self._turn:
            if self._in_thread is None:
                return self._matches(password_hash, password)
            return self._in_thread(self._matches, (password_hash, password))

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._nobody, password) and bool(password_hash)
        except (Argon2Error, InvalidHashError):
            return False
