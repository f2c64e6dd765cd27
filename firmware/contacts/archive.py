"""Recordings from their end on: what the recorder says of them, legal hold, deletion, compressed copies, disk alarms.

What a request needs to know of a recording is read by the process and handed in (`StoredRecording`); since what was
decided a moment ago may not be stored yet, the newest decisions are remembered here and count before what was read.
"""

from __future__ import annotations

from collections.abc import Set

import msgspec

from firmware.calls import messages as cti
from firmware.calls.messages import BoxAlarm, EventName
from firmware.contacts.agents import Refused
from firmware.contacts.keeper import close_message
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.core.faults import to_store
from firmware.records.chain import LinkKind
from firmware.records.derivative import copy_of
from firmware.records.messages import (
    FromRecorder,
    OpenRecording,
    RecorderSettings,
    RecordingClosed,
    Room,
    RoomChanged,
    ToRecorder,
)
from firmware.records.stored import StoredFile, StoredRecording

ALARM_OF_ROOM = {
    Room.LOW: BoxAlarm.DISK_LOW,
    Room.REFUSING: BoxAlarm.RECORDINGS_REFUSED,
    Room.STOPPED: BoxAlarm.RECORDINGS_STOPPED,
}
ABOUT_RECORDINGS = (cti.DeleteRecording, cti.HoldRecording, cti.KeepCopy)
_REMEMBERED = 500
"""Decisions that are remembered: more than are made while one commit takes."""


