"""Logins and tokens from the command line: `linebox login …`, `linebox token`. Not for pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from firmware.box.commands.cti_request import ask, is_running
from firmware.box.demonstration import generated_password, is_unconfigured, password_hash
from firmware.calls.messages import ReloadConfiguration
from firmware.core.configuration import load_configuration_or_last_good, read_documents, save_documents
from firmware.core.configuration_problems import nearest_name
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.schema_fields import Role
from firmware.core.tokens import mint, token_key

_DAY_SECONDS = 86400


def _configured(data: Path | None) -> BoxPaths:
    paths = box_paths(data)
    if is_unconfigured(paths):
        raise ClearError(
            f"{paths.data} is not set up yet", "start it once with `linebox up`, or name another with --data"
        )
    return paths


def _no_such_login(name: str, logins: list[str]) -> ClearError:
    nearest = nearest_name(name, logins)
    remedy = (
        f'did you mean "{nearest}"?' if nearest else "`linebox login list` shows them; `linebox login add` makes one"
    )
    return ClearError(f'there is no login "{name}"', remedy)


def new_token(data: Path | None, login: str, days: float) -> str:
    """A token for a login that exists. Raises ClearError, ConfigurationError, OSError."""
    paths = _configured(data)
    if not 0 < days <= 3660:
        raise ClearError(f"a token cannot hold for {days:g} days", "--days takes more than 0 and at most 3660")
    configuration, _ = load_configuration_or_last_good(paths)
    names = [one.login for one in configuration.logins]
    if login not in names:
        raise _no_such_login(login, names)
    return mint(token_key(paths), login, int(time.time() + days * _DAY_SECONDS))


def _change(paths: BoxPaths, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the logins, save them, and have the running box take them."""
    logins = read_documents(paths, "logins")
    change(logins)
    save_documents(paths, "logins", logins)
    if is_running(paths):
        reply = ask(paths, ReloadConfiguration(), "linebox login")
        if reply.error:
            raise ClearError(f"saved, but the running box did not take it ({reply.error})", "`linebox config check`")


def add_login(data: Path | None, name: str, roles: list[str] | None, agent: str, title: str) -> int:
    """Add a login and print its generated password. Raises ClearError, ConfigurationError, OSError."""
    paths = _configured(data)
    chosen = roles or ["agent"]
    for role in chosen:
        if role not in get_args(Role):
            nearest = nearest_name(role, get_args(Role))
            remedy = f'did you mean "{nearest}"?' if nearest else f"one of {', '.join(get_args(Role))}"
            raise ClearError(f'there is no role "{role}"', remedy)
    agents = {str(one.get("agent")): str(one.get("name")) for one in read_documents(paths, "agents")}
    if agent and agent not in agents:
        raise ClearError(f'there is no agent number "{agent}"', f"one of {', '.join(agents)}")
    password = generated_password()

    def change(logins: list[dict[str, Any]]) -> None:
        if any(one.get("login") == name for one in logins):
            raise ClearError(
                f'the login "{name}" exists already', f"`linebox login password {name}` gives it a new password"
            )
        logins.append(
            {
                "login": name,
                "name": title or agents.get(agent, name),
                "password_hash": password_hash(password),
                "roles": list(dict.fromkeys(chosen)),
                "agent": agent,
            }
        )

    _change(paths, change)
    print(f"Login: {name}  password: {password}  (shown only now)")
    return 0


def renew_password(data: Path | None, name: str) -> int:
    """Give a login a new generated password and print it. Raises ClearError, ConfigurationError, OSError."""
    paths = _configured(data)
    password = generated_password()

    def change(logins: list[dict[str, Any]]) -> None:
        for one in logins:
            if one.get("login") == name:
                one["password_hash"] = password_hash(password)
                return
        raise _no_such_login(name, [str(one.get("login")) for one in logins])

    _change(paths, change)
    print(f"Login: {name}  password: {password}  (shown only now)")
    return 0


def list_logins(data: Path | None) -> int:
    """Print the logins, never their hashes. Raises ClearError, ConfigurationError, OSError."""
    paths = _configured(data)
    configuration, _ = load_configuration_or_last_good(paths)
    for one in configuration.logins:
        agent = f"  agent {one.agent}" if one.agent else ""
        print(f"{one.login}  {one.name}  {', '.join(one.roles)}{agent}")
    return 0
