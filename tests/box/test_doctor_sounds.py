"""`linebox doctor` on sounds: what callers would not hear as meant is named, with its remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from firmware.box.commands.doctor import examine
from firmware.box.commands.doctor_finding import OK, WARN, Check, Finding
from firmware.box.commands.doctor_sounds import recordings_of_the_office, sounds_of_the_configuration, speech
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths


@pytest.fixture
def county(tmp_path: Path) -> BoxPaths:
    paths = BoxPaths(tmp_path / "data", tmp_path / "run")
    paths.make()
    save_subjects(paths, demonstration_documents("not used here"))
    return paths


def findings(paths: BoxPaths, check: Check) -> list[Finding]:
    found = examine(paths, [check])
    assert all(one.remedy or one.level == OK for one in found), found
    return found


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is missing: scripts/setup --system espeak-ng")
def test_the_demonstration_county_is_well(county: BoxPaths) -> None:
    for check in (speech, recordings_of_the_office, sounds_of_the_configuration):
        assert [one.level for one in findings(county, check)] == [OK]


def test_a_machine_that_cannot_speak_says_what_callers_hear(monkeypatch: pytest.MonkeyPatch, county: BoxPaths) -> None:
    monkeypatch.setenv("PATH", "")

    (finding,) = findings(county, speech)

    assert finding.level == WARN
    assert "espeak-ng is not installed" in finding.text
    assert "scripts/setup --system espeak-ng" in finding.remedy


def test_a_recording_that_cannot_be_played_is_named(county: BoxPaths) -> None:
    (county.prompts / "zh_CN").mkdir(parents=True)
    (county.prompts / "zh_CN" / "welcome.wav").write_bytes(b"not a sound")

    bad, sum_of_good = findings(county, recordings_of_the_office)

    assert (bad.level, sum_of_good.text.split()[0]) == (WARN, "0")
    assert "welcome.wav" in bad.text and "`linebox reload`" in bad.remedy


def test_a_recording_that_cannot_be_played_is_told_once(county: BoxPaths, caplog: pytest.LogCaptureFixture) -> None:
    (county.prompts / "zh_CN").mkdir(parents=True)
    (county.prompts / "zh_CN" / "lost.wav").write_bytes(b"not a sound")
    documents = demonstration_documents("not used here")
    documents["services"][0]["greeting"] = ["prompt:lost", "tone:busy"]
    save_subjects(county, documents)

    (missing,) = findings(county, sounds_of_the_configuration)

    assert "there is no sound prompt:lost" in missing.text
    assert caplog.text == "", "the check of the recordings says why"


def test_a_sound_that_the_configuration_names_and_nobody_has_is_named(county: BoxPaths) -> None:
    documents = demonstration_documents("not used here")
    documents["services"][0]["greeting"] = ["prompt:lost", "text:您好", "say:number:2", "prompt:welcome"]
    documents["queues"][0]["music"] = "music:nowhere"
    save_subjects(county, documents)

    found = findings(county, sounds_of_the_configuration)

    assert [one.level for one in found] == [WARN, WARN]
    assert found[0].text == "services.json service 12345, greeting: there is no sound prompt:lost"
    assert found[1].text == "queues.json queue general: there is no sound music:nowhere"
