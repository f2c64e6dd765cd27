"""Line bits in slot 16: what is sent is what is read, wherever multiframes begin; disturbance is not read as bits."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.cas_slot import CHANNELS, CasSlot


@pytest.mark.parametrize("offset", range(16))
def test_bits_are_read_wherever_the_multiframes_begin(offset: int) -> None:
    sender, receiver = CasSlot(), CasSlot()
    wanted = {channel: 1 + channel % 15 for channel in range(CHANNELS)}
    for channel, abcd in wanted.items():
        sender.set(channel, abcd)

    assert dict(receiver.receive(np.roll(sender.block(), offset))) == wanted
    assert receiver.receive(np.roll(sender.block(), offset)) == []


def test_only_changes_are_told() -> None:
    sender, receiver = CasSlot(), CasSlot()
    receiver.receive(sender.block())
    sender.set(15, 0b0001)

    assert receiver.receive(sender.block()) == [(15, 0b0001)]


def test_a_bit_error_in_one_multiframe_is_not_a_change() -> None:
    sender, receiver = CasSlot(), CasSlot()
    receiver.receive(sender.block())
    slot = sender.block()
    slot[3 * 16 + 5] ^= 0x40

    assert receiver.receive(slot) == []


def test_without_alignment_nothing_is_read_and_all_is_told_anew_afterwards() -> None:
    sender, receiver = CasSlot(), CasSlot()
    receiver.receive(sender.block())
    for noise in (np.full(80, 0xD5, np.uint8), np.full(80, 0xFF, np.uint8), np.zeros(80, np.uint8)):
        assert receiver.receive(noise) == []
        assert not receiver.aligned

    assert len(receiver.receive(sender.block())) == CHANNELS
    assert receiver.aligned


def test_who_finds_no_multiframes_tells_the_far_end() -> None:
    ours, far = CasSlot(), CasSlot()
    far.receive(ours.block())
    assert far.remote_alarm

    ours.receive(far.block())
    far.receive(ours.block())
    assert not far.remote_alarm

    ours.receive(np.full(80, 0xFF, np.uint8))
    far.receive(ours.block())
    assert far.remote_alarm


def test_a_channel_that_nobody_serves_yet_is_blocked() -> None:
    receiver = CasSlot()

    assert set(receiver.receive(CasSlot().block())) == {(channel, 0b1101) for channel in range(CHANNELS)}


def test_random_slots_never_crash_and_hardly_ever_align() -> None:
    receiver, generator = CasSlot(), np.random.default_rng(16)
    told = [receiver.receive(generator.integers(0, 256, 80, dtype=np.uint8)) for _ in range(10_000)]

    assert sum(map(bool, told)) < 5


def test_bits_that_look_like_alignment_are_not_sent() -> None:
    with pytest.raises(ValueError, match="0000"):
        CasSlot().set(0, 0)
