"""Reads, checks and saves the configuration files of a box, and keeps the last good copy of them.

One TinyDB file a subject (`schemas.py`), so that a person can read and compare them over SSH. All errors are reported
at once. The callserver is the one that calls `keep_last_good`, after it has taken a configuration into use; every
process that must start whatever stands in the files calls `load_configuration_or_last_good`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from firmware.core.configuration_checks import build, check
from firmware.core.configuration_problems import ConfigurationError, Problem, nearest_name
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration
from firmware.core.storage import DurableStorage, document_text, sync_folder, write_durably
from firmware.core.subjects import SUBJECT, SUBJECTS, Document, Documents, Subject

__all__ = [
    "SUBJECTS",
    "ConfigurationError",
    "Problem",
    "change_documents",
    "change_last_good",
    "keep_last_good",
    "load_configuration",
    "load_configuration_or_last_good",
    "read_documents",
    "save_documents",
    "save_subjects",
]

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
"""From the documents of a subject to what they are to be."""

MAXIMUM_FILE = 4 << 20
"""Bytes in the largest file that is read: more is not a configuration."""


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read_file(folder: Path, subject: Subject) -> bytes | Problem:
    path = folder / subject.file
    try:
        if path.stat().st_size > MAXIMUM_FILE:
            return Problem(subject.file, "", "the file is too large", f"at most {MAXIMUM_FILE >> 20} MB")
        return path.read_bytes()
    except FileNotFoundError:
        others = {one.file for one in SUBJECTS}
        strays = [one.name for one in folder.glob("*.json") if one.name not in others]
        nearest = nearest_name(subject.file, [one for one in strays if nearest_name(one, others) == subject.file])
        if subject.optional and not nearest:
            return _text_of(subject.name, ())
        return Problem(
            subject.file,
            "",
            "the file is missing",
            f'a file with the table "{subject.name}"',
            nearest,
            f"put it back from {folder.name}/last-good, or rename the file that it has become",
        )
    except OSError as error:
        remedy = f"make {path} readable for the user that runs Linebox"
        return Problem(subject.file, "", f"the file cannot be read ({error.strerror})", remedy=remedy)


def _text_of(subject: str, documents: Sequence[Document]) -> bytes:
    """A file with these documents."""
    return document_text({subject: dict(enumerate(documents, 1))}).encode("utf-8")


def _decode(subject: Subject, data: bytes) -> tuple[Documents | None, list[Problem]]:
    """The documents of one file (None if it is not readable as such) and what is wrong with it as a file."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        remedy = "save the file as UTF-8 (an editor may have saved it as GBK)"
        return None, [Problem(subject.file, f"line {line}", "this is not UTF-8 text", remedy=remedy)]
    doubles: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        doubles.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(items)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        tables = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return None, [Problem(subject.file, place, f"this is not JSON: {error.msg}", remedy=_json_remedy(text, error))]
    except (ValueError, RecursionError) as error:
        return None, [Problem(subject.file, "", f"this is not JSON: {error}")]
    problems = [
        Problem(subject.file, "", f'the key "{name}" stands twice in one object', "each key once", remedy="remove one")
        for name in doubles
    ]
    if not isinstance(tables, dict):
        shape = f'an object with the table "{subject.name}"'
        return None, [*problems, Problem(subject.file, "", "the file is not an object", shape)]
    for table in tables:
        if table != subject.name:
            nearest = nearest_name(table, [subject.name] if subject.name not in tables else [])
            problems.append(Problem(subject.file, "", f'unknown table "{table}"', f'only "{subject.name}"', nearest))
    documents = tables.get(subject.name)
    if not isinstance(documents, dict):
        what = f'the table "{subject.name}" is ' + ("missing" if documents is None else "not an object")
        problems.append(Problem(subject.file, "", what, 'an object from document number to document, "1", "2" …'))
        return None, problems
    for number in documents:
        # TinyDB takes them for integers, and would die of anything else.
        if not (number.isascii() and number.isdigit()):
            problems.append(Problem(subject.file, "", f'"{number}" is not a document number', "1, 2 …"))
    return documents, problems


def _json_remedy(text: str, error: json.JSONDecodeError) -> str:
    """What usually lies behind the place at which a file stops being JSON."""
    before = text[: error.pos].rstrip()
    if not text.strip():
        return "the file is empty: put it back from config/last-good"
    if error.pos >= len(text.rstrip()):
        return "the end of the file is missing, or a bracket is not closed"
    if before.endswith(",") or (error.msg.startswith("Illegal trailing comma")):
        return "remove the comma before the closing bracket"
    if text[error.pos : error.pos + 1] in "“”‘’，：'":
        return 'use plain quotation marks " and plain , and :'
    if error.msg.startswith("Expecting ',' delimiter"):
        return "a comma or a quotation mark is missing here or on the line before"
    return "look at this line and at the end of the line before it"


def _contents(files: Mapping[str, bytes | Problem]) -> tuple[dict[str, Documents | None], list[Problem]]:
    contents: dict[str, Documents | None] = {}
    problems: list[Problem] = []
    for subject in SUBJECTS:
        data = files[subject.name]
        if isinstance(data, Problem):
            contents[subject.name] = None
            problems.append(data)
        else:
            contents[subject.name], found = _decode(subject, data)
            problems += found
    return contents, problems


