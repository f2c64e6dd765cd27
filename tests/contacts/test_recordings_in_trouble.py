"""A disk that is full while calls go on: alarms come and go, and what was late is kept after all."""

from __future__ import annotations

import pytest

from firmware.calls.messages import BoxAlarm, DeleteRecording, EventName, HoldRecording, Request
from firmware.core.faults import fault, from_store
from firmware.records import tables
from firmware.records.messages import RecorderSettings, RecordingClosed, RecordingFailed, Room, RoomChanged
from firmware.records.stored import StoredFile, StoredRecording
from tests.contacts.scripted_lines import ScriptedLines


def told(exchange: ScriptedLines, message: RecordingClosed | RecordingFailed | RoomChanged) -> None:
    exchange.carry(exchange.server.handle_recorder(message, exchange.now))


@pytest.mark.parametrize(
    ("room", "alarm"),
    [
        (Room.LOW, BoxAlarm.DISK_LOW),
        (Room.REFUSING, BoxAlarm.RECORDINGS_REFUSED),
        (Room.STOPPED, BoxAlarm.RECORDINGS_STOPPED),
    ],
)
def test_the_room_of_the_disk_is_an_alarm_until_there_is_enough(
    exchange: ScriptedLines, room: Room, alarm: BoxAlarm
) -> None:
    told(exchange, RoomChanged(Room.LOW))
    told(exchange, RoomChanged(room))
    assert exchange.state().alarms == (alarm,)

    told(exchange, RoomChanged(Room.ENOUGH))

    assert exchange.state().alarms == ()
    assert exchange.told(EventName.ALARMS_CHANGED)[-1].reason == ""


def test_a_recorder_that_comes_is_told_the_reserve_first(exchange: ScriptedLines) -> None:
    assert exchange.server.recorder_orders(0) == [RecorderSettings(256 << 20)]


def test_a_recording_that_cannot_be_closed_yet_is_closed_later(exchange: ScriptedLines) -> None:
    citizen = exchange.caller_in_queue()
    exchange.clears(citizen)

    told(exchange, RecordingFailed(1, fault("recording_disk_full")))
    (row,) = exchange.rows(tables.recordings)
    assert (row["state"], from_store(row["reason"])) == ("closing", fault("recording_disk_full"))
    exchange.restart()
    told(exchange, RecordingClosed(1, 8000, 80, "1" * 64))

    (row,) = exchange.rows(tables.recordings)
    assert (row["state"], row["samples"], row["missing"]) == ("closed", 8000, 80)
    assert [link["kind"] for link in exchange.rows(tables.recording_chain)] == ["closed"]


def test_what_will_never_be_recorded_is_a_link_too(exchange: ScriptedLines) -> None:
    citizen = exchange.caller_in_queue()
    refused = fault("recording_refused", order="no such channel")
    told(exchange, RecordingFailed(1, refused, final=True))
    exchange.clears(citizen)
    told(exchange, RecordingFailed(1, refused, final=True))

    (row,) = exchange.rows(tables.recordings)
    assert (row["state"], from_store(row["reason"])) == ("failed", refused)
    assert [(link["kind"], link["reason"]) for link in exchange.rows(tables.recording_chain)] == [
        ("failed", "recording_refused")
    ]
    last = exchange.told(EventName.RECORDING_CLOSED)[-1]
    assert (last.reason, last.fault) == ("recording_refused", refused)


def about(exchange: ScriptedLines, body: DeleteRecording | HoldRecording) -> str:
    """Somebody asks for something with recording 1, as it is stored; gives the error."""
    (row,) = exchange.rows(tables.recordings)
    file = StoredFile(number=1, file=row["file"], bytes=24, sha256="", deleted=row["deleted_utc_us"] is not None)
    stored = StoredRecording(original=file, state=row["state"], legal_hold=row["legal_hold"], row=row)
    effects = exchange.carry(exchange.server.handle_request(1, Request(7, body, "test"), exchange.now, stored))
    return effects.replies[-1][1].error


DELETE = DeleteRecording(1, "asked by the citizen")


def test_a_recording_in_trouble_is_not_deleted_before_it_has_ended(exchange: ScriptedLines) -> None:
    citizen = exchange.caller_in_queue()
    told(exchange, RecordingFailed(1, fault("recording_disk_full")))
    assert about(exchange, DELETE) == "recording_open", "the recorder tries again, and would make the file anew"
    exchange.restart()
    assert about(exchange, DELETE) == "recording_open"

    exchange.clears(citizen)
    exchange.close_recordings()

    assert about(exchange, DELETE) == ""
    assert [link["kind"] for link in exchange.rows(tables.recording_chain)] == ["closed", "deleted"]


def test_one_that_was_held_during_its_call_can_be_released_and_deleted_later(exchange: ScriptedLines) -> None:
    citizen = exchange.caller_in_queue()
    assert about(exchange, HoldRecording(1, True, "court")) == ""
    exchange.clears(citizen)
    exchange.close_recordings()

    assert about(exchange, DELETE) == "on_legal_hold"
    assert about(exchange, HoldRecording(1, False, "court")) == ""
    assert about(exchange, DELETE) == ""
