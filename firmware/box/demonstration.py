"""The demonstration county: what a box with an empty data folder starts with. Not used once a configuration exists."""

from __future__ import annotations

import os
import secrets
from typing import Any

from argon2 import PasswordHasher

from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths

ADMINISTRATOR = "admin"
PASSWORD_VARIABLE = "LINEBOX_ADMIN_PASSWORD"
# No 0/O, 1/l/I: the password is copied from a screen by hand.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

ANALOGUE_TRUNKS = 2
AGENT_NAMES = ("王秀英", "李建国", "张晓梅", "刘志强", "陈丽华", "杨海涛", "赵雪莲", "周文斌")
"""Agents 801 to 808. The simulator plays 801 to 804; 805 to 808 are free for persons at the page."""

AGENT_ANNOUNCEMENT = ["word:工号", "say:agent", "word:为您服务"]


def generated_password() -> str:
    """Four groups of four letters and digits, 92 bits: for first passwords, which a person copies once."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def password_hash(password: str) -> str:
    """The argon2id hash that is kept of a password."""
    return PasswordHasher().hash(password)


def demonstration_documents(administrator_password: str, analogue_trunks: int = 0) -> dict[str, list[dict[str, Any]]]:
    """All documents of the demonstration county; one login, no default password. The analogue trunks are one group."""
    lines = [f"FXO-{number}" for number in range(1, analogue_trunks + 1)]
    return {
        "boards": [{"board": "sim", "kind": "sim", "exchange_lines": analogue_trunks}, {"board": "sip", "kind": "sip"}],
        "trunk_groups": [{"group": "analogue", "lines": lines, "number": "12345"}] if lines else [],
        "services": [
            {
                "service": "12345",
                "title": "12345政务服务便民热线",
                "called": ["12345"],
                "default": True,
                "greeting": ["prompt:welcome"],
                "queue": "general",
            },
            {
                "service": "12346",
                "title": "12345分类受理",
                "called": ["12346"],
                "greeting": ["prompt:welcome"],
                "menu": "subject",
            },
        ],
        "menus": [
            {
                "menu": "subject",
                "prompt": ["prompt:menu"],
                "choices": {"1": "consult", "2": "complaint", "0": "general"},
                "timeout_seconds": 5.0,
                "attempts": 2,
                "otherwise": "general",
            }
        ],
        "queues": [
            {
                "queue": "general",
                "title": "综合",
                "music": "music:waiting",
                "offer_seconds": 15.0,
                "wrap_up_seconds": 10.0,
                "agent_announcement": AGENT_ANNOUNCEMENT,
                "announce_every_seconds": 30.0,
            },
            {
                "queue": "consult",
                "title": "咨询",
                "music": "music:waiting",
                "offer_seconds": 15.0,
                "wrap_up_seconds": 10.0,
                "agent_announcement": AGENT_ANNOUNCEMENT,
                "announce_every_seconds": 30.0,
            },
            {
                "queue": "complaint",
                "title": "投诉",
                "music": "music:waiting",
                "offer_seconds": 15.0,
                "wrap_up_seconds": 20.0,
                "agent_announcement": AGENT_ANNOUNCEMENT,
                "announce_every_seconds": 30.0,
            },
        ],
        "agents": [
            {"agent": str(801 + number), "name": name, "queues": ["general", "consult", "complaint"]}
            for number, name in enumerate(AGENT_NAMES)
        ],
        # Seats 5 to 8 have headsets: a person takes calls at the page alone, without a telephone.
        "seats": [
            {"seat": str(number), "extension": f"FXS-{number}", "headset": number > 4, "phone_display": number <= 4}
            for number in range(1, len(AGENT_NAMES) + 1)
        ],
        "logins": [
            {
                "login": ADMINISTRATOR,
                "name": "系统管理员",
                "password_hash": password_hash(administrator_password),
                "roles": ["administrator", "supervisor", "agent"],
                "agent": "805",
            }
        ],
        "box": [{"box_id": "shifan-01", "name": "示范县12345热线", "region": "610122", "language": "zh_CN"}],
    }


def is_unconfigured(paths: BoxPaths) -> bool:
    """True for a data folder that was never set up: `box.json` is written last, and copied on the first good load."""
    return not (paths.configuration / "box.json").exists() and not paths.last_good_configuration.exists()


def write_demonstration(paths: BoxPaths) -> str | None:
    """Set up an empty data folder. Returns the administrator's password if it was generated here, None if it was given
    by LINEBOX_ADMIN_PASSWORD. A first start that is interrupted is simply done again. Raises OSError."""
    given = os.environ.get(PASSWORD_VARIABLE)
    password = given or generated_password()
    save_subjects(paths, demonstration_documents(password, ANALOGUE_TRUNKS))
    return None if given else password
