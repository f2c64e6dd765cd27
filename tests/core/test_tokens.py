"""Bearer tokens: genuine ones are known, all others are nobody's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware.core.paths import BoxPaths
from firmware.core.tokens import mint, token_key, verify

KEY = bytes(range(32))


@pytest.mark.parametrize("login", ["admin", "王秀英", "a.b", ""])
def test_a_genuine_token_names_its_login_until_it_expires(login: str) -> None:
    token = mint(KEY, login, 1000)
    assert verify(KEY, token, 999) == login
    assert verify(KEY, token, 1000) is None


def test_any_changed_character_makes_a_token_worthless() -> None:
    token = mint(KEY, "admin", 1000)
    for place in range(len(token)):
        changed = token[:place] + ("x" if token[place] != "x" else "y") + token[place + 1 :]
        assert verify(KEY, changed, 0) is None, place
    assert verify(bytes(32), token, 0) is None


@pytest.mark.parametrize("text", ["", ".", "...", "v1", "v1.YWRtaW4.9999999999.", "v1.a.b.c", "令牌", "x" * 100_000])
def test_garbage_is_nobody(text: str) -> None:
    assert verify(KEY, text, 0) is None


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path, tmp_path / "run")
    key = token_key(paths)
    assert len(key) == 32 and token_key(paths) == key
    assert (paths.secrets / "token.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(paths.secrets) == ["token.key"]


def test_two_processes_that_make_the_key_at_once_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = BoxPaths(tmp_path, tmp_path / "run")
    real_link = os.link

    def other_was_quicker(source: Path, target: Path) -> None:
        target.write_bytes(KEY)
        real_link(source, target)

    monkeypatch.setattr(os, "link", other_was_quicker)
    assert token_key(paths) == KEY


def test_a_damaged_key_is_said(tmp_path: Path) -> None:
    paths = BoxPaths(tmp_path, tmp_path / "run")
    paths.secrets.mkdir()
    (paths.secrets / "token.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="remove it"):
        token_key(paths)
