"""The simulator process: the world outside the box in real time, at the far end of the block link. It is the clock.

Blocks go out on an absolute schedule of 10 ms. After a stall the missed blocks go out at once, as a card's buffer would
give them, but at most 32; the rest are lost and counted. One thread drives everything and never waits for anybody; only
the report is written by another.
"""

from __future__ import annotations

import argparse
import logging
import os
import selectors
import sys
from collections.abc import Iterable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: a second thread would disturb the tick

import msgspec

from boards.signals import FromBoard, ToBoard
from drivers.block_link import VERSION, BlockLink, BlockPacket, Hello, LinkChannel, LinkError, LinkListener
from firmware.box.real_time import begin_real_time
from firmware.box.sign_of_life import NOBODY, SignOfLife, begin_signs_of_life
from firmware.box.simulator.agents import AgentsLink
from firmware.core.clock import MICROSECONDS, Stamp, SystemClock
from firmware.core.configuration import ConfigurationError, load_configuration_or_last_good
from firmware.core.line_schemas import BoardEntry
from firmware.core.logging import start_logging
from firmware.core.paths import BoxPaths, box_paths
from firmware.simulator.county import demonstration
from firmware.simulator.report import ClockEntry, ReportWriter
from firmware.simulator.scenario import Citizen, Phone, ScenarioError, demonstration_phones, read_scenario
from firmware.simulator.world import BLOCK_US, World

