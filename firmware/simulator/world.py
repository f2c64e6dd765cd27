"""The world outside the box: citizens on an E1 of 30 channels, phones at extension ports. No I/O, no clock, no files.

Time is counted in blocks of 10 ms from `start`. A driver either plays each block (`step`), in real or virtual time, or,
while nobody has audio (`quiet`), only exchanges signals (`exchange`) and jumps to the next moment (`next_wake`).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from boards import sim
from boards.signals import Alarm, Blocked, Cause, FromBoard, HookChange, Release, Ring, Setup, ToBoard
from firmware.calls.messages import AnyRequestBody, BoxState, CallEvent, EventName
from firmware.core.clock import Stamp
from firmware.media.codec import BLOCK, DECODE, Alaw
from firmware.simulator.agents import SimulatedAgent
from firmware.simulator.citizens import Caller, CallerState, Outcome
from firmware.simulator.exchange_line import LineState, SubscriberLine
from firmware.simulator.hearing import Hearing
from firmware.simulator.journal import Journal
from firmware.simulator.phones import Handset
from firmware.simulator.scenario import Citizen, Phone
from firmware.simulator.surroundings import BLOCKS_A_SECOND, Timer
from firmware.simulator.trunk_loops import TrunkLoops
from firmware.simulator.voices import Voices
from firmware.tones.dtmf import DtmfDetector

BLOCK_US = 10_000
FIRST_EXTENSION = sim.TRUNKS

ALIVE = (EventName.ARRIVED, EventName.QUEUED, EventName.DELIVERED, EventName.ESTABLISHED)
"""Events of a contact that is not over: they tell which citizen it is, by the calling number."""


class Totals:
    """Counts of calls since the start. `placed` is the sum of all others and of those still going on."""

    def __init__(self) -> None:
        self.placed = 0
        self.answered = 0
        """The box connected; these also count in one of the following when they end."""
        self.reached_agent = 0
        self.by_outcome = dict.fromkeys(Outcome, 0)
        self.unconfirmed_releases = 0


class World:
    """All simulated people. Channel numbers are those of the simulated board (`boards/sim.py`).

    `citizens` come in order of their time (`Scenario.in_order`) and may be endless; each is looked at when the one
    before has called. With `remember`, journals keep what was heard until they are taken. With `await_gateway`, there
    is no gateway before `gateway_arrived`, and the citizens' time begins with it.
    """

    def __init__(
        self,
        citizens: Iterable[Citizen],
        phones: Sequence[Phone],
        start: Stamp,
        *,
        remember: bool = True,
        await_gateway: bool = False,
        extensions: int = sim.EXTENSIONS,
        exchange_lines: int = 0,
    ) -> None:
        """Raises ValueError for a phone at a port that the board does not have."""
        self.channels = sim.channels(extensions, exchange_lines)
        self.start = start
        self.block = 0
        """The number of the next block; its first sample is 80 times this."""
        self.voices = Voices(len(self.channels))
        self.hearing = Hearing()
        self.cti_connected = False
        self.gateway_connected = not await_gateway
        self.totals = Totals()
        self.finished: deque[Caller] = deque(maxlen=10_000)
        """Calls that are over, until `take_finished`."""
        self.callers: dict[int, Caller] = {}
        """Channel → the citizen on it."""
        self._remember = remember
        self._now = start
        self._timers: list[tuple[int, int, Timer]] = []
        self._timer_count = 0
        self._signals: list[FromBoard] = []
        self._blocked: set[int] = set()
        """Trunk channels that the box has taken out of service: no call is sent there."""
        self._requests: list[AnyRequestBody] = []
        self._listening: dict[int, Journal] = {}
        self._listening_rows: NDArray[np.intp] | None = None
        self._with_audio = 0
        self._last_seized = -1
        self._ordinal = 0
        self._by_contact: dict[int, Caller] = {}
        self._state_number = 0
        plans = {phone.extension: phone for phone in phones}
        first_line = FIRST_EXTENSION + extensions
        ports = [place.label for place in self.channels[FIRST_EXTENSION:first_line]]
        self.exchange_lines = {
            channel: SubscriberLine(channel, self, self._tell_box) for channel in range(first_line, len(self.channels))
        }
        """Channel → the exchange's end of the analogue trunk."""
        self._looped = TrunkLoops(FIRST_EXTENSION)
        self._dialling = DtmfDetector(len(self.channels)) if exchange_lines else None
        if beyond := sorted(set(plans) - set(ports)):
            raise ValueError(f"the board has {extensions} extension ports, there is no {', '.join(beyond)}")
        self.phones = [
            Handset(
                plans.get(label, Phone(extension=label, behaviour="empty")),
                FIRST_EXTENSION + index,
                self,
                remember,
            )
            for index, label in enumerate(ports)
        ]
        self.agents = [
            SimulatedAgent(phone, self)
            for phone in self.phones
            if phone.plan.behaviour == "manned" and phone.plan.agent
        ]
        for phone in self.phones:
            phone.begin()
        self._citizens = iter(citizens)
        self._citizens_from: int | None = None
        """Block from which the citizens' times count."""
        if self.gateway_connected:
            self._let_citizens_begin()

    # ---- for the driver ----------------------------------------------------------------------------------------------

    def step(self, heard: Alaw | None, signals: Sequence[ToBoard], now: Stamp) -> tuple[Alaw, list[FromBoard]]:
        """One block: `heard` [channels, 80] A-law from the box (None: nothing came), and the signals that came with it.

        Gives the block that the people say [channels, 80] and their signals. `now` is the moment of the block; one
        that is later than the next block jumps there (blocks that were never sent).
        """
        answer = self.exchange(signals, now)
        if heard is not None:
            self.hear(self.block, heard)
            if self._signals:
                answer += self._taken_signals()
        block = self._looped.answer(self.voices.block(self.sample))
        self.block += 1
        return block, answer

    def exchange(self, signals: Sequence[ToBoard], now: Stamp) -> list[FromBoard]:
        """Signals without sound, and everything that is due at `now`. May be called any number of times a moment."""
        self.skip_to(now)
        for signal in signals:
            self._take(signal)
        while self._timers and self._timers[0][0] <= self.block:
            timer = heapq.heappop(self._timers)[2]
            if timer.live:
                timer.live = False
                timer.action()
        return self._taken_signals()

    def hear(self, number: int, block: Alaw) -> None:
        """A block [channels, 80] of the box was heard; `number` is its sender's. For a driver whose blocks do not come
        one by one: signals that this leads to go out with the next step."""
        self._looped.hear(block)
        if self._listening:
            rows = self._listening_rows
            if rows is None:
                rows = self._listening_rows = np.array(list(self._listening), dtype=np.intp)
            samples = block[rows].tobytes()
            for index, journal in enumerate(self._listening.values()):
                journal.hear(number, samples[index * BLOCK : (index + 1) * BLOCK])
        if self._dialling is not None and any(line.state is LineState.DIALLED for line in self.exchange_lines.values()):
            for digit in self._dialling.process(DECODE[block], number * BLOCK):
                if digit.channel in self.exchange_lines:
                    self.exchange_lines[digit.channel].dialled(digit.digit)
        if self.hearing.watching:
            for channel in self.hearing.hear(block):
                if channel < FIRST_EXTENSION or channel in self.exchange_lines:
                    if channel in self.callers:
                        self.callers[channel].sound_noticed()
                else:
                    self.phones[channel - FIRST_EXTENSION].busy_heard()

    @property
    def quiet(self) -> bool:
        """True while no citizen with audio has a call: no block needs to be played."""
        lines = self.exchange_lines.values()
        return self._with_audio == 0 and all(line.state is LineState.IDLE for line in lines)

    def next_wake(self) -> int | None:
        """Monotonic microseconds at which something is due next, or None when everything is over."""
        while self._timers and not self._timers[0][2].live:
            heapq.heappop(self._timers)
        return self.start.mono_us + self._timers[0][0] * BLOCK_US if self._timers else None

    def skip_to(self, now: Stamp) -> None:
        """Jump to the block that holds `now`, playing nothing in between. Going back does nothing."""
        self._now = now
        self.block = max(self.block, (now.mono_us - self.start.mono_us) // BLOCK_US)

    def gateway_lost(self, now: Stamp) -> None:
        """The gateway died: all trunk calls are lost, phones stop ringing and stay on or off the hook."""
        self.skip_to(now)
        self.gateway_connected = False
        self._looped.clear()
        for caller in list(self.callers.values()):
            caller.line_lost()
        for line in self.exchange_lines.values():
            line.reset()
        for phone in self.phones:
            phone.gateway_lost()
        self._signals.clear()

    def gateway_arrived(self, now: Stamp) -> list[FromBoard]:
        """A gateway came; the state that it must know: which phones are off hook. All trunk channels are idle."""
        self.skip_to(now)
        self.gateway_connected = True
        self._signals.clear()
        self._blocked.clear()
        if self._citizens_from is None:
            self._let_citizens_begin()
        return [HookChange(channel=phone.channel, off_hook=True) for phone in self.phones if phone.off_hook]

    def handle_cti(self, message: CallEvent | BoxState, now: Stamp) -> None:
        """News from the callserver. BoxState comes after connecting; events up to its number are known by it."""
        self.skip_to(now)
        if isinstance(message, BoxState):
            self.cti_connected = True
            self._state_number = message.number
            for agent in self.agents:
                agent.take_state(message)
            return
        if message.name in ALIVE and message.contact not in self._by_contact:
            self._remember_contact(message.contact, message.calling)
        caller = self._by_contact.get(message.contact)
        if message.number > self._state_number:
            for agent in self.agents:
                if message.agent == agent.agent:
                    agent.take_own_event(message)
        match message.name:
            case EventName.DELIVERED if caller:
                caller.offered()
            case EventName.ESTABLISHED if caller and message.agent:
                caller.agent_answered()
            case EventName.CONNECTION_CLEARED | EventName.CONTACT_ENDED:
                ended = message.name is EventName.CONTACT_ENDED
                for agent in self.agents:
                    # An agent's leg that left (an offer taken back) is no news for the agent who has the contact next.
                    if ended or message.agent in ("", agent.agent):
                        agent.contact_over(message.contact)
                if ended:
                    self._by_contact.pop(message.contact, None)

    def cti_lost(self, now: Stamp) -> None:
        """The connection to the callserver broke. Conversations go on; agents ask nothing until it is back."""
        self.skip_to(now)
        self.cti_connected = False
        self._requests.clear()
        for agent in self.agents:
            agent.cti_lost()

    def take_requests(self) -> list[AnyRequestBody]:
        """What the simulated agents ask of the callserver, since the last time."""
        taken, self._requests = self._requests, []
        return taken

    @property
    def parties(self) -> list[Journal]:
        """The journals of all who are there now: phones, and citizens who have called."""
        return [phone.journal for phone in self.phones] + [caller.journal for caller in self.callers.values()]

    def take_finished(self) -> list[Caller]:
        """Citizens whose calls have ended since the last time."""
        taken = list(self.finished)
        self.finished.clear()
        return taken

    # ---- for the people (Surroundings, Exchange) ---------------------------------------------------------------------

    @property
    def sample(self) -> int:
        """World sample number at which the next block begins."""
        return self.block * BLOCK

    def signal(self, signal: FromBoard) -> None:
        line = None if isinstance(signal, Alarm) else self.exchange_lines.get(signal.channel)
        if line is None:
            self._tell_box(signal)
        elif line.channel in self.callers:
            line.connect(self.callers[line.channel], signal)

    def _tell_box(self, signal: FromBoard) -> None:
        if self.gateway_connected:
            self._signals.append(signal)

    def request(self, body: AnyRequestBody) -> None:
        self._requests.append(body)

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        return self._at(self.block + max(0, round(seconds * BLOCKS_A_SECOND)), action)

    def note(self, journal: Journal, event: str, detail: str = "") -> None:
        journal.note(self.block, self._now, event, detail)

    def listen(self, channel: int, journal: Journal | None) -> None:
        if journal is None:
            self._listening.pop(channel, None)
        elif self._remember:
            self._listening[channel] = journal
        self._listening_rows = None

    def seize(self, caller: Caller) -> int | None:
        if not self.gateway_connected:
            return None
        # The channel that has been idle longest: a channel that is not quite free yet is not hit at once.
        by_turns = [(self._last_seized + offset) % FIRST_EXTENSION for offset in range(1, FIRST_EXTENSION + 1)]
        by_line = [channel for channel, line in self.exchange_lines.items() if line.state is LineState.IDLE]
        for channel in by_turns if caller.plan.trunk == "e1" else by_line:
            if channel not in self.callers and channel not in self._blocked:
                if caller.plan.trunk == "e1":
                    self._last_seized = channel
                self.callers[channel] = caller
                caller.journal.on_channel(self.channels[channel].label)
                self._with_audio += caller.plan.audio
                return channel
        return None

    def caller_gone(self, caller: Caller) -> None:
        if self.callers.get(caller.channel) is caller:
            del self.callers[caller.channel]
            self._with_audio -= caller.plan.audio
        self.totals.by_outcome[caller.outcome] += 1
        self.totals.answered += caller.answered
        self.totals.reached_agent += caller.reached_agent
        self.finished.append(caller)

    def channel_stuck(self, caller: Caller) -> None:
        self.totals.unconfirmed_releases += 1

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _at(self, block: int, action: Callable[[], None]) -> Timer:
        timer = Timer(block, action)
        self._timer_count += 1
        heapq.heappush(self._timers, (block, self._timer_count, timer))
        return timer

    def _let_citizens_begin(self) -> None:
        self._citizens_from = self.block
        self._await_next_citizen()

    def _await_next_citizen(self) -> None:
        citizen = next(self._citizens, None)
        if citizen is not None:
            self._ordinal += 1
            caller = Caller(citizen, self._ordinal, self, self._remember)
            at = (self._citizens_from or 0) + round(citizen.at_seconds * BLOCKS_A_SECOND)
            self._at(at, lambda: self._let_call(caller))

    def _let_call(self, caller: Caller) -> None:
        self.totals.placed += 1
        self._await_next_citizen()
        caller.call()

    def _take(self, signal: ToBoard) -> None:
        if isinstance(signal, Ring):
            if FIRST_EXTENSION <= signal.channel < FIRST_EXTENSION + len(self.phones):
                self.phones[signal.channel - FIRST_EXTENSION].ring(signal.on)
            return
        if isinstance(signal, Blocked):
            (self._blocked.add if signal.blocked else self._blocked.discard)(signal.channel)
            self._looped.set(signal.channel, signal.blocked)
            return
        caller = self.callers.get(signal.channel)
        if signal.channel in self.exchange_lines:
            self.exchange_lines[signal.channel].take(signal)
        elif caller is not None:
            caller.take(signal)
        elif isinstance(signal, Setup):
            # Nobody outside can be called yet: the number is not in use.
            self.signal(Release(channel=signal.channel, cause=Cause.UNALLOCATED))

    def _taken_signals(self) -> list[FromBoard]:
        taken, self._signals = self._signals, []
        return taken

    def _remember_contact(self, contact: int, calling: str) -> None:
        known = self._by_contact.values()
        for caller in self.callers.values():
            alive = caller.state in (CallerState.CALLING, CallerState.UP)
            if calling and caller.plan.calling == calling and alive and caller not in known:
                self._by_contact[contact] = caller
                return
