"""Log lines: form, fields, no secrets, no forged records."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest

from firmware.core.logging import start_logging, without_secrets
from firmware.core.tokens import mint


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    stream = io.StringIO()
    start_logging("gateway", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_a_record_is_one_rfc_5424_line_with_where_it_comes_from(log: io.StringIO) -> None:
    logging.getLogger("x").warning("no block for %d ms", 200, extra={"board": "sim", "channel": 3, "code": "silent"})
    line = log.getvalue()
    form = r"<132>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ linebox-gateway \d+ silent (.*)\n"
    found = re.fullmatch(form, line)
    assert found and found[1] == '[linebox board="sim" channel="3"] no block for 200 ms', line


def test_a_record_without_fields(log: io.StringIO) -> None:
    logging.getLogger("x").info("started")
    assert log.getvalue().startswith("<134>1 ") and log.getvalue().endswith(" - - started\n")


def test_what_a_caller_sends_cannot_forge_a_record(log: io.StringIO) -> None:
    logging.getLogger("x").info("calling\n<128>1 forged", extra={"peer": 'a"]\n<128>1 forged'})
    assert [line for line in log.getvalue().splitlines() if line.startswith("<128>")] == []


def test_a_traceback_belongs_to_its_record(log: io.StringIO) -> None:
    try:
        raise RuntimeError("password=hunter2")
    except RuntimeError:
        logging.getLogger("x").exception("the tick failed")
    lines = log.getvalue().splitlines()
    assert len(lines) > 3 and all(line.startswith("    ") for line in lines[1:])
    assert "hunter2" not in log.getvalue()


def test_a_stream_that_breaks_harms_nobody(log: io.StringIO) -> None:
    log.close()
    logging.getLogger("x").error("nobody hears this")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET-SECRET",
        'body {"login": "admin", "password": "SECRET SECRET"}',
        "password=SECRET&login=admin",
        "LINEBOX_ADMIN_PASSWORD=SECRET",
        "hash $argon2id$v=19$m=65536,t=3,p=4$SECRET$SECRET",
        "Cookie: linebox=SECRET",
        f"token {mint(b'k' * 32, 'admin', 99).replace('v1.', 'v1.SECRET')}",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "SECRET" not in without_secrets(text)


def test_other_texts_stay_as_they_are() -> None:
    text = "leg b1.3.7 cleared: cause 16, calling 13800000000, sample 1234"
    assert without_secrets(text) == text
