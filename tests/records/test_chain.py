"""The chain of recordings: whoever changes anything of a finished recording is found, by link, recording and file."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.box import cli
from firmware.records.chain import LinkKind, read_anchor
from firmware.records.recording import HEADER_SIZE
from tests.records.closed_recordings import DataFolder


@pytest.fixture
def box(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path)
    yield folder
    folder.close()


@pytest.fixture
def verify(box: DataFolder, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    return lambda *arguments: box.verify(capsys, *arguments)


Verify = Callable[..., tuple[int, dict[str, Any]]]


def test_what_nobody_touched_is_as_it_was(box: DataFolder, verify: Verify) -> None:
    for _ in range(5):
        box.record()
    box.delete(2)

    code, report = verify()

    assert code == 0
    assert (report["ok"], report["first"], report["broken"]) == (True, None, [])
    assert (report["links"], report["recordings"], report["deleted"]) == (6, 4, 1)


def test_a_recording_that_was_put_on_hold_during_its_call_is_as_it_was_and_a_change_of_it_is_found(
    box: DataFolder, verify: Verify
) -> None:
    number = box.record(held_before_its_end=True)
    assert verify()[0] == 0

    box.sql(f"UPDATE contacts SET agent = '802' WHERE number = {number}")
    code, report = verify()

    assert (code, report["first"]["what"], report["first"]["link"]) == (1, "row_changed", 2)


def test_what_was_held_after_its_end_is_held_against_its_row(box: DataFolder, verify: Verify) -> None:
    number = box.record()
    box.journal.commit([box.link(LinkKind.HELD, number, by="admin", reason="court")], {})
    assert verify()[0] == 0

    box.sql(f"UPDATE contacts SET agent = '802' WHERE number = {number}")

    assert [one["link"] for one in verify()[1]["broken"]] == [1, 2]


def test_any_changed_byte_of_the_audio_is_named(box: DataFolder, verify: Verify) -> None:
    for _ in range(4):
        box.record(800)
    chance = random.Random(12345)
    for _ in range(20):
        number, position = chance.randint(1, 4), HEADER_SIZE + chance.randrange(1600)
        box.change_byte(number, position)

        code, report = verify()

        assert code == 1
        assert [report["first"][key] for key in ("what", "link", "recording", "file")] == [
            "audio_changed",
            number,
            number,
            f"{number}.au",
        ]
        assert report["recordings"] == 3
        box.change_byte(number, position)
    assert verify()[0] == 0


@pytest.mark.parametrize(
    ("what", "crime"),
    [
        ("file_missing", lambda box: box.path(2).unlink()),
        ("audio_changed", lambda box: box.path(2).write_bytes(box.path(2).read_bytes() + b"\xd5\xd5")),
        ("audio_changed", lambda box: box.path(2).write_bytes(box.path(2).read_bytes()[:-2])),
        ("file_damaged", lambda box: box.path(2).write_bytes(b"RIFF" + box.path(2).read_bytes()[4:])),
        ("audio_changed", lambda box: shutil.copy(box.path(3), box.path(2))),
        (
            "row_changed",
            lambda box: box.sql("UPDATE recordings SET opened_utc_us = opened_utc_us + 1 WHERE number = 2"),
        ),
        ("row_changed", lambda box: box.sql("UPDATE recordings SET file = '3.au' WHERE number = 2")),
        ("row_changed", lambda box: box.sql("UPDATE contacts SET calling = '110' WHERE number = 2")),
        ("row_changed", lambda box: box.sql("UPDATE contacts SET agent = '802' WHERE number = 2")),
        ("row_changed", lambda box: box.sql("UPDATE legs SET channel_label = 'E1-1/9' WHERE number = 2")),
        ("row_missing", lambda box: box.sql("DELETE FROM recordings WHERE number = 2")),
        ("link_missing", lambda box: box.sql("DELETE FROM recording_chain WHERE number = 2")),
        ("link_changed", lambda box: box.sql("UPDATE recording_chain SET by = 'x' WHERE number = 2")),
        ("link_changed", lambda box: box.sql("UPDATE recording_chain SET at_utc_us = 1 WHERE number = 2")),
        ("deleted_without_link", lambda box: box.delete(2, linked=False)),
        ("no_link", lambda box: box.record(linked=False)),
    ],
)
def test_every_other_change_is_named(
    box: DataFolder, verify: Verify, what: str, crime: Callable[[DataFolder], Any]
) -> None:
    for _ in range(3):
        box.record(80)

    crime(box)

    code, report = verify()
    assert (code, report["first"]["what"]) == (1, what)
    assert 2 in (report["first"]["link"], report["first"]["recording"]) or report["first"]["recording"] == 4


def test_a_link_that_is_made_to_fit_breaks_the_next(box: DataFolder, verify: Verify) -> None:
    """Somebody who knows the code changes a row and makes its link anew."""
    for _ in range(3):
        box.record(80)
    box.sql("UPDATE contacts SET calling = '110' WHERE number = 1")
    with sqlite3.connect(box.paths.calls_database) as connection:
        from firmware.records import chain
        from firmware.records.database import open_for_reading
        from firmware.records.tables import recording_chain

        engine = open_for_reading(box.paths.calls_database)
        with engine.connect() as reading:
            link = dict(reading.execute(recording_chain.select()).first()._mapping)  # type: ignore[union-attr]
            link["row_sha256"] = chain.row_hash(reading, link["box_id"], 1)
        engine.dispose()
        values = (link["row_sha256"], chain.link_hash(link))
        connection.execute("UPDATE recording_chain SET row_sha256 = ?, hash = ? WHERE number = 1", values)
    connection.close()

    code, report = verify()

    assert (code, report["first"]["what"], report["first"]["link"]) == (1, "link_changed", 2)


def test_links_that_are_cut_off_at_the_end_are_missed(box: DataFolder, verify: Verify) -> None:
    for _ in range(3):
        box.record(80)
    for table in ("recording_chain", "recordings"):
        box.sql(f"DELETE FROM {table} WHERE number = 3")

    code, report = verify()

    assert (code, report["first"]["what"], report["first"]["link"]) == (1, "link_missing", 3)


def test_a_new_start_does_not_write_over_an_anchor_that_does_not_fit(box: DataFolder, verify: Verify) -> None:
    for _ in range(3):
        box.record(80)
    for table in ("recording_chain", "recordings", "contacts", "calls", "legs"):
        box.sql(f"DELETE FROM {table} WHERE number = 3")
    box.calls = 2
    box.path(3).unlink()
    box.reopen()
    box.record(160)

    code, report = verify()

    assert (code, report["first"]["what"], report["first"]["link"]) == (1, "link_missing", 3)


def test_without_an_anchor_it_is_said_that_the_end_cannot_be_judged(box: DataFolder, verify: Verify) -> None:
    box.record(80)
    box.paths.chain_anchor.unlink()

    code, report = verify()

    assert (code, report["first"]["what"]) == (1, "anchor_missing")


def test_a_link_that_was_noted_elsewhere_must_be_there(box: DataFolder, verify: Verify) -> None:
    box.record(80)
    noted = read_anchor(box.paths.chain_anchor)
    assert noted is not None

    assert verify("--anchor", f"{noted.number}:{noted.hash}")[0] == 0
    assert verify("--anchor", f"{noted.number}:{'0' * 64}")[0] == 1
    assert verify("--anchor", f"2:{noted.hash}")[0] == 1


def test_recordings_of_a_version_without_a_chain_are_adopted_at_the_next_start(box: DataFolder, verify: Verify) -> None:
    box.record(80)
    box.record(80, linked=False)
    box.reopen()
    box.record(80)

    code, report = verify()

    assert (code, report["links"], report["recordings"], report["adopted"]) == (0, 3, 3, 1)


def test_it_says_in_words_what_it_found(box: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    box.record(80)
    box.record(80)
    box.change_byte(2, HEADER_SIZE + 7)

    assert cli.main(["verify-recordings", "--data", str(box.paths.data)]) == 1

    said = capsys.readouterr().out.splitlines()
    expected = "first broken link: audio changed, link 2, recording 2, 2.au: not the audio that was recorded"
    assert said[0] == expected
    assert said[1].startswith("2 links, 1 recordings as they were, 0 proven by their copies")


def test_a_batch_that_was_not_committed_leaves_no_link(box: DataFolder, verify: Verify) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from firmware.records.chain import LinkKind
    from tests.records.closed_recordings import Row

    box.record(80)
    link = box.link(LinkKind.HELD, 1)
    with pytest.raises(SQLAlchemyError):
        box.journal.commit([link, Row("recordings", number=1)], {})
    box.record(80)

    code, report = verify()

    assert (code, report["links"]) == (0, 2)


def test_an_empty_box_has_nothing_broken(verify: Verify) -> None:
    code, report = verify()

    assert (code, report["links"]) == (0, 0)
