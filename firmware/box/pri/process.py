"""The PRI worker process: ISDN signalling of one E1 span, at the end of a signal link to the gateway. No audio.

One thread. It opens its D channel itself, so that layer 2 outlives gateway and callserver: without a gateway the calls
are cleared (temporary failure), new ones are refused at once, and the next gateway finds the span in order. Of the
callserver it hears, for overlap receiving, that the configuration has changed (known_numbers.py); else it knows nothing
of it.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec

from boards.pri_link import pri_channels
from boards.signals import FromBoard, ToBoard
from drivers.block_link import VERSION, BlockLink, BlockPacket, Hello, LinkChannel, LinkError, LinkListener
from drivers.d_channel import DChannel, DChannelError, open_d_channel
from drivers.libpri import LibpriSpan
from drivers.libpri_build import LibpriMissing
from drivers.pri_stack import PriError, PriSettings
from firmware.box.pri.held_channels import HeldChannels
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.core.clock import MICROSECONDS, machine_boot_id
from firmware.core.hints import with_hint
from firmware.core.line_schemas import NumberAs
from firmware.core.logging import start_logging
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.span import PriSpan

if TYPE_CHECKING:
    from firmware.box.pri.known_numbers import KnownNumbers

REOPEN_US = MICROSECONDS
"""How often a D channel that is not there is opened again."""
GOODBYE_US = MICROSECONDS // 2
"""How long the far end may take to confirm that calls end because the worker does."""
REPORT_US = 60 * MICROSECONDS
FRAMES_AT_ONCE = 64

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ToBoard).decode


def _now_us() -> int:
    return time.monotonic_ns() // 1000


class PriWorker:
    """The loop and what it holds."""

    def __init__(
        self,
        paths: BoxPaths,
        number: int,
        place: str,
        span: PriSpan,
        held: HeldChannels,
        overlap: bool = False,
        sign: SignOfLife = NOBODY,
    ) -> None:
        """`place`: the D channel, see drivers/d_channel.py. `held`: closed with the worker. `overlap`: called numbers
        come digit by digit. Raises OSError if the socket cannot be made."""
        self._sign = sign
        self._number = number
        self._place = place
        self._paths = paths
        self._span = span
        self._held = held
        self._channels = pri_channels(number)
        channels = tuple(LinkChannel(channel.kind.value, channel.label) for channel in self._channels)
        self._listener = LinkListener(paths.pri_socket(number), Hello(VERSION, f"pri-{number}", False, channels))
        self._poll = select.poll()
        self._poll.register(self._listener.fileno(), select.POLLIN)
        self._link: BlockLink | None = None
        self._d_channel: DChannel | None = None
        self._reopen_us = 0
        self._problem = ""
        self._layer_two = False
        self._next_report_us = 0
        self._reported = (0, 0, 0)
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.POLLIN)
        self._known_numbers: KnownNumbers | None = None
        if overlap:
            # Only this needs the configuration, and it is not small.
            from firmware.box.pri.known_numbers import KnownNumbers

            self._known_numbers = KnownNumbers(paths, self._poll)
            span.lines.know_numbers(self._known_numbers.numbers)

    def stop(self) -> None:
        """Leave the loop now: `poll` goes on waiting after a signal handler, so that it must be woken."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        """Until `stop`. Raises PriError."""
        self._sign.ready()
        while not self._stopping:
            self._poll.poll(self._wait_ms(_now_us()))
            self._turn(_now_us())

    def _wait_ms(self, now_us: int) -> float:
        moments = [self._next_report_us, self._sign.next_us]
        deadline = self._span.next_deadline()
        if deadline is not None:
            moments.append(deadline)
        if self._d_channel is None:
            moments.append(self._reopen_us)
        if self._known_numbers is not None and (deadline := self._known_numbers.deadline_us()) is not None:
            moments.append(deadline)
        return max(0, min(moments) - now_us + 999) / 1000

    def _turn(self, now_us: int) -> None:
        self._sign.alive(now_us)
        self._accept(now_us)
        if self._known_numbers is not None and self._known_numbers.follow(now_us):
            self._span.lines.know_numbers(self._known_numbers.numbers)
        if self._d_channel is None and now_us >= self._reopen_us:
            self._open_d_channel(now_us)
        self._take_frames(now_us)
        self._take_signals(now_us)
        self._span.run_timers(now_us)
        self._flush(now_us)
        if now_us >= self._next_report_us:
            self._report(now_us)

    def close(self) -> None:
        """Clear the calls, then let everything go."""
        self._sign.stopping()
        self._listener.close()
        self._gateway_left("the worker stops", _now_us())
        self._span.gateway_left(_now_us())
        until_us = _now_us() + GOODBYE_US
        while self._span.lines.calls and self._d_channel is not None and _now_us() < until_us:
            self._take_frames(_now_us())
            self._flush(_now_us())
            time.sleep(0.005)
        self._held.note(self._span.lines.held_slots)
        self._held.close()
        self._close_d_channel()
        if self._known_numbers is not None:
            self._known_numbers.close()
        self._span.stack.close()
        os.close(self._wake)

    # ---- D channel ---------------------------------------------------------------------------------------------------

    def _open_d_channel(self, now_us: int) -> None:
        try:
            self._d_channel = open_d_channel(self._place)
        except DChannelError as error:
            self._d_channel_failed(error, now_us)
            return
        self._problem = ""
        self._poll.register(self._d_channel.fileno(), select.POLLIN)
        _log.info("span %d: D channel %s is open", self._number, self._place)

    def _d_channel_failed(self, error: DChannelError, now_us: int) -> None:
        self._close_d_channel()
        self._reopen_us = now_us + REOPEN_US
        if str(error) != self._problem:
            self._problem = str(error)
            _log.warning("span %d: %s", self._number, error)

    def _close_d_channel(self) -> None:
        if self._d_channel is not None:
            self._poll.unregister(self._d_channel.fileno())
            self._d_channel.close()
        self._d_channel = None

    def _take_frames(self, now_us: int) -> None:
        try:
            for _ in range(FRAMES_AT_ONCE):
                frame = self._d_channel.receive() if self._d_channel is not None else None
                if frame is None:
                    return
                self._span.frame(frame, now_us)
        except DChannelError as error:
            self._d_channel_failed(error, now_us)

    # ---- gateway -----------------------------------------------------------------------------------------------------

    def _accept(self, now_us: int) -> None:
        link = self._listener.accept()
        if link is None:
            return
        self._gateway_left("another gateway has taken its place", now_us)
        self._link = link
        self._poll.register(link.fileno(), select.POLLIN)
        self._span.gateway_came(now_us)
        _log.info("span %d: the gateway is there", self._number)

    def _gateway_left(self, why: str, now_us: int) -> None:
        if self._link is None:
            return
        self._poll.unregister(self._link.fileno())
        self._link.close()
        self._link = None
        level = logging.INFO if self._stopping else absence_level(self._paths)
        _log.log(level, "span %d: the gateway has gone: %s; %d calls end", self._number, why, self._span.lines.calls)
        self._span.gateway_left(now_us)

    def _take_signals(self, now_us: int) -> None:
        if self._link is None:
            return
        try:
            for packet in self._link.receive():
                self._take_signal(packet, now_us)
        except LinkError as error:
            self._gateway_left(str(error), now_us)

    def _take_signal(self, packet: BlockPacket | bytes, now_us: int) -> None:
        if isinstance(packet, BlockPacket):
            raise LinkError("it sent audio")
        try:
            line_signal = _decode(packet)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise LinkError(f"it sent a signal that was not understood ({error})") from error
        if not 0 <= line_signal.channel < len(self._channels):
            raise LinkError(f"it sent a signal for channel {line_signal.channel}, which there is not")
        self._span.signal(line_signal, now_us)

    # ---- out ---------------------------------------------------------------------------------------------------------

    def _flush(self, now_us: int) -> None:
        """All that waits goes out. What cannot be sent is lost; layer 2 or the next gateway makes it good."""
        why = self._span.take_drop()
        if why is not None:
            self._gateway_left(why, now_us)
        self._send_frames(now_us)
        for line_signal in self._span.take_signals():
            self._send_signal(line_signal, now_us)
        self._send_frames(now_us)  # a gateway that has just gone leaves calls to clear
        self._say_layer_two()

    def _send_frames(self, now_us: int) -> None:
        self._held.note(self._span.lines.held_slots)
        try:
            for frame in self._span.take_frames():
                if self._d_channel is not None:
                    self._d_channel.send(frame)
        except DChannelError as error:
            self._d_channel_failed(error, now_us)

    def _say_layer_two(self) -> None:
        if self._layer_two != self._span.lines.layer_two:
            self._layer_two = self._span.lines.layer_two
            if self._layer_two:
                _log.info("span %d: layer 2 is up", self._number)
            else:
                remedy = "see the line, and that the exchange is the other side (user, network)"
                _log.warning("span %d: layer 2 is down: %s", self._number, remedy)

    def _send_signal(self, line_signal: FromBoard, now_us: int) -> None:
        if self._link is None:
            return
        try:
            self._link.send_signal(_encode(line_signal))
        except LinkError as error:
            self._gateway_left(str(error), now_us)

    def _report(self, now_us: int) -> None:
        self._next_report_us = now_us + REPORT_US
        lines = self._span.lines
        lost = self._d_channel.lost if self._d_channel is not None else self._reported[2]
        seen = (lines.stuck_channels, lines.protocol_errors, lost)
        if seen != self._reported:
            self._reported = seen
            text = "span %d so far: %d calls that the far end did not finish clearing, %d wrong steps, %d frames lost"
            _log.warning(text, self._number, *seen)


def stack_settings(network: bool, called_as: NumberAs, calling_as: NumberAs) -> PriSettings:
    """Of one end of a span, by what the configuration says."""
    words = {}
    for name, number_as in (("called", called_as), ("calling", calling_as)):
        words[f"{name}_type"], words[f"{name}_plan"] = number_as.split("/")
    return msgspec.convert({"network": network, **words}, PriSettings)


def main(arguments: list[str] | None = None) -> int:
    """`python -m firmware.box.pri.process --data DIR --span N`."""
    parser = argparse.ArgumentParser(prog="linebox-pri", description="ISDN signalling of one E1 span.")
    parser.add_argument("--data", type=Path, help="data folder")
    parser.add_argument("--span", type=int, required=True, help="number of the span, from 1")
    parser.add_argument("--side", choices=("user", "network"), default="user", help="what this end of the line is")
    parser.add_argument("--d-channel", help="dahdi:NUMBER or unix:PATH; without it time slot 16 of the span")
    parser.add_argument("--overlap", action="store_true", help="called numbers come digit by digit")
    for name in ("called", "calling"):
        parser.add_argument(
            f"--{name}-as", choices=get_args(NumberAs), default="unknown/unknown", help=f"type and plan, {name} numbers"
        )
    options = parser.parse_args(arguments)
    if options.span < 1:
        parser.error("spans are counted from 1")
    paths = box_paths(options.data)
    start_logging(f"pri-{options.span}")
    sign = begin_signs_of_life()
    place = options.d_channel or f"span:{options.span}"
    is_network = options.side == "network"
    try:
        paths.make()
        stack = LibpriSpan(stack_settings(is_network, options.called_as, options.calling_as), _now_us())
        held = HeldChannels(paths.pri_held(options.span), machine_boot_id())
        span = PriSpan(stack, PriLines(is_network, options.overlap, restart_at_start=held.before))
        worker = PriWorker(paths, options.span, place, span, held, options.overlap, sign)
    except (LibpriMissing, PriError, OSError) as error:
        _log.error("%s", with_hint(str(error)))
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    _log.info("span %d: %s side, D channel %s, libpri %s", options.span, options.side, place, LibpriSpan.version())
    try:
        worker.run()
    except PriError as error:
        _log.error("span %d: %s", options.span, error)
        return 1
    finally:
        worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