BUFFER_BLOCKS = 32
"""Blocks that a card keeps for a driver that does not come (DAHDI's most)."""
STALL_US = 20_000
"""A turn of the loop that comes so late is a stall."""
PACKETS_A_TURN = 64
FLUSH_BLOCKS = 100
PRIORITY = 15
"""SCHED_FIFO, below the gateway: a clock that is late makes everybody late."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode_signal = msgspec.json.Decoder(ToBoard).decode


class SimulatorProcess:
    """The loop and what it holds."""

    def __init__(
        self,
        paths: BoxPaths,
        citizens: Iterable[Citizen],
        phones: tuple[Phone, ...],
        report: Path | None,
        extensions: int,
        exchange_lines: int,
        sign: SignOfLife = NOBODY,
    ) -> None:
        """Raises OSError if the socket or the report folder cannot be made."""
        self._sign = sign
        self._report = ReportWriter(report) if report is not None else None
        self._clock = SystemClock()
        self._start = self._clock.now()
        self._world = World(
            citizens,
            phones,
            self._start,
            remember=report is not None,
            await_gateway=True,
            extensions=extensions,
            exchange_lines=exchange_lines,
        )
        self._selector = selectors.DefaultSelector()
        places = tuple(LinkChannel(place.kind.value, place.label) for place in self._world.channels)
        self._listener = LinkListener(paths.simulator_socket, Hello(VERSION, "simulator", True, places))
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._agents = AgentsLink(paths.cti_socket, self._world, self._selector)
        self._link: BlockLink | None = None
        self._expected_number: int | None = None
        self._last_turn_us = self._start.mono_us
        self._clock_entries: list[ClockEntry] = []
        self._flush_at = FLUSH_BLOCKS
        self._stopping = False
        self._tell_clock("started")

    def stop(self) -> None:
        """Leave the loop at its next turn."""
        self._stopping = True

    def run(self) -> None:
        """Until `stop`."""
        self._sign.ready()
        while not self._stopping:
            wait_us = self._moment().mono_us - self._clock.now().mono_us
            for key, _ in self._selector.select(max(wait_us, 0) / MICROSECONDS):
                if key.fileobj is self._listener:
                    self._greet()
                elif key.data is self._agents:
                    self._agents.read(self._moment())
                else:
                    self._listen()
            now_us = self._clock.now().mono_us
            self._sign.alive(now_us)
            self._watch_for_stall(now_us)
            self._play_due(now_us)
            self._agents.turn(now_us, self._moment())
            self._write_report()

    def close(self) -> None:
        self._sign.stopping()
        self._agents.close()
        if self._link is not None:
            self._link.close()
        self._listener.close()
        self._selector.close()
        if self._report is not None:
            for journal in self._world.parties:
                self._report.take(journal, self._world.sample)
            self._report.clock(self._clock_entries)
            self._report.close()

    def _moment(self) -> Stamp:
        """When the next block is due: the world's present."""
        return self._start.later(self._world.block * BLOCK_US)

    # ---- the clock ---------------------------------------------------------------------------------------------------

    def _watch_for_stall(self, now_us: int) -> None:
        gap = now_us - self._last_turn_us
        self._last_turn_us = now_us
        if gap > STALL_US:
            self._tell_clock("stall", microseconds=gap)

    def _play_due(self, now_us: int) -> None:
        waiting = (now_us - self._start.mono_us) // BLOCK_US + 1 - self._world.block
        if waiting > BUFFER_BLOCKS:
            lost = waiting - BUFFER_BLOCKS
            self._tell_clock("lost", blocks=lost)
            self._world.skip_to(self._start.later((self._world.block + lost) * BLOCK_US))
            waiting = BUFFER_BLOCKS
        for _ in range(waiting):
            number = self._world.block
            block, signals = self._world.step(None, [], self._moment())
            self._send(signals)
            if self._link is None:
                continue
            try:
                if not self._link.send_block(number, block):
                    self._tell_clock("not_taken", number=number)
            except LinkError as error:
                self._gateway_lost(str(error))

    # ---- the gateway -------------------------------------------------------------------------------------------------

    def _greet(self) -> None:
        link = self._listener.accept()
        if link is None:
            return
        if self._link is not None:
            self._gateway_lost("another gateway came")
        self._link = link
        self._expected_number = None
        self._selector.register(link, selectors.EVENT_READ)
        self._tell_clock("gateway_arrived")
        self._send(self._world.gateway_arrived(self._moment()))

    def _listen(self) -> None:
        if self._link is None:
            return
        try:
            for packet in self._link.receive(PACKETS_A_TURN):
                if isinstance(packet, BlockPacket):
                    self._count(packet.number)
                    self._world.hear(packet.number, packet.samples)
                else:
                    self._send(self._world.exchange([_decode_signal(packet)], self._moment()))
        except (LinkError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._gateway_lost(str(error))

    def _count(self, number: int) -> None:
        if self._expected_number is not None and number != self._expected_number:
            self._tell_clock("gap", number=self._expected_number, blocks=number - self._expected_number)
        self._expected_number = number + 1

    def _send(self, signals: list[FromBoard]) -> None:
        try:
            for each in signals:
                if self._link is not None:
                    self._link.send_signal(_encode(each))
        except LinkError as error:
            self._gateway_lost(str(error))

    def _gateway_lost(self, reason: str) -> None:
        if self._link is None:
            return
        _log.info("the gateway is gone (%s)", reason)
        self._selector.unregister(self._link)
        self._link.close()
        self._link = None
        self._world.gateway_lost(self._moment())
        self._tell_clock("gateway_lost", detail=reason)

    # ---- the report --------------------------------------------------------------------------------------------------

    def _tell_clock(
        self, event: str, *, blocks: int = 0, microseconds: int = 0, number: int = 0, detail: str = ""
    ) -> None:
        if self._report is not None:
            entry = ClockEntry(
                block=self._world.block,
                at=self._clock.now(),
                event=event,
                blocks=blocks,
                microseconds=microseconds,
                number=number,
                detail=detail,
            )
            self._clock_entries.append(entry)

    def _write_report(self) -> None:
        finished = self._world.take_finished()
        if self._report is None:
            return
        for caller in finished:
            self._report.take(caller.journal, self._world.sample)
        if self._world.block >= self._flush_at:
            self._flush_at = self._world.block + FLUSH_BLOCKS
            for journal in self._world.parties:
                self._report.take(journal, self._world.sample)
            self._report.clock(self._clock_entries)
            self._clock_entries = []
            if self._report.problem:
                _log.warning("the report lost a part: %s", self._report.problem)
                self._report.problem = ""


def run_simulator(
    paths: BoxPaths,
    citizens: Iterable[Citizen],
    phones: tuple[Phone, ...],
    report: Path | None,
    extensions: int,
    exchange_lines: int,
    sign: SignOfLife,
) -> None:
    """Run the simulator until SIGTERM or SIGINT. Raises OSError if its socket or its report cannot be made."""
    process = SimulatorProcess(paths, citizens, phones, report, extensions, exchange_lines, sign)
    begin_real_time(process.stop, PRIORITY)
    try:
        process.run()
    finally:
        process.close()


def main(arguments: list[str] | None = None) -> int:
    """`python -m firmware.box.simulator.process --data DIR`."""
    parser = argparse.ArgumentParser(prog="linebox-simulator", description="Simulated citizens, phones and agents.")
    parser.add_argument("--data", type=Path, help="data folder")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="what citizens and agents do (TOML or JSON)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="where to write what everybody said and heard")
    parser.add_argument("--quiet", action="store_true", help="no citizens but those of the scenario file")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which demonstration citizens call")
    options = parser.parse_args(arguments)
    paths = box_paths(options.data)
    start_logging("simulator")
    sign = begin_signs_of_life()
    try:
        paths.make()
        citizens: Iterable[Citizen]
        configuration, _ = load_configuration_or_last_good(paths)
        board = next((entry for entry in configuration.boards if entry.kind == "sim"), BoardEntry(board="", kind="sim"))
        citizens = demonstration(options.seed, options.quiet, analogue=board.exchange_lines > 0)
        phones = demonstration_phones()[: board.extensions]
        if options.scenario is not None:
            scenario = read_scenario(options.scenario)
            citizens, phones = scenario.in_order, scenario.phones
        run_simulator(paths, citizens, phones, options.report, board.extensions, board.exchange_lines, sign)
    except (ScenarioError, ConfigurationError, ValueError, OSError) as error:
        _log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
