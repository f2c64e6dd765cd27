"""The simulated county at the far ends of real spans, inside the guest: citizens behind libpri as the exchange on one
E1, phones (and the agents who sit there) on the exchange-side ports of a channel bank. What is right the tests say.

The people are those of `firmware/simulator`; here their signals become ISDN messages and hooks, and their voices go to
the driver. Time is counted in blocks of the far E1: one that the driver lost would be heard as a hole.
"""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from boards import sim
from boards.base import Block
from boards.dahdi_analogue import open_board
from boards.signals import (
    Alerting,
    Connect,
    FromBoard,
    HookChange,
    Loop,
    Proceeding,
    Release,
    Ring,
    RingDetected,
    Setup,
)
from drivers.d_channel import open_d_channel
from drivers.libpri import LibpriSpan
from drivers.pri_stack import LayerTwo, PriCommand, PriEvent, PriSettings, Restarted
from firmware.box.simulator.agents import AgentsLink
from firmware.box.simulator.process import PRIORITY
from firmware.core.clock import Stamp, SystemClock
from firmware.core.line_schemas import BoardEntry, DahdiPorts
from firmware.core.paths import BoxPaths
from firmware.lines.isdn.channels import PriLines
from firmware.lines.isdn.span import PriSpan
from firmware.media.codec import Alaw
from firmware.simulator.citizens import Caller
from firmware.simulator.journal import Journal, Party
from firmware.simulator.scenario import Citizen, Phone
from firmware.simulator.world import BLOCK_US, World
from tests.vm.inside.far_line import FarLine
from tests.vm.inside.spans import SIGNALLING_SLOT, DynamicSpan

TRUNKS = sim.TRUNKS
PARTY = 5000
"""Speaker numbers of those whom the box calls begin here."""
ASK_SECONDS = 0.2
REACHABLE = "02912345678"
"""The number outside at which somebody answers."""


def now_us() -> int:
    return time.monotonic_ns() // 1000


class HeardStack(LibpriSpan):
    """The exchange's libpri, which keeps what happened on its D channel."""

    def __init__(self) -> None:
        super().__init__(PriSettings(network=True), now_us())
        self.events: list[PriEvent] = []

    def receive(self, frame: bytes, now_us: int) -> list[PriEvent]:
        return self._kept(super().receive(frame, now_us))

    def run_timers(self, now_us: int) -> list[PriEvent]:
        return self._kept(super().run_timers(now_us))

    def do(self, command: PriCommand, now_us: int) -> list[PriEvent]:
        return self._kept(super().do(command, now_us))

    def _kept(self, events: list[PriEvent]) -> list[PriEvent]:
        self.events += events
        return events


