"""The group commit: in order, told only when stored, and a disk that fails or hangs stops nobody."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from firmware.box.callserver import committer
from firmware.box.callserver.committer import Committer
from firmware.box.callserver.reserve import DiskReserve
from firmware.contacts.effects import Effects, RowInsert


def batch(name: str) -> Effects:
    return Effects(rows=[RowInsert("audit", {"action": name})])


def names(told: list[Effects]) -> list[object]:
    return [row.values["action"] for effects in told for row in effects.rows]


class Disk:
    """Stands for the journal. `before` is called with each commit and may fail or hang."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self.stored: list[object] = []

    def commit(self, rows: list[RowInsert], changes: object) -> None:
        self.before()
        self.stored += [row.values["action"] for row in rows]


def started(disk: Disk) -> Committer:
    """A committer that has begun to store its first batch."""
    one = Committer(disk)  # type: ignore[arg-type]
    one.add(batch("first"), 0)
    one.start()
    return one


def readable(one: Committer) -> bool:
    return bool(select.select([one], [], [], 5.0)[0])


def test_a_batch_is_given_back_when_it_is_stored() -> None:
    disk = Disk()
    one = started(disk)
    assert readable(one)
    assert names(one.finished()) == disk.stored == ["first"]
    assert not one.busy
    one.stop()


def test_a_full_disk_is_tried_again_and_nothing_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "RETRY_SECONDS", 0.01)
    full = iter([True, True, False])

    def refuse() -> None:
        if next(full):
            assert one.finished() == []
            raise OperationalError("insert", {}, Exception("database or disk is full"))

    disk = Disk()
    one = Committer(disk)  # type: ignore[arg-type]
    disk.before = refuse
    one.add(batch("first"), 0)
    one.start()
    assert readable(one)
    assert names(one.finished()) == ["first"]
    assert not one.failing
    one.stop()


def test_a_full_disk_takes_the_room_that_was_kept_for_it(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "reserve", size=1 << 20)

    def full_until_given_up() -> None:
        if reserve.is_there:
            raise OperationalError("insert", {}, Exception("database or disk is full"))

    disk = Disk()
    one = Committer(disk, reserve)  # type: ignore[arg-type]
    assert reserve.is_there and not one.on_reserve
    disk.before = full_until_given_up
    one.add(batch("first"), 0)
    one.start()
    assert readable(one)
    assert names(one.finished()) == ["first"]
    assert one.on_reserve and not one.failing

    disk.before = lambda: None
    one._next_take = 0.0
    one.add(batch("second"), 0)
    one.start()
    assert readable(one)
    assert reserve.is_there and not one.on_reserve
    one.stop()


def test_room_is_kept_only_where_there_is_some(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "reserve", size=1 << 60)
    one = Committer(Disk(), reserve)  # type: ignore[arg-type]
    assert one.on_reserve and not reserve.is_there
    one.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_rows_that_no_disk_would_take_are_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def leave(code: int) -> None:
        assert code == 70
        ended.set()
        raise SystemExit

    def refuse() -> None:
        raise IntegrityError("insert", {}, Exception("UNIQUE constraint failed"))

    monkeypatch.setattr(committer.os, "_exit", leave)
    one = started(Disk(refuse))
    assert ended.wait(5.0)
    assert one.finished() == []
    one.stop()


def test_what_gathered_behind_a_batch_is_stored_after_it_at_the_end() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go_on.wait(5.0)

    disk = Disk(slow)
    one = started(disk)
    assert began.wait(5.0)
    one.add(batch("second"), 1)
    threading.Timer(0.05, go_on.set).start()
    assert names(one.stop()) == disk.stored == ["first", "second"]


def test_a_commit_that_does_not_come_back_hangs_and_one_that_fails_again_and_again_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, go_on, now = threading.Event(), threading.Event(), 1000.0
    monkeypatch.setattr(committer.time, "monotonic", lambda: now)
    monkeypatch.setattr(committer, "RETRY_SECONDS", 0.01)

    def hang_and_fail_once() -> None:
        if not began.is_set():
            began.set()
            go_on.wait(5.0)
            raise OperationalError("insert", {}, Exception("disk I/O error"))

    one = started(Disk(hang_and_fail_once))
    assert began.wait(5.0)
    now += 30.0
    assert not one.hangs, "a slow disk is no hang"
    now += committer.HANG_SECONDS
    assert one.hangs == "the records are not on the disk: a commit has not come back for 150 s"
    go_on.set()
    assert readable(one)
    assert not one.hangs and not one.failing
    now += 2 * committer.HANG_SECONDS
    assert not one.hangs, "nothing is being stored"
    one.stop()


def test_the_end_does_not_wait_for_a_disk_that_fails() -> None:
    def refuse() -> None:
        raise OperationalError("insert", {}, Exception("disk I/O error"))

    one = started(Disk(refuse))
    one.add(batch("second"), 1)
    assert one.stop() == []


def test_the_end_does_not_write_beside_a_disk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "STOP_SECONDS", 0.05)
    began, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        go_on.wait(5.0)

    disk = Disk(hang)
    one = started(disk)
    assert began.wait(5.0)
    one.add(batch("second"), 1)
    assert one.stop() == []
    go_on.set()
    assert readable(one)
    assert disk.stored == ["first"]
