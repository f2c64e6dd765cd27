"""Document files: what TinyDB sees, what a person sees, and what a power cut leaves at every step of a write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB, where
from tinydb.storages import MemoryStorage

from firmware.core import storage
from firmware.core.storage import DurableStorage, write_durably

OLD = {"queues": {"1": {"queue": "old"}}}
NEW = {"queues": {"1": {"queue": "new", "title": "新" * 3000}}}


@pytest.fixture(params=["memory", "disk"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TinyDB]:
    if request.param == "memory":
        opened = TinyDB(storage=MemoryStorage)
    else:
        opened = TinyDB(tmp_path / "queues.json", storage=DurableStorage)
    with opened:
        yield opened


def test_documents_are_found_changed_and_removed(database: TinyDB) -> None:
    table = database.table("queues")
    assert table.all() == []
    table.insert_multiple([{"queue": "general", "title": "综合"}, {"queue": "consult", "title": "咨询"}])
    table.update({"title": "全部"}, where("queue") == "general")
    table.remove(where("queue") == "consult")
    assert table.all() == [{"queue": "general", "title": "全部"}]
    assert database.tables() == {"queues"}


def test_a_file_written_by_one_process_is_read_by_another(tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    with TinyDB(path, storage=DurableStorage) as database:
        database.table("queues").insert({"queue": "general"})
    with TinyDB(path, storage=DurableStorage) as database:
        assert database.table("queues").all() == [{"queue": "general"}]


def test_a_person_can_read_and_compare_the_file(tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    documents = {number: {"queue": f"q{number}", "title": "综合"} for number in range(11, 0, -1)}
    DurableStorage(path).write({"queues": documents})
    before = path.read_text(encoding="utf-8").splitlines()
    assert '      "title": "综合"' in before
    assert [line.strip() for line in before if line.endswith("{")][2:4] == ['"1": {', '"2": {']
    documents[10]["title"] = "投诉"
    DurableStorage(path).write({"queues": documents})
    after = path.read_text(encoding="utf-8").splitlines()
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_the_file_is_closed_to_other_users(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    left_over = tmp_path / ".logins.json.new"
    left_over.write_text("from a death")
    left_over.chmod(0o666)
    DurableStorage(path).write({"logins": {}})
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["logins.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "queues.json"
    DurableStorage(path).write(OLD)
    with pytest.raises((TypeError, ValueError)):
        DurableStorage(path).write({"queues": {"1": {"offer_seconds": value}}})
    assert DurableStorage(path).read() == OLD


# ---- a write that dies -----------------------------------------------------------------------------------------------

SYSTEM_CALLS = ("open", "write", "fsync", "close", "rename", "unlink")


class _Watched:
    """Stands in for `os` in the storage: tells each system call, before and after it is done."""

    def __init__(self, before: Callable[[str], None], after: Callable[[str], None] = lambda name: None) -> None:
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in SYSTEM_CALLS:
            return real

        def call(*arguments: Any) -> Any:
            self._before(name)
            if name == "write":  # a disk takes what it likes
                arguments = (arguments[0], arguments[1][:4096])
            result = real(*arguments)
            self._after(name)
            return result

        return call


def _calls_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(storage, "os", _Watched(calls.append))
        DurableStorage(tmp_path / "counted.json").write(NEW)
    return calls


def test_a_process_that_dies_between_any_two_steps_leaves_the_old_or_the_new_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _calls_of_a_write(tmp_path, monkeypatch)
    assert calls.count("fsync") == 2 and calls.count("rename") == 1 and calls.count("write") > 2
    path = tmp_path / "queues.json"
    outcomes = []
    for last in range(len(calls) + 1):
        DurableStorage(path).write(OLD)
        child = os.fork()
        if child == 0:  # no handlers, no clean-up: it is gone
            left = [last]

            def die(name: str, left: list[int] = left) -> None:
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1

            storage.os = _Watched(die)  # type: ignore[attr-defined]
            DurableStorage(path).write(NEW)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (9 if last < len(calls) else 0)
        outcomes.append(DurableStorage(path).read())
    renamed = calls.index("rename")
    assert outcomes[: renamed + 1] == [OLD] * (renamed + 1)
    assert outcomes[renamed + 1 :] == [NEW] * (len(calls) - renamed)


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "rename"])
def test_a_full_or_failing_disk_leaves_the_old_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "queues.json"
    DurableStorage(path).write(OLD)

    def fail(name: str) -> None:
        if name == failing:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "os", _Watched(fail))
        with pytest.raises(OSError, match="No space"):
            DurableStorage(path).write(NEW)
    assert DurableStorage(path).read() == OLD
    DurableStorage(path).write(NEW)
    assert DurableStorage(path).read() == NEW


class _Disk:
    """What a power cut may leave: names and contents count as kept only after their own fsync, else either way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept_names = self._names()
        self.kept_contents = {inode: self._content(name) for name, inode in self.kept_names.items()}

    def _names(self) -> dict[str, int]:
        return {entry.name: entry.stat().st_ino for entry in self.folder.iterdir()}

    def _content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def synced(self, status: os.stat_result) -> None:
        if status.st_ino == self.folder.stat().st_ino:
            self.kept_names = self._names()
        else:
            name = next(name for name, inode in self._names().items() if inode == status.st_ino)
            self.kept_contents[status.st_ino] = self._content(name)

    def may_read(self, name: str) -> set[bytes]:
        """All contents that `name` may have after a power cut now; unsynced contents may be lost (empty)."""
        seen: set[bytes] = set()
        for names in (self.kept_names, self._names()):
            inode = names.get(name)
            if inode is None:
                seen.add(b"(no file)")
            else:
                seen.add(self.kept_contents.get(inode, b""))
        return seen


def test_a_power_cut_between_any_two_steps_leaves_the_old_or_the_new_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "queues.json"
    DurableStorage(path).write(OLD)
    old = path.read_bytes()
    new = storage.document_text(NEW).encode()
    disk = _Disk(folder)
    possible: list[set[bytes]] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        disk.synced(os.fstat(descriptor))

    watched = _Watched(lambda name: None, lambda name: possible.append(disk.may_read("queues.json")))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        patched.setattr(storage, "os", watched)
        DurableStorage(path).write(NEW)
    assert all(contents <= {old, new} for contents in possible), possible
    assert possible[0] == {old}
    assert disk.may_read("queues.json") == {new}, "acknowledged, so it must be the new one"


def test_the_text_ends_with_a_line_end_and_is_json(tmp_path: Path) -> None:
    write_durably(tmp_path / "a.json", storage.document_text({"box": {1: {"name": "示范县"}}}).encode())
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.endswith("}\n") and json.loads(text) == {"box": {"1": {"name": "示范县"}}}
