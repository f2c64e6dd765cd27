"""The gateway process: real time around the sans-I/O core. It holds the lines and as little else as it can.

One thread. The blocks of the first board with a clock drive the ticks; where there is none, or it delivers nothing for
a second, a software timer does until one delivers again. In the loop nothing is written to disk, no memory is collected
(heap frozen, collection off), and only rare events go to stderr.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import secrets
import sys
from pathlib import Path
from select import epoll

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: a second thread would disturb the tick

from boards.base import Block, Board, BoardError
from firmware.box.gateway.boards import BLOCKS_A_TURN, BoardSlot, BoardSlots, make_board
from firmware.box.gateway.door import CallserverDoor
from firmware.box.real_time import begin_real_time
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.core.clock import MICROSECONDS, Stamp, SystemClock, machine_boot_id
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.faults import Fault
from firmware.core.logging import start_logging
from firmware.core.paths import BoxPaths, box_paths
from firmware.core.process_table import absence_level
from firmware.core.schemas import Configuration
from firmware.lines.gateway import Gateway
from firmware.lines.line_settings import line_settings
from firmware.media.prompts import PROMPTS
from firmware.media.ring import RingWriter, remove_dead_rings
from firmware.media.sounds import SoundStore
from firmware.tones.plan import load_plan

TICK_US = 10_000
SILENT_CLOCK_US = 1_000_000
"""An open board with a clock is waited for this long, then the software timer ticks. A stalled machine holds up the
board's blocks too: a tick without them would put silence into the speech that comes right after."""
STALL_US = 20_000
"""A tick that comes later than this after the one before is counted as a stall."""
SOFTWARE_TICKS_AT_ONCE = 50
LOOK_EVERY_US = MICROSECONDS
"""Boards that do not work are opened again this often."""
COUNTERS_EVERY_US = 10 * MICROSECONDS
"""A board's counters are told at once when they change, but not more often than this."""
PRIORITY = 20
"""SCHED_FIFO priority: above everything that is not the kernel's."""

_log = logging.getLogger(__name__)


