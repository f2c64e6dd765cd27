"""What is counted under the emulated processor: WHAT FILE CHANNELS TICKS. The file holds A-law [ticks, channels, 80].

Runs in a bare Python with numpy and msgspec alone, so it imports little. Prints how many digits were found (`dtmf`).
"""

from __future__ import annotations

import sys

import numpy as np

from firmware.media import codec
from firmware.media.codec import BLOCK, Linear
from firmware.tones.dtmf import DtmfDetector


def main(what: str, name: str, channels: int, ticks: int) -> None:
    """`dtmf`: decode and detect. `decode`: the same without detection. `tick`: the whole tick."""
    blocks = np.fromfile(name, dtype=np.uint8).reshape(-1, channels, BLOCK)
    if what == "tick":
        from firmware.media.sounds import SoundStore
        from tests.bench.media_parts.whole_tick import BusyHour

        sound = np.ascontiguousarray(blocks[:, 0]).reshape(-1)
        ring = np.zeros((2, channels, BLOCK), dtype=np.uint8)

        def tap(sample: int, received: codec.Alaw, sent: codec.Alaw) -> None:
            ring[0], ring[1] = received, sent

        busy = BusyHour(channels, SoundStore({"prompt:one": sound, "music:waiting": sound}), tap)
        for tick in range(ticks):
            busy.tick(blocks[tick])
        return
    detector, found = DtmfDetector(channels), 0
    linear: Linear = np.zeros((channels, BLOCK), dtype=np.float32)
    for tick in range(ticks):
        codec.decode(blocks[tick], out=linear)
        if what == "dtmf":
            found += len(detector.process(linear, tick * BLOCK))
    print(found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
