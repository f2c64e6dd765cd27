"""Log lines of all processes: RFC 5424 form on standard error, one record a line, never a secret.

`<PRI>1 TIME HOST linebox-PROCESS PID CODE [linebox board="sim" channel="3"] text`. The supervisor (on the box: systemd)
collects standard error; no process writes log files itself. Where a record comes from is given in `extra`:

    logger.warning("the board sent no block for 200 ms", extra={"board": "sim", "code": "board_silent"})
"""

from __future__ import annotations

import logging
import re
import socket
import sys
from datetime import UTC, datetime
from typing import TextIO

FIELDS = ("board", "channel", "leg", "call", "contact", "agent", "seat", "queue", "service", "peer")
"""Names in `extra` that become structured data, in this order; `code` becomes the message identity (MSGID)."""

_FACILITY = 16
"""local0 (RFC 5424, table 1)."""
_SEVERITY = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}

_SECRETS = (
    (re.compile(r"\$argon2[a-z]*\$[^\s\"']+"), "(password hash)"),
    (re.compile(r"\bv1\.[A-Za-z0-9_-]*\.\d+\.[A-Za-z0-9_-]{20,}"), "(token)"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[^\s\"']{8,}.*"), r"\1 (credentials)"),
    (
        re.compile(
            r"(?i)(\b[\w-]*(?:password|passwd|secret|session|cookie)[\w-]*[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&)]+)"
        ),
        r"\1(hidden)",
    ),
)


def without_secrets(text: str) -> str:
    """The text with passwords, hashes, tokens and credentials taken out, whoever put them in."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _parameter(value: object) -> str:
    """A parameter value with what RFC 5424, 6.3.3 wants escaped; line ends would forge records."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
    return text.replace("\n", " ").replace("\r", " ")


class RecordFormat(logging.Formatter):
    """Turns a record into a line (and indented lines for what follows, such as a traceback)."""

    def __init__(self, process: str, host: str | None = None) -> None:
        super().__init__()
        self._process = process
        self._host = host or socket.gethostname() or "-"

    def format(self, record: logging.LogRecord) -> str:
        severity = _SEVERITY.get(record.levelno, 6)
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        code = getattr(record, "code", None) or "-"
        given = [(name, getattr(record, name)) for name in FIELDS if hasattr(record, name)]
        data = " ".join(f'{name}="{_parameter(value)}"' for name, value in given)
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        text = without_secrets(text).replace("\r", "").replace("\n", "\n    ")
        structured = f"[linebox {without_secrets(data)}]" if data else "-"
        head = f"<{_FACILITY * 8 + severity}>1 {time} {self._host} linebox-{self._process} {record.process} {code}"
        return f"{head} {structured} {text}"


def start_logging(process: str, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all records of this process to standard error. Called once, by the process's main function."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(RecordFormat(process))
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    # A full disk or a closed pipe behind standard error must never reach the code that logs.
    logging.raiseExceptions = False