class GatewayProcess:
    """The loop and what it holds."""

    def __init__(self, paths: BoxPaths, configuration: Configuration, sign: SignOfLife = NOBODY) -> None:
        """Raises OSError if socket or ring cannot be made."""
        self._sign = sign
        self._clock = SystemClock()
        self._watcher = epoll()
        boards: list[Board] = []
        for entry in configuration.boards:
            if not entry.enabled:
                continue
            try:
                boards.append(make_board(entry, paths))
            except BoardError as error:
                _log.error("%s", error)  # the exchange runs on without it
        sounds = SoundStore.load(
            load_plan().samples(), language=configuration.box.language, folders=(PROMPTS, paths.prompts)
        )
        boot = secrets.token_hex(4)
        self._gateway = Gateway([(board.name, board.channels) for board in boards], sounds, boot, machine_boot_id())
        self._gateway.handle_command(line_settings(configuration), self._clock.now())
        remove_dead_rings(paths.run)
        self._ring = RingWriter(paths.ring(boot), boot, max(1, len(self._gateway.lines)))
        self._door = CallserverDoor(paths, self._gateway, self._clock, self._watcher)
        self._boards = BoardSlots(
            boards, self._watcher, self._board_opened, self._board_failed, lambda: absence_level(paths)
        )
        self._stopping = False
        self._last_tick_us = 0
        self._last_clocked_us = 0
        self._next_software_us = 0
        self._next_look_us = 0
        self._stalls = 0
        self._worst_gap_us = 0

    def stop(self) -> None:
        """Leave the loop at its next turn."""
        self._stopping = True

    def run(self) -> None:
        """Until `stop`."""
        more = False
        self._last_clocked_us = self._clock.now().mono_us
        self._sign.ready()
        while not self._stopping:
            for descriptor, mask in self._watcher.poll(0 if more else self._wait_seconds()):
                self._door.handle(descriptor, mask)
            now = self._clock.now()
            more = self._take_from_boards(now)
            self._tick_by_timer(now.mono_us)
            for name, line_signal in self._gateway.take_signals():
                self._boards.send_signal(name, line_signal, now.mono_us)
            self._loop_boards(now)
            self._boards.flush_outward(now.mono_us)
            more |= self._door.send_events()
            if now.mono_us >= self._next_look_us:
                self._next_look_us = now.mono_us + LOOK_EVERY_US
                self._look_after_boards(now)
                self._door.watch(now.mono_us)

    def close(self) -> None:
        self._sign.stopping()
        self._boards.close()
        self._door.close()
        self._ring.close()
        self._watcher.close()

    # ---- boards ------------------------------------------------------------------------------------------------------

    def _board_opened(self, slot: BoardSlot) -> None:
        self._gateway.board_opened(slot.name, self._clock.now())

    def _board_failed(self, slot: BoardSlot, fault: Fault) -> None:
        self._gateway.board_failed(slot.name, fault, self._clock.now())

    def _loop_boards(self, now: Stamp) -> None:
        """Do what loop tests want of boards."""
        tests = self._gateway.loop_tests
        for order in tests.take_orders():
            match order.what:
                case "begin":
                    tests.begun(order.board, self._boards.begin_loop(order.board, order.way, now.mono_us))
                case "count":
                    tests.counted(order.board, self._boards.counters_of(order.board))
                case "end":
                    self._boards.end_loop(order.board, now.mono_us)
                    tests.ended(order.board, self._boards.counters_of(order.board), now)

    def _look_after_boards(self, now: Stamp) -> None:
        self._boards.close_silent(now.mono_us)
        self._boards.open_due(now.mono_us)
        clock = self._boards.clock()
        for slot in self._boards.slots:
            if slot.is_open and now.mono_us >= slot.report_us:
                stalls = {"stalls": self._stalls, "worst_gap_ms": self._worst_gap_us // 1000} if slot is clock else {}
                if self._gateway.board_counters(slot.name, slot.counters(stalls), now):
                    slot.report_us = now.mono_us + COUNTERS_EVERY_US

    def _take_from_boards(self, now: Stamp) -> bool:
        """Take what the boards have, ticking by the blocks of the clock. True if there may be more."""
        clock = self._boards.clock()
        more = False
        for slot in sorted(
            self._boards.slots, key=lambda one: one is clock
        ):  # the clock last: it uses the others' blocks
            taken = 0
            while True:
                blocks, signals = self._boards.receive(slot, now.mono_us)
                if not blocks and not signals:
                    break
                for block in blocks:
                    if slot is clock:
                        self._last_clocked_us = now.mono_us
                        slot.elastic.restart()
                        self._tick(slot.name, block)
                    elif (answer := self._gateway.loop_tests.exchange(slot.name, block)) is not None:
                        slot.elastic.restart()  # a slip there would be taken for the line's
                        slot.make_outward(answer)
                    else:
                        slot.elastic.put(block, now.mono_us)
                for line_signal in signals:
                    self._gateway.handle_signal(slot.name, line_signal, now)
                taken += len(blocks) + len(signals)
                if taken >= BLOCKS_A_TURN:
                    more = True
                    break
        return more

    # ---- ticks -------------------------------------------------------------------------------------------------------

    def _wait_seconds(self) -> float:
        """How long the loop may sleep: until the software timer has to tick, if the clock does not."""
        now_us = self._clock.now().mono_us
        due = max(self._last_clocked_us + self._clock_patience_us(), self._next_software_us)
        return max(0, due - now_us) / MICROSECONDS

    def _clock_patience_us(self) -> int:
        return SILENT_CLOCK_US if self._boards.clock() is not None else TICK_US

    def _tick_by_timer(self, now_us: int) -> None:
        if now_us - self._last_clocked_us < self._clock_patience_us():
            self._next_software_us = 0
            return
        if not self._next_software_us:
            self._next_software_us = now_us
        for _ in range(SOFTWARE_TICKS_AT_ONCE):
            if self._next_software_us > now_us:
                return
            self._tick("", None)
            self._next_software_us += TICK_US
        self._next_software_us = now_us + TICK_US

    def _tick(self, clock: str, block: Block | None) -> None:
        now = self._clock.now()
        if self._last_tick_us and now.mono_us - self._last_tick_us > STALL_US:
            self._stalls += 1
            self._worst_gap_us = max(self._worst_gap_us, now.mono_us - self._last_tick_us)
        self._last_tick_us = now.mono_us
        self._sign.alive(now.mono_us)
        inward: dict[str, Block | None] = {
            slot.name: block if slot.name == clock else slot.elastic.take(now.mono_us) for slot in self._boards.slots
        }
        begin = self._gateway.sample
        outward = self._gateway.tick(inward, now)
        self._ring.write(begin, self._gateway.received, self._gateway.recorded)
        for slot in self._boards.slots:
            if slot.is_open and slot.name in outward:
                slot.make_outward(outward[slot.name])


def run_gateway(paths: BoxPaths, configuration: Configuration, sign: SignOfLife) -> None:
    """Run the gateway until SIGTERM or SIGINT. Raises OSError if its socket or its ring cannot be made."""
    process = GatewayProcess(paths, configuration, sign)
    begin_real_time(process.stop, PRIORITY)
    gc.disable()
    try:
        process.run()
    finally:
        process.close()


def main(arguments: list[str] | None = None) -> int:
    """`python -m firmware.box.gateway.process --data DIR`."""
    parser = argparse.ArgumentParser(prog="linebox-gateway", description="Holds the boards and the lines.")
    parser.add_argument("--data", type=Path, help="data folder")
    paths = box_paths(parser.parse_args(arguments).data)
    start_logging("gateway")
    sign = begin_signs_of_life()
    try:
        paths.make()
        configuration, problems = load_configuration_or_last_good(paths)
        if problems:
            _log.error("the configuration files are wrong, the last good configuration is in force")
        for problem in problems:
            _log.error("configuration: %s", problem)
        run_gateway(paths, configuration, sign)
    except (ConfigurationError, OSError) as error:
        _log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
