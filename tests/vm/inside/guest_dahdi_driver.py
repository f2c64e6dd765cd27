"""What the real DAHDI driver does differently from what one would expect, and that the binding deals with it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

import numpy as np
import pytest

from drivers.dahdi import Channel, DahdiError, DataChannel, EventWaits
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import GETRXBITS, HOOK, INT, Event, Hook, Signalling, SpanAlarm
from tests.vm.inside.spans import SIGNALLING_SLOT, DynamicSpan, wait_for

Pair = tuple[DynamicSpan, DynamicSpan]


@contextmanager
def opened(*ends: tuple[DynamicSpan, int]) -> Iterator[list[Channel]]:
    channels = [span.open(slot) for span, slot in ends]
    try:
        yield channels
    finally:
        for channel in channels:
            channel.close()


def events_of(channel: Channel, seconds: float) -> list[int]:
    """Events that come within so many seconds of the guest's clock."""
    events = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        while event := channel.event():
            events.append(event)
        time.sleep(0.005)
    return events


def wait_for_event(channel: Channel, wanted: int, seconds: float) -> float:
    return wait_for(lambda: channel.event() == wanted, seconds, f"event {wanted} on {channel.where}")


# ---- spans -----------------------------------------------------------------------------------------------------------


def test_spans_and_channels_are_found_with_names_and_places(pair: Pair) -> None:
    with Control() as control:
        spans = {span.number: span for span in control.spans()}
        channels = control.channels_of(pair[1].number)

    assert set(spans) >= {pair[0].number, pair[1].number}
    assert spans[pair[0].number].total_channels == 31
    assert [channel.position for channel in channels] == list(range(1, 32))
    assert {channel.signalling for channel in channels} == {Signalling.NONE}


def test_a_span_that_is_not_there_is_said_with_a_remedy(pair: Pair) -> None:
    with Control() as control, pytest.raises(DahdiError) as error:
        control.span(77)

    assert "span 77" in error.value.where
    assert error.value.remedy


def test_a_channel_that_nobody_configured_cannot_be_opened_and_says_so(pair: Pair) -> None:
    with pytest.raises(DahdiError, match="not configured"):
        pair[0].open(1)


def test_a_channel_that_somebody_has_cannot_be_had_twice(pair: Pair) -> None:
    pair[0].configure(Signalling.CLEAR)
    with opened((pair[0], 1)), pytest.raises(DahdiError, match="in use by another program"):
        pair[0].open(1)


def test_red_alarm_comes_within_two_and_a_half_seconds_after_the_far_span_has_gone_and_clears_when_it_is_back(
    pair: Pair,
) -> None:
    near, far = pair
    near.configure(Signalling.CLEAR)
    far.configure(Signalling.CLEAR)
    with Control() as control, opened((near, 1)) as (channel,):
        wait_for(lambda: not control.span(near.number).alarms, 3, "no alarm while both ends are there")
        far.destroy()
        raised = wait_for(lambda: SpanAlarm.RED in control.span(near.number).alarms, 2.5, "RED")
        assert Event.ALARM in events_of(channel, 0.1)
        again = far.create_again()
        again.configure(Signalling.CLEAR)
        cleared = wait_for(lambda: not control.span(near.number).alarms, 3, "no alarm")
        assert Event.NOALARM in events_of(channel, 0.1)
    print(f"RED after {raised:.2f} s, clear after {cleared:.2f} s")


def test_what_is_open_on_a_span_that_goes_is_told_so(pair: Pair) -> None:
    near, _ = pair
    near.configure(Signalling.CLEAR)
    with opened((near, 1)) as (channel,):
        channel.set_buffers(4, 80)
        with pytest.raises(DahdiError, match="in use"):
            near.destroy()
        device = near.pull()
        with pytest.raises(DahdiError) as told:
            channel.event()
        with pytest.raises(DahdiError) as read:
            channel.read_into(memoryview(bytearray(80)))
    near.put_back(device)
    near.configure(Signalling.CLEAR)
    with opened((near, 1)) as (channel,):
        assert channel.event() == Event.NONE

    assert told.value.gone
    assert read.value.gone


