"""The least that can be done with all slots of some spans: each block that is read is written back at once.

What the gateway is measured against (`scripts/bench lines`). It runs as a process of its own, until SIGTERM:
`python3 -m tests.vm.inside.read_write_loop SPAN...`. Nothing but calls of the system stands in its loop.
"""

from __future__ import annotations

import os
import select
import sys
from typing import NoReturn

from drivers.dahdi import Channel
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import LineConfig, Signalling

BLOCK = 80
DEPTH = 4
SILENCE = b"\xd5" * BLOCK
IN_FRONT = 1
"""Blocks written before the first is read. With none, the line has nothing to send whenever the loop is late."""


def channels_of(spans: list[int]) -> list[Channel]:
    with Control() as control:
        numbers: list[int] = []
        for span in spans:
            control.configure_span(span, LineConfig(0), 0)
            bearers = [state.number for state in control.channels_of(span)]
            control.configure_channels(ChannelSetting(number, Signalling.CLEAR) for number in bearers)
            numbers += bearers
    return [Channel(number) for number in numbers]


def main(spans: list[int]) -> NoReturn:
    channels = channels_of(spans)
    for channel in channels:
        channel.set_audio(True)
        channel.set_buffers(DEPTH, BLOCK)
    descriptors = [channel.fileno() for channel in channels]
    for descriptor in descriptors:
        for _ in range(IN_FRONT):
            os.write(descriptor, SILENCE)
    watcher = select.epoll()
    watcher.register(descriptors[-1], select.EPOLLIN)  # the others' blocks are whole by then
    print("loops", flush=True)
    while True:
        watcher.poll()
        for descriptor in descriptors:
            try:
                os.write(descriptor, os.read(descriptor, BLOCK))
            except BlockingIOError:
                pass


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
