"""The SIP worker process: 30 SIP lines as a board at the end of the gateway's block link. No policy of calls.

One thread of ours (RTP is received by one of pjsip's, in C). With a gateway, each of its blocks is answered with one;
without, calls are given up, new ones get 503, and an own timer keeps the SIP stack served. RTP never bursts: after a
stall at most three blocks are caught up, the older ones are dropped and counted.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import sys
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: a second thread would disturb the audio

import msgspec

from boards.signals import FromBoard
from boards.sip import CHANNELS
from drivers.block_link import VERSION, BlockLink, BlockPacket, Hello, LinkChannel, LinkError, LinkListener
from drivers.sip_stack import SipError, SipSettings, SipStack
from firmware.box.real_time import begin_real_time
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.box.sip.lines import Effect, SipLines, decode_signal, encode_signal
from firmware.box.sip.losses import LossEpisodes
from firmware.box.sip.pace import Pace
from firmware.core.clock import MICROSECONDS
from firmware.core.hints import with_hint
from firmware.core.logging import start_logging
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level

SERVE_US = 10_000
"""The SIP stack is served at least this often."""
GATEWAY_SILENT_US = 5 * MICROSECONDS
"""A gateway that gives no block for this long hangs: its calls have no audio."""
GOODBYE_US = MICROSECONDS // 2
"""How long the far ends may take to confirm that calls end because the worker does."""
PACKETS_AT_ONCE = 64
PRIORITY = 10
"""SCHED_FIFO priority, below the gateway's."""

_log = logging.getLogger(__name__)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


class SipWorker:
    """The loop and what it holds."""

    def __init__(self, paths: BoxPaths, stack: SipStack, sign: SignOfLife = NOBODY) -> None:
        """Raises OSError if the socket cannot be made."""
        self._sign = sign
        self._paths = paths
        self._stack = stack
        self._lines = SipLines(len(CHANNELS))
        hello = Hello(VERSION, "sip", False, tuple(LinkChannel(place.kind.value, place.label) for place in CHANNELS))
        self._listener = LinkListener(paths.sip_socket, hello)
        self._poll = select.poll()
        self._poll.register(self._listener.fileno(), select.POLLIN)
        self._link: BlockLink | None = None
        self._pace = Pace()
        self._dropped_before = 0
        """Blocks that were dropped after stalls under gateways that have gone."""
        self._last_block_us = 0
        self._expected: int | None = None
        self._next_number = 0
        self._stopping = False
        self._losses = LossEpisodes()
        self.lost_by_gateway = 0
        """Blocks that the gateway made and that did not arrive."""

    def stop(self) -> None:
        """Leave the loop at its next turn."""
        self._stopping = True

    def run(self) -> None:
        """Until `stop`. Raises SipError."""
        served_us = 0
        self._sign.ready()
        while not self._stopping:
            wait_us = served_us + SERVE_US - _now_us()
            self._poll.poll(max(0, wait_us) / 1000)
            self._accept()
            now_us = _now_us()
            self._sign.alive(now_us)
            ticked = self._take_from_gateway(now_us)
            if ticked or now_us - served_us >= SERVE_US:
                served_us = now_us
                self._serve_calls()
            if self._link is not None and now_us - self._last_block_us > GATEWAY_SILENT_US:
                self._gateway_left("it gave no audio for 5 s")
            self._say(self._losses.seen(self._pace.dropped + self._dropped_before, self.lost_by_gateway, now_us))

    def close(self) -> None:
        """Hang up, then let everything go."""
        self._sign.stopping()
        self._say(self._losses.end())
        self._listener.close()
        self._perform(self._lines.gateway_left())
        until_us = _now_us() + GOODBYE_US
        while self._lines.calls and _now_us() < until_us:
            self._serve_calls()
            time.sleep(0.01)
        if self._link is not None:
            self._link.close()
        self._link = None
        self._stack.close()

    # ---- gateway -----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        link = self._listener.accept()
        if link is None:
            return
        if self._link is not None:
            self._gateway_left("another gateway has taken its place")
        self._link = link
        self._poll.register(link.fileno(), select.POLLIN)
        self._dropped_before += self._pace.dropped
        self._pace = Pace()
        self._expected = None
        self._next_number = 0
        self._last_block_us = _now_us()
        self._perform(self._lines.gateway_came())
        _log.info("the gateway is there")

    def _gateway_left(self, why: str) -> None:
        if self._link is None:
            return
        self._poll.unregister(self._link.fileno())
        self._link.close()
        self._link = None
        level = absence_level(self._paths)
        _log.log(level, "the gateway has gone: %s; %d calls end", why, self._lines.calls)
        self._perform(self._lines.gateway_left())

    def _take_from_gateway(self, now_us: int) -> bool:
        """Blocks and signals in their order. True if time passed."""
        if self._link is None:
            return False
        packets: list[BlockPacket | bytes] = []
        try:
            while more := self._link.receive(PACKETS_AT_ONCE):
                packets += more
        except LinkError as error:
            self._gateway_left(str(error))
            return False
        waiting = sum(isinstance(packet, BlockPacket) for packet in packets)
        skip = waiting - self._pace.allow(waiting, now_us)
        for packet in packets:
            if not isinstance(packet, BlockPacket):
                self._take_signal(packet)
            elif skip > 0:
                skip -= 1
                self._count(packet.number, now_us)
                self._next_number += 1  # the gateway sees the gap
            else:
                self._count(packet.number, now_us)
                self._tick(packet)
        return waiting > 0

    def _count(self, number: int, now_us: int) -> None:
        if self._expected is not None and number > self._expected:
            self.lost_by_gateway += number - self._expected
        self._expected = number + 1
        self._last_block_us = now_us

    def _tick(self, packet: BlockPacket) -> None:
        self._stack.to_sip[:] = packet.samples
        self._stack.exchange()
        if self._link is None:
            return
        try:
            self._link.send_block(self._next_number, self._stack.from_sip)
        except LinkError as error:
            self._gateway_left(str(error))
        self._next_number += 1

    def _take_signal(self, body: bytes) -> None:
        try:
            line_signal = decode_signal(body)
            if not 0 <= line_signal.channel < len(CHANNELS):
                raise msgspec.ValidationError(f"there is no channel {line_signal.channel}")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._gateway_left(f"it sent a signal that was not understood ({error})")
            return
        self._perform(self._lines.from_gateway(line_signal))

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _serve_calls(self) -> None:
        for event in self._stack.serve():
            self._perform(self._lines.from_sip(event))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, FromBoard):
                self._signal(effect)
            else:
                self._stack.do(effect)

    def _signal(self, line_signal: FromBoard) -> None:
        if self._link is None:
            return
        try:
            self._link.send_signal(encode_signal(line_signal))
        except LinkError as error:
            self._gateway_left(str(error))

    @staticmethod
    def _say(told: tuple[int, str] | None) -> None:
        if told is not None:
            _log.log(*told)