# ---- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio", [True, False])
def test_all_codes_pass_a_bearer_channel_unchanged_while_its_echo_canceller_is_off(pair: Pair, audio: bool) -> None:
    near, far = pair
    for span in pair:
        span.configure(Signalling.CLEAR)
    with opened((near, 3), (far, 3)) as (sender, receiver):
        for channel in (sender, receiver):
            channel.set_audio(audio)
            channel.set_buffers(32, 80)  # all that is said, however late this process is
        sent = np.tile(np.arange(256, dtype=np.uint8), 5)
        heard = bytearray()
        block = memoryview(bytearray(80))
        written = 0
        while len(heard) < 4000:
            while written < len(sent) and sender.write(sent[written : written + 80].tobytes()):
                written += 80
            while receiver.read_into(block):
                heard += block
            time.sleep(0.002)

    assert sent.tobytes() in bytes(heard)
    assert heard[-1] == (0xD5 if audio else 0xFF), "the code of an idle channel"


def test_buffers_are_as_asked_and_too_many_are_refused(pair: Pair) -> None:
    pair[0].configure(Signalling.CLEAR)
    with opened((pair[0], 1)) as (channel,):
        channel.set_buffers(4, 80)
        assert channel.buffers() == (4, 80)
        with pytest.raises(DahdiError):
            channel.set_buffers(33, 80)
        with pytest.raises(DahdiError):
            channel.set_buffers(4, 8)
        assert channel.buffers() == (4, 80)


@pytest.mark.parametrize(("size", "count", "most_ms"), [(160, 2, 45), (80, 3, 37)])
def test_delay_from_write_to_read_is_a_few_buffers(pair: Pair, size: int, count: int, most_ms: int) -> None:
    """The least of three: what comes on top is this process, late to read."""
    delays = [delay_ms(pair, size, count) for _ in range(3)]

    print(f"{count} buffers of {size}: {delays} ms")
    assert min(delays) <= most_ms


def delay_ms(pair: Pair, size: int, count: int) -> float:
    near, far = pair
    for span in pair:
        span.configure(Signalling.CLEAR)
    with opened((near, 5), (far, 5)) as (sender, receiver):
        for channel in (sender, receiver):
            channel.set_audio(True)
            channel.set_buffers(count, size)
        heard = 0
        block = memoryview(bytearray(size))
        loud, quiet = b"\x2a" * size, b"\xd5" * size
        while sender.write(quiet):
            pass
        wait_for(lambda: receiver.read_into(block), 1, "samples")
        wait_for(lambda: sender.write(loud), 1, "room to write")
        while True:
            if receiver.read_into(block):
                heard += size
                sender.write(quiet)
                if 0x2A in block:
                    position = bytes(block).index(0x2A)
                    break
            time.sleep(0.0005)
        return (heard - size + position) / 8 + size / 8


def test_samples_wait_until_an_event_is_fetched(pair: Pair) -> None:
    near, far = pair
    near.configure(Signalling.CLEAR)
    far.configure(Signalling.CLEAR)
    with Control() as control, opened((near, 1)) as (channel,):
        channel.set_buffers(4, 80)
        wait_for(lambda: not control.span(near.number).alarms, 3, "no alarm")
        while channel.event():
            pass
        far.destroy()
        wait_for(lambda: control.span(near.number).alarms, 3, "RED")
        with pytest.raises(EventWaits):
            channel.read_into(memoryview(bytearray(80)))
        with pytest.raises(EventWaits):
            channel.write(b"\xd5" * 80)
        assert channel.event() == Event.ALARM
        channel.write(b"\xd5" * 80)


def test_a_frame_of_the_d_channel_arrives_without_the_two_bytes_of_its_check_sequence(pair: Pair) -> None:
    for span in pair:
        span.configure(Signalling.CLEAR)
    near, far = (DataChannel(span.channel(SIGNALLING_SLOT)) for span in pair)
    try:
        time.sleep(0.1)
        for channel in (near, far):
            while channel.event():
                pass  # the far end's flags have just begun
        frames = [bytes([2, 1, 0x7F]), bytes(range(200)), b"\x7e\x7d\xff" * 20]
        for frame in frames:
            assert near.send(frame)
        received: list[bytes] = []

        def look() -> bool:
            frame = far.receive()
            if frame is not None:
                received.append(frame)
            return len(received) == len(frames)

        wait_for(look, 1, "the frames")
    finally:
        near.close()
        far.close()

    assert received == frames


# ---- line bits -------------------------------------------------------------------------------------------------------


