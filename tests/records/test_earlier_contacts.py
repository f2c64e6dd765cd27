"""How often a number has called before: the count, and that it stays quick however many rows there are."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from sqlalchemy import insert, text

from firmware.box.callserver.callers import Callers
from firmware.contacts.effects import CallerLookup
from firmware.records.database import open_database, open_for_reading
from firmware.records.queries import MOST_EARLIER, earlier_contacts
from firmware.records.tables import contacts


def stored(path: Path, callers: list[str]) -> None:
    engine = open_database(path, "OFF")
    common = {"box_id": "b", "region": "610122", "medium": "voice", "machine_boot": "m", "presentation": "allowed"}
    common |= {"calling_received": "", "called_received": "", "called": "12345", "service": "12345"}
    moment = {"arrived_mono_us": 0, "arrived_utc_us": 0, "arrived_trusted": True}
    rows = [common | moment | {"number": number, "calling": calling} for number, calling in enumerate(callers, 1)]
    with engine.begin() as connection:
        connection.execute(insert(contacts), rows)
    engine.dispose()


def test_only_earlier_contacts_of_the_same_number_count(tmp_path: Path) -> None:
    stored(tmp_path / "calls.db", ["138", "139", "138", "", "138"])
    engine = open_for_reading(tmp_path / "calls.db")
    with engine.connect() as connection:
        assert [earlier_contacts(connection, "138", before) for before in (1, 3, 5, 6)] == [0, 1, 2, 3]
        assert earlier_contacts(connection, "137", 6) == 0
    engine.dispose()


def test_the_count_uses_the_index_and_ends_at_its_most(tmp_path: Path) -> None:
    stored(tmp_path / "calls.db", ["138"] * 5000 + [str(number) for number in range(20_000)])
    engine = open_for_reading(tmp_path / "calls.db")
    with engine.connect() as connection:
        plan = connection.execute(
            text("EXPLAIN QUERY PLAN SELECT number FROM contacts WHERE calling = '138' AND number < 9 LIMIT 9")
        ).all()
        assert "contacts_by_calling" in str(plan)
        assert earlier_contacts(connection, "138", 1 << 40) == MOST_EARLIER
    engine.dispose()


def test_the_thread_answers_what_it_was_asked_and_a_database_that_fails_answers_nothing(tmp_path: Path) -> None:
    stored(tmp_path / "calls.db", ["138", "138"])
    callers = Callers(tmp_path / "calls.db")
    callers.ask([CallerLookup(3, "138"), CallerLookup(2, "138")])
    found: list[tuple[int, int]] = []
    until = time.monotonic() + 10
    while len(found) < 2 and time.monotonic() < until:
        found += callers.answers()
    assert found == [(3, 2), (2, 1)]
    os.rename(tmp_path / "calls.db", tmp_path / "elsewhere.db")
    callers.ask([CallerLookup(3, "138")])
    callers.stop()

    assert "callers" not in {thread.name for thread in threading.enumerate()}
