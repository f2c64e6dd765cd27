"""What callserver and recorder say. The callserver listens, the recorder connects. Audio goes by the ring.

The row of a recording is committed before OpenRecording is sent; the ring holds the seconds in between. After a
reconnect the callserver sends OpenRecording again for all that are open: a file that exists is continued at its length.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from firmware.core.faults import Fault

UNKNOWN_END = -1
"""`to_sample` of a CloseRecording: the gateway died with the line, keep what it has left."""


class OpenRecording(msgspec.Struct, tag="open_recording", frozen=True):
    """Record a channel from a sample count on. `file` is relative to the recordings folder."""

    recording: int
    file: str
    gateway_boot: str
    channel: int
    from_sample: int


class CloseRecording(msgspec.Struct, tag="close_recording", frozen=True):
    """The leg ended at this sample count: bring the file to exactly that length, make it durable, hash it.

    With UNKNOWN_END the recording ends with the last sample that the gateway has left: an estimate
    would cut off what was recorded. Sent again until RecordingClosed is stored; answered each time.
    """

    recording: int
    file: str
    gateway_boot: str
    channel: int
    from_sample: int
    to_sample: int


class RecorderSettings(msgspec.Struct, tag="recorder_settings", frozen=True):
    """What the configuration says to the recorder: first after its hello, and when it changes."""

    reserve_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]


class RecorderHello(msgspec.Struct, tag="recorder_hello", frozen=True):
    """First message of a recorder: a connection that has not said it is not taken for one."""


Samples = Annotated[int, msgspec.Meta(ge=0, le=1 << 48)]


class RecordingClosed(msgspec.Struct, tag="recording_closed", frozen=True):
    """The file is complete and durable. `samples` per track, of which `missing` had been lost and are silence."""

    recording: int
    samples: Samples
    missing: Samples
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """Over the raw A-law bytes, left and right interleaved, without the file's header."""


class RecordingFailed(msgspec.Struct, tag="recording_failed", frozen=True):
    """Nothing or not all could be written, and why."""

    recording: int
    fault: Fault
    final: bool = False
    """It will never be: otherwise it is tried again, and RecordingClosed may still come."""


class Room(StrEnum):
    """How much of the disk is free, by the reserve of the configuration."""

    ENOUGH = "enough"
    LOW = "low"
    """Less than twice the reserve: derivatives are no longer made, retention deletes what it may."""
    REFUSING = "refusing"
    """Less than the reserve: no new recording begins."""
    STOPPED = "stopped"
    """Less than a quarter of it: running recordings wait, too."""


def room_of(free_bytes: int, reserve_bytes: int) -> Room:
    """What so many free bytes mean."""
    if free_bytes < reserve_bytes // 4:
        return Room.STOPPED
    if free_bytes < reserve_bytes:
        return Room.REFUSING
    return Room.LOW if free_bytes < 2 * reserve_bytes else Room.ENOUGH


class RoomChanged(msgspec.Struct, tag="room_changed", frozen=True):
    """The disk of the recordings; told after RecorderSettings, and when it changes."""

    room: Room


ToRecorder = OpenRecording | CloseRecording | RecorderSettings
FromRecorder = RecordingClosed | RecordingFailed | RoomChanged
decode_to_recorder = msgspec.json.Decoder(ToRecorder).decode
decode_from_recorder = msgspec.json.Decoder(RecorderHello | FromRecorder).decode
