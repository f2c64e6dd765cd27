"""Calls outside the recording times are not recorded, and their record says why."""

from __future__ import annotations

from typing import Any

import msgspec

from firmware.core.schemas import Recordings, RecordingWindow
from firmware.records import tables
from firmware.records.messages import OpenRecording
from tests.contacts.scripted_lines import ScriptedLines, office_configuration

NEVER_NOW = RecordingWindow(begin="00:00", end="00:01")


def record_in(exchange: ScriptedLines, *windows: RecordingWindow) -> None:
    configuration = office_configuration()
    box = msgspec.structs.replace(configuration.box, recordings=Recordings(windows=windows))
    exchange.server.office.configure(msgspec.structs.replace(configuration, box=box))


def whole_call(exchange: ScriptedLines) -> list[dict[str, Any]]:
    """A citizen and an agent talk; the segments of both."""
    exchange.ready("801", "1")
    citizen = exchange.caller_in_queue()
    exchange.answered(exchange.rings(30))
    exchange.wait(5)
    exchange.clears(citizen)
    return exchange.rows(tables.segments)


def test_outside_the_recording_times_nothing_is_recorded_and_the_segments_say_why(exchange: ScriptedLines) -> None:
    record_in(exchange, NEVER_NOW)

    segments = whole_call(exchange)

    assert not exchange.to_recorder and exchange.rows(tables.recordings) == []
    (citizen,) = [leg["number"] for leg in exchange.rows(tables.legs) if leg["party"] == "citizen"]
    why = {one["kind"]: one["not_recorded"] for one in segments if one["leg"] == citizen}
    assert why.pop("ringing") == ""
    assert "talking" in why and set(why.values()) == {"outside_recording_times"}
    assert {one["not_recorded"] for one in segments if one["leg"] != citizen} <= {""}


def test_a_restart_does_not_forget_why_a_call_is_not_recorded(exchange: ScriptedLines) -> None:
    record_in(exchange, NEVER_NOW)
    citizen = exchange.caller_in_queue()
    exchange.restart()

    exchange.clears(citizen)

    queued = [one for one in exchange.rows(tables.segments) if one["kind"] == "queued"]
    assert [one["not_recorded"] for one in queued] == ["outside_recording_times"]


def test_within_the_recording_times_every_call_is_recorded(exchange: ScriptedLines) -> None:
    record_in(exchange, NEVER_NOW, RecordingWindow())

    segments = whole_call(exchange)

    assert isinstance(exchange.to_recorder[0], OpenRecording)
    assert {one["not_recorded"] for one in segments} == {""}