class Archive:
    """Decides what becomes of recordings that have ended."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger
        self._newest: dict[int, StoredRecording] = {}
        self.alarms: frozenset[BoxAlarm] = frozenset()
        """What is wrong with the box itself; whoever finds it tells it anew after a restart."""

    # ---- the recorder -----------------------------------------------------------------------------------------------

    def orders(self, newest: int) -> list[ToRecorder]:
        """All that a recorder that has just come has to know: its settings, and of recordings up to number `newest`
        what is open and what waits to be closed."""
        orders: list[ToRecorder] = [self.settings()]
        for number, one in sorted(self._office.recordings.items()):
            if number > newest:
                continue
            if one.to_sample is None:
                orders.append(OpenRecording(one.number, one.file, one.gateway_boot, one.channel, one.from_sample))
            else:
                orders.append(close_message(one))
        return orders

    def settings(self) -> RecorderSettings:
        return RecorderSettings(self._office.configuration.box.recordings.reserve_mb << 20)

    def handle_recorder(self, message: FromRecorder, now: Stamp) -> None:
        """A file was closed, or could not be written, or the disk has more or less room."""
        if isinstance(message, RoomChanged):
            alarm = ALARM_OF_ROOM.get(message.room)
            self.set_alarms(frozenset(ALARM_OF_ROOM.values()), {alarm} if alarm else set(), now)
            return
        recording = self._office.recordings.get(message.recording)
        if recording is None or (isinstance(message, RecordingClosed) and recording.to_sample is None):
            return
        if isinstance(message, RecordingClosed):
            found = None
            self._ledger.update(
                "recordings",
                message.recording,
                state="closed",
                to_sample=recording.from_sample + message.samples,
                samples=message.samples,
                missing=message.missing,
                sha256=message.sha256,
                **moment("closed", now),
            )
            self._ledger.link(LinkKind.CLOSED, message.recording, now, message.sha256)
        else:
            found = message.fault
            state = "failed" if message.final or recording.to_sample is None else "closing"
            self._ledger.update("recordings", message.recording, state=state, reason=to_store(found))
            if not message.final or recording.to_sample is None:
                return
            self._ledger.link(LinkKind.FAILED, recording.number, now, "", reason=found.code[:200])
        self._office.remove(recording)
        self._ledger.emit(
            EventName.RECORDING_CLOSED,
            now,
            recording=recording.number,
            contact=recording.contact,
            reason=found.code if found else "",
            fault=found,
        )

    def set_alarms(self, among: Set[BoxAlarm], now_on: Set[BoxAlarm], now: Stamp) -> None:
        """Of the alarms `among`, exactly `now_on` are there."""
        alarms = self.alarms - among | now_on
        if alarms != self.alarms:
            self.alarms = alarms
            self._ledger.emit(EventName.ALARMS_CHANGED, now, reason=" ".join(sorted(alarms)))

    # ---- requests ---------------------------------------------------------------------------------------------------

    def handle(
        self,
        body: cti.DeleteRecording | cti.HoldRecording | cti.KeepCopy,
        stored: StoredRecording | None,
        by: str,
        now: Stamp,
    ) -> None:
        """Do what is asked with a recording, `stored` as it was read. Raises Refused."""
        recording = self._newest.get(body.recording, stored)
        if recording is None:
            raise Refused("unknown_recording")
        if stored is not None and stored.state != recording.state:  # it has ended since: only a hold came before that
            recording = msgspec.structs.replace(stored, legal_hold=recording.legal_hold)
        match body:
            case cti.DeleteRecording():
                recording = self._delete(recording, body, by, now)
            case cti.HoldRecording():
                recording = self._hold(recording, body, by, now)
            case cti.KeepCopy():
                recording = self._keep_copy(recording, body, now)
        self._newest[body.recording] = recording
        if len(self._newest) > _REMEMBERED:
            del self._newest[next(iter(self._newest))]

    def _delete(self, recording: StoredRecording, body: cti.DeleteRecording, by: str, now: Stamp) -> StoredRecording:
        if recording.legal_hold:
            raise Refused("on_legal_hold")
        # One in trouble may be stored as failed while its call goes on: the recorder would make its file anew.
        if recording.state not in ("closed", "failed") or body.recording in self._office.recordings:
            raise Refused("recording_open")
        if body.raw_only and recording.live_copy is None:
            raise Refused("not_possible_now")
        files = (recording.original, *(() if body.raw_only else recording.copies))
        living = [file for file in files if not file.deleted]
        if not living:
            raise Refused("recording_deleted")
        for file in living:
            self._ledger.update("recordings", file.number, deleted_utc_us=now.utc_us)
            self._ledger.link(LinkKind.DELETED, file.number, now, "", by=by, reason=body.reason)
        gone = {file.number for file in living}

        def after(file: StoredFile) -> StoredFile:
            return msgspec.structs.replace(file, deleted=file.deleted or file.number in gone)

        return msgspec.structs.replace(
            recording, original=after(recording.original), copies=tuple(map(after, recording.copies))
        )

    def _hold(self, recording: StoredRecording, body: cti.HoldRecording, by: str, now: Stamp) -> StoredRecording:
        if body.hold and recording.original.deleted and recording.live_copy is None:
            raise Refused("recording_deleted")
        if recording.legal_hold == body.hold:  # the reason would be stored nowhere: that is not to be told as done
            raise Refused("already_on_hold" if body.hold else "not_on_hold")
        kind = LinkKind.HELD if body.hold else LinkKind.RELEASED
        self._ledger.update("recordings", body.recording, legal_hold=body.hold)
        self._ledger.link(kind, body.recording, now, "", by=by, reason=body.reason)
        return msgspec.structs.replace(recording, legal_hold=body.hold)

    def _keep_copy(self, recording: StoredRecording, body: cti.KeepCopy, now: Stamp) -> StoredRecording:
        """A compressed copy was made and is on the disk: it is a recording of its own, linked and chained."""
        if recording.state != "closed" or recording.original.deleted or recording.live_copy is not None:
            raise Refused("not_possible_now")
        taken = ("contact", "call", "leg", "gateway_boot", "channel", "from_sample", "to_sample", "samples", "missing")
        opened = ("opened_mono_us", "opened_utc_us", "opened_trusted")
        file = copy_of(recording.original.file)
        number = self._ledger.insert(
            "recordings",
            **{name: recording.row[name] for name in (*taken, *opened)},
            file=file,
            state="closed",
            sha256=body.sha256,
            bytes=body.bytes,
            derived_from=body.recording,
            **moment("closed", now),
        )
        self._ledger.link(LinkKind.CLOSED, number, now, body.sha256)
        copy = StoredFile(number=number, file=file, bytes=body.bytes, sha256=body.sha256, deleted=False)
        return msgspec.structs.replace(recording, copies=(*recording.copies, copy))
