"""Bearer tokens for the REST interface: who, until when, signed with the box's own key. Not sessions of the pages.

A token is `v1.<login>.<expiry>.<signature>`: the login in URL-safe base64, the expiry in seconds of UTC, HMAC-SHA256
over all before it. Nothing is kept of a token; a new key makes all tokens worthless. Who verifies one asks the
configuration whether the login still exists and which roles it has.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets

from firmware.core.paths import BoxPaths
from firmware.core.storage import sync_folder

KEY_BYTES = 32
_VERSION = "v1"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _signature(key: bytes, signed: str) -> str:
    return _base64(hmac.new(key, b"linebox-token " + signed.encode("ascii"), hashlib.sha256).digest())


def mint(key: bytes, login: str, expires_utc_s: int) -> str:
    """A token for a login that holds until `expires_utc_s` (seconds of UTC, not included)."""
    signed = f"{_VERSION}.{_base64(login.encode('utf-8'))}.{expires_utc_s}"
    return f"{signed}.{_signature(key, signed)}"


def verify(key: bytes, token: str, now_utc_s: int) -> str | None:
    """The login of a genuine token that has not expired; None for any other text (in constant time)."""
    if not token.isascii():
        return None
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(key, signed), signature):
        return None
    # Genuine from here on: we wrote it ourselves.
    version, login, expires_utc_s = signed.split(".")
    if version != _VERSION or now_utc_s >= int(expires_utc_s):
        return None
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        return base64.urlsafe_b64decode(login + "=" * (-len(login) % 4)).decode("utf-8")
    return None


def token_key(paths: BoxPaths) -> bytes:
    """The box's key, `secrets/token.key` (0600); made at first use. Raises OSError, ValueError for a damaged file.

    Several processes may ask for the first time at once: the file appears whole, and all get the same key.
    """
    path = paths.secrets / "token.key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        paths.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".token.key.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            # A link, not a rename: who comes second must not replace the key of who came first.
            with contextlib.suppress(FileExistsError):
                os.link(new, path)
        finally:
            os.unlink(new)
        sync_folder(path.parent)
        key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"{path} holds {len(key)} bytes instead of {KEY_BYTES}: remove it, a new key is made (tokens end)"
        )
    return key