def _configuration(files: Mapping[str, bytes | Problem]) -> Configuration:
    contents, problems = _contents(files)
    problems += check(contents)
    if problems:
        order = [subject.file for subject in SUBJECTS]
        raise ConfigurationError(sorted(problems, key=lambda problem: order.index(problem.file)))
    return build(contents)


def _files(folder: Path) -> dict[str, bytes | Problem]:
    return {subject.name: _read_file(folder, subject) for subject in SUBJECTS}


def load_configuration(paths: BoxPaths) -> Configuration:
    """The configuration in the files. Raises ConfigurationError with all that is wrong in all of them."""
    return _configuration(_files(paths.configuration))


def load_configuration_or_last_good(paths: BoxPaths) -> tuple[Configuration, list[Problem]]:
    """The configuration in the files, or the last good one and what is wrong with the files.

    Raises ConfigurationError, about the files, when there is no last good one either.
    """
    try:
        return load_configuration(paths), []
    except ConfigurationError as error:
        for folder in (paths.last_good_configuration, _old_last_good(paths)):
            with contextlib.suppress(ConfigurationError):
                return _configuration(_files(folder)), error.problems
        raise


# ---- the last good copy ----------------------------------------------------------------------------------------------


def _old_last_good(paths: BoxPaths) -> Path:
    """Where the copy stands for the moment in which a new one takes its place."""
    return paths.last_good_configuration.with_name("last-good.old")


def keep_last_good(paths: BoxPaths) -> None:
    """Copy the files to `config/last-good`, as a whole and durably. Nothing is written when they are the same.

    Raises ConfigurationError, and keeps the old copy, if the files are not good (any more). Raises OSError. A death or
    power cut at any moment leaves the old copy or the new one for `load_configuration_or_last_good`.
    """
    good, old = paths.last_good_configuration, _old_last_good(paths)
    with _locked(paths):
        files = _files(paths.configuration)
        _configuration(files)
        if good.exists() and files == _files(good):
            return
        if old.exists() and not good.exists():
            os.rename(old, good)  # died between the two renames below
        new = good.with_name("last-good.new")
        for left_over in (new, old):
            shutil.rmtree(left_over, ignore_errors=True)
        new.mkdir(mode=0o700)
        for subject in SUBJECTS:
            data = files[subject.name]
            assert isinstance(data, bytes)
            write_durably(new / subject.file, data)
        if good.exists():
            os.rename(good, old)
        os.rename(new, good)
        sync_folder(good.parent)
        shutil.rmtree(old, ignore_errors=True)


def change_last_good(paths: BoxPaths, subject: str, change: Change) -> None:
    """Change the documents of one subject in the last good copy alone: what is in force has changed there, while the
    files may hold edits that are not. Raises ConfigurationError if there is no good copy; raises OSError."""
    with _locked(paths):
        good, old = paths.last_good_configuration, _old_last_good(paths)
        _change(good if good.exists() else old, subject, change)


# ---- writing ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(paths: BoxPaths) -> Iterator[None]:
    """One writer at a time, whatever process it is in."""
    paths.configuration.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(paths.configuration / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _change(folder: Path, subject: str, change: Change) -> None:
    """Nothing is written if that changes nothing."""
    files = _files(folder)
    _configuration(files)
    contents, _ = _contents(files)
    before = [dict(document) for document in (contents[subject] or {}).values()]
    after = change([dict(document) for document in before])
    if after == before:
        return
    files[subject] = _text_of(subject, after)
    _configuration(files)
    DurableStorage(folder / SUBJECT[subject].file).write({subject: dict(enumerate(after, 1))})


def change_documents(paths: BoxPaths, subject: str, change: Change) -> None:
    """Change the documents of one subject as they stand in its file, under the lock of all writers.

    Raises ConfigurationError, and writes nothing, if anything in the files is wrong, or would be; raises OSError."""
    with _locked(paths):
        _change(paths.configuration, subject, change)


def read_documents(paths: BoxPaths, subject: str) -> list[dict[str, Any]]:
    """The documents of one subject as they stand in its file, unchecked (to change and save). Raises ConfigurationError
    if the file cannot be read as documents."""
    wanted = SUBJECT[subject]
    data = _read_file(paths.configuration, wanted)
    documents, problems = _decode(wanted, data) if isinstance(data, bytes) else (None, [data])
    if documents is None or problems:
        raise ConfigurationError(problems)
    return [dict(document) for document in documents.values()]


def save_subjects(paths: BoxPaths, documents: Mapping[str, Sequence[Document]]) -> Configuration:
    """Save the documents of some subjects, after checking the whole configuration as it will then be.

    Raises ConfigurationError, and writes nothing, if anything would be wrong; raises OSError. Each file is replaced
    whole; the files are written in the order in which they are given.
    """
    unknown = [name for name in documents if name not in SUBJECT]
    if unknown:
        raise ValueError(f"no such subjects of configuration: {', '.join(unknown)}")
    with _locked(paths):
        files = _files(paths.configuration)
        for name, given in documents.items():
            files[name] = _text_of(name, given)
        configuration = _configuration(files)
        for name, given in documents.items():
            DurableStorage(paths.configuration / f"{name}.json").write({name: dict(enumerate(given, 1))})
        return configuration


def save_documents(paths: BoxPaths, subject: str, documents: Sequence[Document]) -> Configuration:
    """Save the documents of one subject; see `save_subjects`. Returns the whole configuration as it is now."""
    return save_subjects(paths, {subject: documents})