class Town:
    """All far ends. `serve` is their clockwork; without it everybody stands still."""

    def __init__(
        self,
        citizens: Iterable[Citizen],
        phones: Sequence[Phone],
        e1: DynamicSpan,
        bank: DynamicSpan,
        paths: BoxPaths,
        remember: bool = True,
    ) -> None:
        """`e1` and `bank`: the far ends of the box's spans; the bank's first channels are the phones."""
        # A clock that is late makes everybody late; processes that the test starts are not to inherit it.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
        self.line = FarLine(e1)
        self.stack = HeardStack()
        self.span = PriSpan(self.stack, PriLines(network=True, restart_at_start=()))
        self.span.gateway_came(now_us())
        self._d_channel = open_d_channel(f"dahdi:{e1.channel(SIGNALLING_SLOT)}")
        ports = DahdiPorts(span=bank.number, ports=("fxo",) * len(phones))
        self.bank = open_board(BoardEntry(board="phones", kind="dahdi_analogue", ports=ports), paths)
        self.bank.open()
        self._start = SystemClock().now()
        self.world = World(citizens, phones, self._start, remember=remember, await_gateway=True, extensions=len(phones))
        self._called = 0
        self.finished: list[Caller] = []
        self.parties: dict[int, Journal] = {}
        """Channel → who was called there by the box and answered; speaks the pattern of `PARTY` and the channel."""
        self._heard: tuple[deque[Block], deque[Block]] = deque(), deque()
        self._selector = selectors.DefaultSelector()
        self._agents = AgentsLink(paths.cti_socket, self.world, self._selector)
        for descriptor in (self.line.stream.fileno(), self.bank.fileno(), self._d_channel.fileno()):
            self._selector.register(descriptor, selectors.EVENT_READ)

    def serve(self, seconds: float, until: Callable[[], object] = lambda: False) -> bool:
        """Let the town live for so long, or until something holds; what held."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in self._selector.select(0.05):
                if key.data is self._agents:
                    self._agents.read(self._moment())
            self._turn()
            if until():
                return True
        return False

    def serve_until(self, condition: Callable[[], object], seconds: float) -> bool:
        """As `serve`, for something that is too dear to ask at every turn."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            self.serve(ASK_SECONDS)
        return False

    def call(self, citizen: Citizen) -> Caller:
        """Let one more citizen call now."""
        self._called += 1
        caller = Caller(citizen, self._called, self.world, True)
        caller.call()
        return caller

    def let_citizens_call(self) -> None:
        """The box is there: the citizens' time begins, and phones that are lifted are told."""
        self._say(self.world.gateway_arrived(self._moment()))

    @property
    def layer_two_changes(self) -> int:
        return sum(isinstance(event, LayerTwo) for event in self.stack.events)

    def restarted(self) -> set[int]:
        """Time slots that the box has restarted since the events were cleared."""
        return {event.slot for event in self.stack.events if isinstance(event, Restarted) and event.slot is not None}

    @property
    def slips(self) -> int:
        """Blocks that the far ends themselves have put in or left out: a hole in the speech that is not the box's."""
        return self.line.stream.slips + self.bank.counters.slips

    def is_idle(self) -> bool:
        """No call at the exchange, no citizen on the line, every phone on its hook."""
        return not (self.span.lines.calls or self.world.callers or any(phone.off_hook for phone in self.world.phones))

    def close(self) -> None:
        self._agents.close()
        self._selector.close()
        self.line.close()
        self.bank.close()
        self._d_channel.close()
        self.stack.close()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _moment(self) -> Stamp:
        return self._start.later(self.world.block * BLOCK_US)

    def _turn(self) -> None:
        while frame := self._d_channel.receive():
            self.span.frame(frame, now_us())
        self.span.run_timers(now_us())
        self._listen_to_phones()
        self.line.look()
        self._heard[0].extend(self.line.heard)
        self.line.heard.clear()
        while self._heard[0] and self._heard[1]:
            self._block(np.concatenate([side.popleft() for side in self._heard]))
        self._agents.turn(now_us(), self._moment())
        self._pass_signals()
        self.finished += self.world.take_finished()

    def _listen_to_phones(self) -> None:
        blocks, signals = self.bank.receive()
        self._heard[1].extend(blocks)
        for signal in signals:
            if isinstance(signal, RingDetected):
                self._say(self.world.exchange([Ring(TRUNKS + signal.channel, signal.on)], self._moment()))

    def _block(self, heard: Block) -> None:
        self.world.hear(self.world.block, heard)
        block, signals = self.world.step(None, [], self._moment())
        self.line.to_play.append(block[:TRUNKS])
        self.bank.send_block(block[TRUNKS:])
        self._say(signals)

    def _say(self, signals: Iterable[FromBoard]) -> None:
        for signal in signals:
            if isinstance(signal, HookChange):
                self.bank.send_signal(Loop(signal.channel - TRUNKS, signal.off_hook))
            elif isinstance(signal, Setup | Release):
                self.span.signal(signal, now_us())

    def _pass_signals(self) -> None:
        while signals := self.span.take_signals():
            for signal in signals:
                if isinstance(signal, Setup) and signal.called == REACHABLE:
                    self._answer(signal.channel)
                elif isinstance(signal, Release) and signal.channel in self.parties:
                    self._part(signal.channel)
                elif isinstance(signal, Setup | Proceeding | Alerting | Connect | Release):
                    self._say(self.world.exchange([signal], self._moment()))
        for frame in self.span.take_frames():
            self._d_channel.send(frame)

    def _answer(self, channel: int) -> None:
        speaker = PARTY + channel
        self.parties[channel] = journal = Journal(Party(name=f"party-{channel}", role="citizen", speaker=speaker), True)
        self.world.voices.pattern(channel, speaker)
        self.world.listen(channel, journal)
        for answer in (Alerting(channel), Connect(channel)):
            self.span.signal(answer, now_us())

    def _part(self, channel: int) -> None:
        self.world.voices.silence(channel)
        self.world.listen(channel, None)
        del self.parties[channel]
        self.span.signal(Release(channel), now_us())


def heard_by(journal: Journal) -> Alaw:
    """What somebody has heard so far, A-law [samples]; empties the journal."""
    return np.frombuffer(journal.take(0)[1], np.uint8)
