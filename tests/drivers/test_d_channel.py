"""D channels of all kinds: frames whole, ends that go away, events that stand before frames."""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import d_channel, dahdi
from drivers.d_channel import DahdiDChannel, DChannelError, SocketDChannel, open_d_channel
from drivers.dahdi import ChannelState, DahdiError, EventWaits
from drivers.dahdi_numbers import LAW_ALAW, SET_BUFINFO, Event, Signalling
from firmware.core.faults import fault


@pytest.fixture
def far(tmp_path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "d"))
    listener.listen(1)
    yield listener
    listener.close()


def test_frames_stay_whole_and_an_end_that_goes_is_told(far: socket.socket, tmp_path: Path) -> None:
    near = open_d_channel(f"unix:{tmp_path}/d")
    end, _ = far.accept()
    assert near.receive() is None
    end.send(b"one")
    end.send(b"two")
    near.send(b"three")

    assert [near.receive(), near.receive(), near.receive()] == [b"one", b"two", None]
    assert end.recv(99) == b"three"
    end.close()
    with pytest.raises(DChannelError, match="has gone"):
        near.receive()
    with pytest.raises(DChannelError):
        near.send(b"x")
    near.close()


def test_a_far_end_that_does_not_read_loses_frames_and_holds_up_nothing(far: socket.socket, tmp_path: Path) -> None:
    near = SocketDChannel(str(tmp_path / "d"))
    for _ in range(2000):
        near.send(bytes(260))

    assert near.lost > 0
    near.close()


@pytest.mark.parametrize(
    "place", ["", "unix:", "dahdi:", "dahdi:x", "span:", "span:x", "tty:1", "unix:/nobody/listens"]
)
def test_a_place_that_is_none_is_refused_with_a_remedy(place: str) -> None:
    with pytest.raises(DChannelError, match=r"\. (Name|Start) "):
        open_d_channel(place)


class Card:
    """A DataChannel of a card that has an event before each frame."""

    def __init__(self, number: int, place: str) -> None:
        if number == 99:
            raise DahdiError(fault("dahdi_absent", doing="opening"), place)
        self.frames = [b"one", b"two"]
        self.sent: list[bytes] = []
        self.is_event_next = True
        self.events = [Event.ABORT]
        """One after the other; the last one again and again."""
        self.is_full = False
        self.is_closed = False

    def fileno(self) -> int:
        return 7

    def event(self) -> int:
        self.is_event_next = len(self.events) > 1
        return self.events.pop(0) if len(self.events) > 1 else self.events[0]

    def _wait(self) -> None:
        if self.is_event_next:
            raise EventWaits
        self.is_event_next = True

    def receive(self) -> bytes | None:
        self._wait()
        return self.frames.pop(0) if self.frames else None

    def send(self, frame: bytes) -> bool:
        self._wait()
        self.sent.append(frame)
        return not self.is_full

    def close(self) -> None:
        self.is_closed = True


def test_events_of_the_card_stand_in_no_frames_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(d_channel, "DataChannel", Card)
    channel = DahdiDChannel(16)
    card = channel._channel
    assert isinstance(card, Card)

    assert [channel.receive(), channel.receive(), channel.receive()] == [b"one", b"two", None]
    channel.send(b"three")
    card.is_full, card.events = True, [Event.ALARM]
    before = channel.lost
    channel.send(b"four")

    assert card.sent == [b"three", b"four"]
    assert channel.lost == before + 1
    assert channel.fileno() == 7
    channel.close()
    assert card.is_closed


@pytest.mark.parametrize("does", ["receives", "sends"])
@pytest.mark.parametrize(
    ("events", "lost"),
    [
        ([Event.ABORT], 1),
        ([Event.OVERRUN], 1),
        ([Event.BADFCS], 1),
        ([Event.ALARM, Event.NOALARM], 0),
        ([Event.ALARM, Event.BADFCS, Event.ABORT, Event.NOALARM], 2),
    ],
)
def test_only_broken_frames_are_lost_frames(
    monkeypatch: pytest.MonkeyPatch, does: str, events: list[Event], lost: int
) -> None:
    monkeypatch.setattr(d_channel, "DataChannel", Card)
    channel = DahdiDChannel(16)
    card = channel._channel
    assert isinstance(card, Card)
    card.events = list(events)

    if does == "receives":
        assert channel.receive() == b"one"
    else:
        channel.send(b"one")
        assert card.sent == [b"one"]
    assert channel.lost == lost


def test_a_frame_that_events_keep_from_the_card_is_lost_and_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(d_channel, "DataChannel", Card)
    channel = DahdiDChannel(16)
    card = channel._channel
    assert isinstance(card, Card)
    card.events = [Event.ALARM] * 200

    channel.send(b"one")

    assert card.sent == []
    assert channel.lost == 1


def test_a_card_that_is_not_there_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(d_channel, "DataChannel", Card)

    with pytest.raises(DChannelError, match="Load the driver"):
        open_d_channel("dahdi:99")


class Cards:
    """The driver with an analogue card of 8 ports before an E1, so that the E1's time slot 16 is channel 24."""

    def __enter__(self) -> Cards:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def channels_of(self, span: int) -> list[ChannelState]:
        if span > 2:
            raise DahdiError(fault("dahdi_gone", doing="asking for its state"), f"span {span}")
        first, count = ((1, 8), (9, 31))[span - 1]
        return [
            ChannelState(first + index, span, 1 + index, Signalling.CLEAR, 0, False, LAW_ALAW, "")
            for index in range(count)
        ]


def test_the_d_channel_of_a_span_is_its_time_slot_16_whatever_stands_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    monkeypatch.setattr(d_channel, "Control", Cards)
    monkeypatch.setattr(d_channel, "DataChannel", lambda number, place: opened.append(number))

    open_d_channel("span:2")

    assert opened == [24]
    with pytest.raises(DChannelError, match="it is no E1"):
        open_d_channel("span:1")
    with pytest.raises(DChannelError, match="the span has gone"):
        open_d_channel("span:3")


def test_a_channel_that_fails_while_it_is_opened_keeps_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened every second: a thousand descriptors last a quarter of an hour."""

    def refuse_buffers(descriptor: int, request: int, argument: bytes) -> bytes:
        if request == SET_BUFINFO:
            raise OSError(errno.ENODEV, "pulled")
        return argument

    monkeypatch.setattr(dahdi, "DEVICES", Path("/dev"))
    monkeypatch.setattr(dahdi.os, "open", lambda *_: os.eventfd(0))
    monkeypatch.setattr(dahdi, "ioctl", refuse_buffers)
    gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(DChannelError):
        DahdiDChannel(16)

    assert len(os.listdir("/proc/self/fd")) == before
