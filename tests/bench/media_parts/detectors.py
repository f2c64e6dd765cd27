"""What detectors cost for all channels, each beside libspandsp's (C) on the same audio in the same run."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw, Linear
from firmware.media.sounds import SoundStore
from firmware.tones.dtmf import DtmfDetector
from firmware.tones.mfc import MfcDetector
from firmware.tones.signals import SignalDetector
from tests.bench.media_parts.audio import dialling, talking
from tests.bench.media_parts.timing import TICKS, WARM_UP, Costs, Result, cost_us, result, typical
from tests.tones.spandsp_mfc_peer import SpandspMfc
from tests.tones.spandsp_peer import PeerMissing, SpandspDtmf
from tests.tones.spandsp_signals_peer import SpandspConnectTones

CHANNELS = (32, 64, 128)


def side_by_side(
    audio: Alaw, ours: Callable[[Linear, int], object], theirs: Callable[[NDArray[np.int16]], object] | None
) -> tuple[Costs, Costs | None]:
    """Cost of each on the same blocks. Each finds its block where it has just been written, as the switch leaves it:
    decoding it is not measured."""
    linear: Linear = np.zeros((len(audio), BLOCK), dtype=np.float32)
    whole = np.zeros(linear.shape, dtype=np.int16)

    def decode(place: int) -> None:
        codec.decode(audio[:, place * BLOCK : (place + 1) * BLOCK], out=linear)

    def decode_whole(place: int) -> None:
        decode(place)
        whole[:] = linear

    our_cost = cost_us(lambda place: ours(linear, place * BLOCK), decode)
    return our_cost, None if theirs is None else cost_us(lambda _: theirs(whole), decode_whole)


def dtmf(channels: int, audio: Alaw, dials: int) -> tuple[float, float | None]:
    """Microseconds a tick, ours and the peer's; `dials` of the channels dial all the time. Raises AssertionError if a
    detector does not do its work while it is measured."""
    detector, found = DtmfDetector(channels), 0

    def ours(linear: Linear, sample: int) -> None:
        nonlocal found
        found += len(detector.process(linear, sample))

    peer = None
    try:
        peer = SpandspDtmf(channels)
    except PeerMissing as missing:
        print(missing, file=sys.stderr)
    our_cost, peer_cost = side_by_side(audio, ours, None if peer is None else peer.process)
    if dials:
        # The last digits of a channel may not have been told.
        sent = dials * ((WARM_UP + TICKS) // 10)
        assert sent - 3 * dials <= found <= sent, f"{found} digits found, {sent} sent"
    else:
        assert found == 0, f"{found} digits found in speech"
    if peer is None or peer_cost is None:
        return typical(our_cost), None
    heard = sum(len(peer.digits(channel)) for channel in range(channels))
    peer.close()
    assert heard > 0 or not dials, "the peer heard nothing"
    return typical(our_cost), typical(peer_cost)


def measure(store: SoundStore) -> list[Result]:
    """All cases."""
    results: list[Result] = []
    for channels in CHANNELS:
        ticks = WARM_UP + TICKS
        talk, dial = talking(channels, ticks, store), dialling(channels, ticks)
        mixed = talk.copy()
        mixed[::8] = dial[::8]
        for name, audio, dials in (
            ("talking", talk, 0),
            ("one in eight dialling", mixed, channels // 8),
            ("dialling", dial, channels),
        ):
            results.append(result(f"dtmf, {channels} channels {name}", "µs CPU", *dtmf(channels, audio, dials)))
    channels = 128
    talk = talking(channels, WARM_UP + TICKS, store)
    signals, registers = SignalDetector(channels), MfcDetector(channels)
    for channel in range(channels):
        registers.listen(channel, "forward")
    try:
        tones, mfc = SpandspConnectTones(channels), SpandspMfc(channels, "forward")
    except PeerMissing:
        return results
    for name, ours, theirs in (
        ("fax and information tones, 128 channels talking", signals.process, tones.process),
        ("register tones, 128 channels listening", registers.process, mfc.process),
    ):
        our_cost, peer_cost = side_by_side(talk, ours, theirs)
        results.append(result(name, "µs CPU", typical(our_cost), None if peer_cost is None else typical(peer_cost)))
    tones.close()
    mfc.close()
    return results
