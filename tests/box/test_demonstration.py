"""What an empty data folder starts with."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from firmware.box.demonstration import generated_password, is_unconfigured, write_demonstration
from firmware.core.configuration import keep_last_good, load_configuration
from firmware.core.paths import BoxPaths


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    return BoxPaths(tmp_path / "data", tmp_path / "run")


def test_the_demonstration_county_is_a_valid_configuration(paths: BoxPaths) -> None:
    write_demonstration(paths)
    county = load_configuration(paths)
    assert county.box.name == "示范县12345热线" and county.box.region == "610122"
    assert [board.kind for board in county.boards] == ["sim", "sip"]
    straight, menu = county.services
    assert straight.default and straight.called == ("12345",) and straight.queue == "general"
    assert menu.menu == county.menus[0].menu and county.menus[0].choices["1"] == "consult"
    assert county.menus[0].otherwise == "general"
    assert [agent.agent for agent in county.agents] == [str(number) for number in range(801, 809)]
    assert [(seat.extension, seat.headset) for seat in county.seats] == [
        (f"FXS-{number}", number >= 5) for number in range(1, 9)
    ]


def test_there_is_one_login_and_no_default_password(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINEBOX_ADMIN_PASSWORD", raising=False)
    password = write_demonstration(paths)
    (admin,) = load_configuration(paths).logins
    assert (
        admin.login == "admin" and admin.agent == "805" and set(admin.roles) == {"administrator", "supervisor", "agent"}
    )
    assert password is not None and PasswordHasher().verify(admin.password_hash, password)
    assert len({generated_password() for _ in range(100)}) == 100


def test_the_first_password_may_be_given(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEBOX_ADMIN_PASSWORD", "given by the office")
    assert write_demonstration(paths) is None
    assert PasswordHasher().verify(load_configuration(paths).logins[0].password_hash, "given by the office")


def test_a_folder_is_set_up_once_and_an_interrupted_first_start_again(paths: BoxPaths) -> None:
    assert is_unconfigured(paths)
    write_demonstration(paths)
    assert not is_unconfigured(paths)
    (paths.configuration / "box.json").unlink()  # written last, so this is how an interrupted start looks
    assert is_unconfigured(paths)


def test_a_configured_folder_that_lost_its_files_is_not_taken_for_an_empty_one(paths: BoxPaths) -> None:
    write_demonstration(paths)
    keep_last_good(paths)
    for path in paths.configuration.glob("*.json"):
        path.unlink()
    assert not is_unconfigured(paths)