def run_sip_worker(paths: BoxPaths, settings: SipSettings, sign: SignOfLife) -> None:
    """Run until SIGTERM or SIGINT. Raises ImportError (pjsua2 is not built), SipError, OSError."""
    from drivers.sip_pjsua2 import Pjsua2Stack  # not there before scripts/build_pjsua2

    stack = Pjsua2Stack(settings)
    try:
        worker = SipWorker(paths, stack, sign)
    except OSError:
        stack.close()
        raise
    begin_real_time(worker.stop, PRIORITY)
    _log.info("SIP at %s port %d, UDP and TCP", settings.host, settings.port)
    try:
        worker.run()
    finally:
        worker.close()


def main(arguments: list[str] | None = None) -> int:
    """`python -m firmware.box.sip.process --data DIR --port N`."""
    parser = argparse.ArgumentParser(prog="linebox-sip", description="SIP lines of the box.")
    parser.add_argument("--data", type=Path, help="data folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at, SIP and RTP (0.0.0.0: all)")
    parser.add_argument("--port", type=int, default=5060, help="UDP and TCP port")
    parser.add_argument("--rtp-port", type=int, default=20000, help="first RTP port of a range of 2000")
    options = parser.parse_args(arguments)
    paths = box_paths(options.data)
    start_logging("sip")
    sign = begin_signs_of_life()
    settings = SipSettings(host=options.host, port=options.port, rows=len(CHANNELS), first_rtp_port=options.rtp_port)
    try:
        paths.make()
        run_sip_worker(paths, settings, sign)
    except (ImportError, SipError, OSError) as error:
        _log.error("%s", with_hint(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