def test_line_bits_pass_both_ways_each_within_fifteen_milliseconds_and_without_the_neighbours_bits(pair: Pair) -> None:
    near, far = pair
    for span in pair:
        span.configure(Signalling.CAS)
    took: dict[tuple[int, int], float] = {}
    raw: set[int] = set()
    with opened((near, 1), (near, 2), (far, 1), (far, 2)) as (one, other, far_one, far_other):
        other.send_bits(0b1111)
        far_other.send_bits(0b1010)
        wait_for(lambda: far_other.receive_bits() == 0b1111, 1, "the neighbour's bits")
        # The least of three for each: what comes on top is this process, late to look.
        for bits in (0b0001, 0b1001, 0b0101, 0b1101, 0b0000, 0b1111) * 3:
            for way, (sender, receiver) in enumerate(((one, far_one), (far_one, one))):
                sender.send_bits(bits)
                seconds = wait_for(lambda r=receiver, b=bits: r.receive_bits() == b, 1, f"bits {bits:04b}")
                took[bits, way] = min(seconds, took.get((bits, way), seconds))
                raw.add(INT.unpack(ioctl(receiver.fileno(), GETRXBITS, bytes(4)))[0] & ~0xF)
    worst = max(took.values())
    print(f"worst {worst * 1000:.0f} ms; places above the four held {sorted(raw)}")
    assert worst < 0.016


def test_line_bits_that_come_are_told_as_an_event(pair: Pair) -> None:
    for span in pair:
        span.configure(Signalling.CAS)
    with opened((pair[0], 7), (pair[1], 7)) as (near, far):
        events_of(far, 0.1)
        near.send_bits(0b0001)
        wait_for_event(far, Event.BITSCHANGED, 1)
        assert far.receive_bits() == 0b0001


# ---- analogue ports over CAS -----------------------------------------------------------------------------------------


@pytest.fixture
def line(pair: Pair) -> Iterator[tuple[Channel, Channel]]:
    """(port, phone): an extension port (FXO-signalled), and on the far span the line side of a phone."""
    with Control() as control:
        control.load_ringing_zone()
    pair[0].configure(Signalling.FXOKS)
    pair[1].configure(Signalling.FXSKS)
    with opened((pair[0], 1), (pair[1], 1)) as (port, phone):
        events_of(port, 1.5)  # the far end, not configured yet, looked as if off-hook; that ends after 1250 ms
        events_of(phone, 0.1)
        yield port, phone


def test_a_hook_command_is_accepted_by_a_refusal_and_completes_by_an_event(line: tuple[Channel, Channel]) -> None:
    port, phone = line
    with pytest.raises(BlockingIOError) as refused:  # what the driver itself says: EINPROGRESS
        ioctl(phone.fileno(), HOOK, INT.pack(Hook.START))
    assert refused.value.errno == 115
    wait_for_event(port, Event.RINGOFFHOOK, 1)
    wait_for_event(phone, Event.HOOKCOMPLETE, 3)

    phone.hook(Hook.ONHOOK)
    on_hook = wait_for_event(port, Event.ONHOOK, 2)
    print(f"on-hook told after {on_hook * 1000:.0f} ms")
    assert on_hook > 1.0


def test_ring_is_told_after_the_first_two_seconds_of_an_open_line_only(line: tuple[Channel, Channel]) -> None:
    port, phone = line
    port.set_cadence(60_000, 1)
    port.hook(Hook.RING)
    early = events_of(phone, 0.5)
    port.hook(Hook.RINGOFF)
    events_of(phone, 2.5)
    port.hook(Hook.RING)
    late = events_of(phone, 0.5)
    port.hook(Hook.RINGOFF)

    assert Event.RINGBEGIN not in early
    assert Event.RINGBEGIN in late


def test_a_flash_is_told_once(line: tuple[Channel, Channel]) -> None:
    port, phone = line
    phone.hook(Hook.OFFHOOK)
    wait_for_event(port, Event.RINGOFFHOOK, 1)
    events_of(phone, 1)

    phone.hook(Hook.FLASH)

    events = events_of(port, 2)
    assert events == [Event.WINKFLASH]


def test_the_descriptor_numbers_are_free_again(pair: Pair) -> None:
    pair[0].configure(Signalling.CLEAR)
    gc.collect()  # what an earlier test left in a cycle is not freed meanwhile
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with opened((pair[0], 1)), Control():
            pass

    assert len(os.listdir("/proc/self/fd")) == before
