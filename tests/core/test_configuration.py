"""Configuration files: all that is wrong is said at once, with the nearest right name; the last good one holds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB

from firmware.core import configuration
from firmware.core.configuration import (
    SUBJECTS,
    ConfigurationError,
    Problem,
    keep_last_good,
    load_configuration,
    load_configuration_or_last_good,
    read_documents,
    save_documents,
    save_subjects,
)
from firmware.core.paths import BoxPaths
from firmware.core.storage import DurableStorage

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
GOOD: dict[str, list[dict[str, Any]]] = {
    "box": [{"box_id": "xian-01", "name": "示范县", "region": "610122"}],
    "boards": [{"board": "sim", "kind": "sim"}],
    "services": [
        {"service": "12345", "title": "热线", "called": ["12345"], "default": True, "queue": "general"},
        {"service": "12346", "title": "分类", "called": ["12346"], "menu": "subject"},
    ],
    "menus": [{"menu": "subject", "prompt": ["prompt:menu"], "choices": {"1": "consult"}, "otherwise": "general"}],
    "queues": [{"queue": "general", "title": "综合"}, {"queue": "consult", "title": "咨询", "offer_seconds": 20}],
    "agents": [{"agent": "801", "name": "王秀英", "queues": ["general", "consult"]}],
    "seats": [{"seat": "1", "extension": "FXS-1"}, {"seat": "2", "extension": "FXS-2", "headset": True}],
    "logins": [{"login": "admin", "name": "管理员", "password_hash": HASH, "roles": ["agent"], "agent": "801"}],
}


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    made = BoxPaths(tmp_path / "data", tmp_path / "run")
    save_subjects(made, GOOD)
    return made


Edit = Callable[[list[dict[str, Any]]], object]


def write_raw(paths: BoxPaths, subject: str, documents: list[Any], *, table: str = "") -> None:
    tables = {table or subject: {str(number): one for number, one in enumerate(documents, 1)}}
    (paths.configuration / f"{subject}.json").write_text(json.dumps(tables), encoding="utf-8")


def edit(paths: BoxPaths, subject: str, change: Edit) -> None:
    documents = json.loads(json.dumps(GOOD[subject]))
    change(documents)
    write_raw(paths, subject, documents)


def problems(paths: BoxPaths) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(paths)
    return caught.value.problems


def only_problem(paths: BoxPaths) -> Problem:
    found = problems(paths)
    assert len(found) == 1, found
    return found[0]


def test_good_files_give_the_whole_configuration(paths: BoxPaths) -> None:
    loaded = load_configuration(paths)
    assert loaded.box.region == "610122"
    assert [queue.title for queue in loaded.queues] == ["综合", "咨询"]
    assert loaded.queues[1].offer_seconds == 20.0 and loaded.queues[0].offer_seconds == 15.0
    assert loaded.services[1].menu == "subject" and loaded.menus[0].choices == {"1": "consult"}
    assert loaded.seats[1].headset and loaded.logins[0].agent == "801"


def test_the_files_are_tinydb_files_with_one_table_of_their_name(paths: BoxPaths) -> None:
    for subject in (one for one in SUBJECTS if one.name in GOOD):
        with TinyDB(paths.configuration / subject.file, storage=DurableStorage) as database:
            assert database.tables() == {subject.name}
            assert database.table(subject.name).all() == GOOD[subject.name]


# ---- one thing wrong -------------------------------------------------------------------------------------------------


def test_an_unknown_key_is_an_error_that_names_the_nearest_right_one(paths: BoxPaths) -> None:
    edit(paths, "queues", lambda queues: queues[0].update(ofer_seconds=10))
    problem = only_problem(paths)
    assert (problem.file, problem.nearest) == ("queues.json", "offer_seconds")
    assert "document 1 (general)" in problem.place and '"ofer_seconds"' in problem.what


def test_a_missing_field_is_named(paths: BoxPaths) -> None:
    edit(paths, "agents", lambda agents: agents[0].pop("name"))
    problem = only_problem(paths)
    assert problem.place == "document 1 (801)" and problem.what == 'the field "name" is missing'


@pytest.mark.parametrize(
    ("subject", "change", "place", "expected"),
    [
        ("queues", {"offer_seconds": "15"}, "field offer_seconds", "seconds, more than 0 and at most a day"),
        ("queues", {"offer_seconds": 0}, "field offer_seconds", "seconds, more than 0 and at most a day"),
        ("queues", {"title": None}, "field title", "a text that is not empty"),
        ("seats", {"headset": 1}, "field headset", "true or false"),
        ("box", {"region": "61012"}, "field region", "six digits, as in GB/T 2260"),
        ("menus", {"choices": {"11": "general"}}, "field choices, key", "one digit, * or #"),
        ("menus", {"attempts": 1.5}, "field attempts", "a whole number from 1 to 10"),
        ("services", {"called": "12345"}, "field called", "a list, each item a telephone number"),
        ("agents", {"queues": ["general", 5]}, "field queues, item 2", "a text"),
        ("logins", {"roles": []}, "field roles", "a list of roles that is not empty"),
        ("logins", {"password_hash": "secret"}, "field password_hash", "an argon2id hash"),
    ],
)
def test_a_value_of_a_wrong_kind_is_said_with_what_was_expected(
    paths: BoxPaths, subject: str, change: dict[str, Any], place: str, expected: str
) -> None:
    edit(paths, subject, lambda documents: documents[0].update(change))
    problem = only_problem(paths)
    assert problem.file == f"{subject}.json"
    assert problem.place.endswith(place)
    assert problem.expected.startswith(expected)


def test_a_wrong_role_names_the_nearest(paths: BoxPaths) -> None:
    edit(paths, "logins", lambda logins: logins[0].update(roles=["agent", "superviser"]))
    assert only_problem(paths).nearest == "supervisor"


@pytest.mark.parametrize(
    ("subject", "change", "nearest"),
    [
        ("services", {"queue": "generl"}, "general"),
        ("menus", {"choices": {"1": "consul"}}, "consult"),
        ("menus", {"otherwise": "genral"}, "general"),
        ("menus", {"otherwise": ""}, ""),
        ("agents", {"queues": ["general", "consultt"]}, "consult"),
        ("logins", {"agent": "810"}, "801"),
    ],
)
def test_a_name_that_does_not_exist_is_said_with_the_nearest_that_does(
    paths: BoxPaths, subject: str, change: dict[str, Any], nearest: str
) -> None:
    edit(paths, subject, lambda documents: documents[0].update(change))
    problem = only_problem(paths)
    assert problem.file == f"{subject}.json" and problem.what.startswith("there is no ")
    assert problem.nearest == nearest


def test_a_menu_that_does_not_exist(paths: BoxPaths) -> None:
    edit(paths, "services", lambda services: services[1].update(menu="subjects"))
    assert only_problem(paths).nearest == "subject"


@pytest.mark.parametrize(
    ("subject", "change", "what"),
    [
        ("queues", {"queue": "general"}, 'the queue "general" is used twice, first in document 1 (general)'),
        ("seats", {"extension": "FXS-1"}, 'the extension "FXS-1" is used twice, first in document 1 (1)'),
        ("services", {"called": ["12346", "12345"]}, 'the called number "12345" is used twice'),
    ],
)
def test_what_may_be_there_once_is_there_twice(
    paths: BoxPaths, subject: str, change: dict[str, Any], what: str
) -> None:
    edit(paths, subject, lambda documents: documents[1].update(change))
    found = [problem for problem in problems(paths) if "twice" in problem.what]
    assert len(found) == 1 and found[0].what.startswith(what)


def test_two_boxes(paths: BoxPaths) -> None:
    edit(paths, "box", lambda boxes: boxes.append({**boxes[0], "box_id": "xian-02"}))
    assert "2 documents" in only_problem(paths).what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda services: services[0].update(default=False), "no service is the default one"),
        (lambda services: services[1].update(default=True), "is a second default service"),
        (lambda services: services[0].update(menu="subject"), "leads to the queue"),
        (lambda services: services[1].pop("menu"), "leads nowhere"),
    ],
)
def test_services_that_cannot_work(paths: BoxPaths, change: Edit, what: str) -> None:
    edit(paths, "services", change)
    problem = only_problem(paths)
    assert problem.file == "services.json" and problem.what.startswith(what) and problem.remedy


# ---- files that are not what they should be --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "what", "remedy"),
    [
        ('{\n  "queues": {\n    "1": {"queue": "a",}\n  }\n}\n', "line 3", "this is not JSON", "remove the comma"),
        (
            '{"queues": {"1": {"queue": "general"',
            "line 1, column 37",
            "this is not JSON",
            "the end of the file is missing",
        ),
        ("", "line 1, column 1", "this is not JSON", "the file is empty"),
        ('{\n"queues": {“1”: {}}}', "line 2, column 12", "this is not JSON", "use plain quotation marks"),
        ('{"queues": {"1": {"offer_seconds": NaN}}}', "", "this is not JSON: NaN", ""),
        ("[1]", "", "the file is not an object", ""),
        ('{"queues": []}', "", 'the table "queues" is not an object', ""),
        ("[" * 100_000, "", "this is not JSON", ""),
    ],
)
def test_a_file_that_is_not_json_is_said_with_line_and_column(
    paths: BoxPaths, text: str, place: str, what: str, remedy: str
) -> None:
    (paths.configuration / "queues.json").write_text(text, encoding="utf-8")
    problem = only_problem(paths)  # and nobody who names a queue is blamed
    assert problem.file == "queues.json"
    assert problem.place.startswith(place) and problem.what.startswith(what) and problem.remedy.startswith(remedy)


def test_a_file_saved_as_gbk(paths: BoxPaths) -> None:
    (paths.configuration / "queues.json").write_bytes('{"queues":\n{"1": {"queue": "综合"}}}'.encode("gbk"))
    problem = only_problem(paths)
    assert problem.place == "line 2" and "UTF-8" in problem.remedy


def test_a_byte_order_mark_is_no_problem(paths: BoxPaths) -> None:
    path = paths.configuration / "queues.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_configuration(paths).queues[0].queue == "general"


def test_a_key_that_stands_twice(paths: BoxPaths) -> None:
    path = paths.configuration / "queues.json"
    path.write_text(path.read_text().replace('"title": "综合"', '"title": "综合", "title": "总"'))
    assert 'the key "title" stands twice' in only_problem(paths).what


def test_a_table_with_a_wrong_name(paths: BoxPaths) -> None:
    write_raw(paths, "queues", GOOD["queues"], table="queue")
    assert {problem.what: problem.nearest for problem in problems(paths)} == {
        'unknown table "queue"': "queues",
        'the table "queues" is missing': "",
    }


def test_a_document_without_a_number(paths: BoxPaths) -> None:
    text = json.dumps({"agents": {"one": GOOD["agents"][0]}})
    (paths.configuration / "agents.json").write_text(text)
    assert only_problem(paths).what == '"one" is not a document number'


def test_a_document_that_is_no_object(paths: BoxPaths) -> None:
    write_raw(paths, "seats", ["FXS-1"])
    assert only_problem(paths).what == 'is "FXS-1"'


def test_a_renamed_file_is_found_by_the_nearest_name(paths: BoxPaths) -> None:
    (paths.configuration / "services.json").rename(paths.configuration / "service.json")
    problem = only_problem(paths)
    assert (problem.file, problem.what, problem.nearest) == ("services.json", "the file is missing", "service.json")


def test_an_empty_folder_misses_every_file(tmp_path: Path) -> None:
    found = problems(BoxPaths(tmp_path, tmp_path))
    assert [problem.file for problem in found] == [subject.file for subject in SUBJECTS if not subject.optional]


# ---- all at once -----------------------------------------------------------------------------------------------------


def break_in_five_ways(paths: BoxPaths) -> None:
    (paths.configuration / "boards.json").write_text('{"boards": {\n  "1": {"board": "sim" "kind": "sim"}}}')
    edit(paths, "services", lambda services: services[0].update(queue="generl"))
    edit(paths, "queues", lambda queues: queues[0].update(offer_second=9))
    edit(paths, "agents", lambda agents: agents[0].update(name=801))
    edit(paths, "seats", lambda seats: (seats[1].update(extension="FXS-1"), seats[0].pop("seat")))


def test_five_kinds_of_errors_are_reported_at_once_and_read_well(paths: BoxPaths) -> None:
    break_in_five_ways(paths)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(paths)
    text = str(caught.value)
    assert text.startswith("6 problems in the configuration:")
    for line in (
        "boards.json, line 2, column 24: this is not JSON",
        'services.json, document 1 (12345), field queue: there is no queue "generl"; expected one of general, consult; '
        'did you mean "general"?',
        'queues.json, document 1 (general): unknown key "offer_second"; did you mean "offer_seconds"?',
        "agents.json, document 1 (801), field name: the value is 801; expected a text that is not empty\n"
        '    remedy: write it in quotation marks: "801"',
        'seats.json, document 1: the field "seat" is missing; expected a name that is not empty',
        'seats.json, document 2 (2), field extension: the extension "FXS-1" is used twice, first in document 1',
    ):
        assert line in text, line
    assert "Expected `" not in text, "a person is not told the decoder's words"


def test_no_password_hash_is_ever_shown(paths: BoxPaths) -> None:
    edit(paths, "logins", lambda logins: logins[0].update(password_hash="hunter2"))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(paths)
    assert "hunter2" not in str(caught.value)


# ---- the last good one -----------------------------------------------------------------------------------------------


def test_with_wrong_files_the_last_good_configuration_stays_in_force(paths: BoxPaths) -> None:
    good = load_configuration(paths)
    keep_last_good(paths)
    break_in_five_ways(paths)
    loaded, found = load_configuration_or_last_good(paths)
    assert loaded == good and len(found) == 6
    with pytest.raises(ConfigurationError):
        keep_last_good(paths)
    assert load_configuration_or_last_good(paths)[0] == good


def test_good_files_come_before_the_last_good_copy(paths: BoxPaths) -> None:
    keep_last_good(paths)
    save_documents(paths, "boards", [])
    loaded, found = load_configuration_or_last_good(paths)
    assert loaded.boards == () and found == []


def test_wrong_files_and_no_copy_is_an_error_about_the_files(paths: BoxPaths) -> None:
    (paths.configuration / "box.json").unlink()
    with pytest.raises(ConfigurationError) as caught:
        load_configuration_or_last_good(paths)
    assert [problem.file for problem in caught.value.problems] == ["box.json"]


def test_an_unchanged_copy_is_not_written_again(paths: BoxPaths) -> None:
    keep_last_good(paths)
    before = (paths.last_good_configuration / "box.json").stat().st_ino
    keep_last_good(paths)
    assert (paths.last_good_configuration / "box.json").stat().st_ino == before


def test_a_death_at_any_step_of_keeping_leaves_a_whole_copy(paths: BoxPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    class Death(BaseException):
        pass

    old = load_configuration(paths)
    keep_last_good(paths)
    snapshot = paths.data.parent / "snapshot"
    shutil.copytree(paths.data, snapshot)
    steps = 0
    seen = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # deaths of the process only; saves seconds
    while True:
        shutil.rmtree(paths.data)
        shutil.copytree(snapshot, paths.data)
        save_documents(paths, "boards", [])
        left = [steps]

        def dying(real: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def call(*arguments: Any, **keywords: Any) -> Any:
                if left[0] == 0:
                    raise Death
                left[0] -= 1
                return real(*arguments, **keywords)

            return call

        died = False
        with monkeypatch.context() as patched:
            patched.setattr(os, "rename", dying(os.rename))
            patched.setattr(configuration, "write_durably", dying(configuration.write_durably))
            patched.setattr(configuration, "sync_folder", dying(configuration.sync_folder))
            patched.setattr(shutil, "rmtree", dying(shutil.rmtree))
            try:
                keep_last_good(paths)
            except Death:
                died = True
        (paths.configuration / "queues.json").write_text("{")
        loaded, _ = load_configuration_or_last_good(paths)
        seen.add(loaded.boards)
        assert loaded.boards in {old.boards, ()}
        # The next try always works, whatever was left lying about.
        write_raw(paths, "queues", GOOD["queues"])
        keep_last_good(paths)
        (paths.configuration / "queues.json").write_text("{")
        assert load_configuration_or_last_good(paths)[0].boards == ()
        if not died:
            break
        steps += 1
    assert steps > 12 and seen == {old.boards, ()}


# ---- saving ----------------------------------------------------------------------------------------------------------


def test_saving_checks_the_whole_and_writes_nothing_that_is_wrong(paths: BoxPaths) -> None:
    before = (paths.configuration / "queues.json").read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        save_documents(paths, "queues", GOOD["queues"][:1])
    assert {problem.file for problem in caught.value.problems} == {"menus.json", "agents.json"}
    assert (paths.configuration / "queues.json").read_bytes() == before


def test_a_login_is_added_by_reading_changing_and_saving(paths: BoxPaths) -> None:
    logins = read_documents(paths, "logins")
    logins.append({"login": "wang", "name": "王", "password_hash": HASH, "roles": ["agent"]})
    saved = save_documents(paths, "logins", logins)
    assert (
        [login.login for login in saved.logins]
        == ["admin", "wang"]
        == [one.login for one in load_configuration(paths).logins]
    )


def test_an_unknown_subject_is_refused(paths: BoxPaths) -> None:
    with pytest.raises(ValueError, match="queus"):
        save_documents(paths, "queus", [])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"kep_days": 5}, 'unknown key "kep_days"; did you mean "keep_days"?'),
        ({"keep_days": -1}, "the value is -1; expected days, 0 to 36500"),
        ({"keep_days": 30}, "keep_days (30) would delete what least_days (180) keeps"),
        ({"windows": [{"days": ["mo"]}]}, 'the value is "mo"; expected one of mon, tue'),
        ({"windows": [{"begin": "8:00"}]}, 'the value is "8:00"; expected a time of day, 00:00 to 24:00'),
        ({"windows": [{"begin": "08:00", "end": "08:00"}]}, "begins and ends at 08:00"),
    ],
)
def test_what_is_wrong_with_recording_times_and_retention_is_named(
    paths: BoxPaths, section: dict[str, Any], said: str
) -> None:
    edit(paths, "box", lambda documents: documents[0].update(recordings=section))
    assert said in str(only_problem(paths))
