"""Why a recording could not be made: told to whoever looks at the call, in the reader's language."""

from __future__ import annotations

import msgspec
import pytest

from firmware.calls.messages import CallEvent, EventName
from firmware.core.clock import Stamp
from firmware.core.faults import fault, to_store
from firmware.records.database import open_database
from tests.webui.scripted_office import START_UTC_US, Site, add_call
from webui.replies import event_reply
from webui.words import Words

FULL = fault("recording_disk_full")
REMEDY = "请删除旧录音或更换更大的磁盘"
OF_AN_OLDER_VERSION = "disk full: recordings wait for room. Remove old recordings or put in a larger disk"


def call_with_recording(site: Site, state: str, reason: str) -> None:
    """Call 6, over, with a recording in this state."""
    with open_database(site.folder / "calls.db").begin() as connection:
        add_call(connection, 6, -500.0, recording=state, reason=reason)


@pytest.mark.parametrize("state", ["failed", "closing"])
def test_the_page_of_a_call_says_why_it_was_not_recorded(site: Site, state: str) -> None:
    call_with_recording(site, state, to_store(FULL))
    session = site.sign_in("admin")

    chinese, english = (site.get(f"/calls/6?lang={language}", session=session).text for language in ("zh_CN", "en"))

    assert "磁盘已满，录音暂停，等待空间" in chinese and REMEDY in chinese
    assert FULL.what in english and FULL.remedy in english
    assert FULL.what not in chinese


def test_rest_gives_code_and_words_of_the_reader(site: Site) -> None:
    call_with_recording(site, "failed", to_store(fault("recording_not_permitted", file="2026/11/22/6.au")))

    told = site.get("/api/v1/calls/6", token="token-admin").json["recording_fault"]

    assert (told["code"], told["arguments"]) == ("recording_not_permitted", {"file": "2026/11/22/6.au"})
    assert told["what"] == "无权写入 2026/11/22/6.au"


def test_the_words_that_an_older_version_stored_are_still_shown(site: Site) -> None:
    call_with_recording(site, "failed", OF_AN_OLDER_VERSION)

    assert OF_AN_OLDER_VERSION in site.get("/calls/6", session=site.sign_in("admin")).text
    assert site.get("/api/v1/calls/6", token="token-admin").json["recording_fault"]["what"] == OF_AN_OLDER_VERSION


def test_a_recording_that_was_completed_after_all_has_no_fault(site: Site) -> None:
    call_with_recording(site, "closed", to_store(FULL))

    assert site.get("/api/v1/calls/6", token="token-admin").json["recording_fault"] is None
    assert REMEDY not in site.get("/calls/6", session=site.sign_in("admin")).text


def test_the_event_of_a_recording_that_failed_has_its_fault_in_words(site: Site) -> None:
    at = Stamp(0, START_UTC_US)
    failed = CallEvent(number=21, name=EventName.RECORDING_CLOSED, at=at, recording=6, reason=FULL.code, fault=FULL)
    old = CallEvent(number=20, name=EventName.RECORDING_CLOSED, at=at, recording=5, reason=OF_AN_OLDER_VERSION)

    told, told_old = (
        msgspec.to_builtins(event_reply(one, lambda _agent: True, Words("zh_CN"))) for one in (failed, old)
    )

    assert (told["reason"], told["fault"]["remedy"]) == ("recording_disk_full", REMEDY)
    assert told_old["reason"] == OF_AN_OLDER_VERSION and "fault" not in told_old
