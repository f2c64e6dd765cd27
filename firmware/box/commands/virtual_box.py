"""A whole box and the world around it in one process, in virtual time: gateway, callserver, recorder, simulated people.

The same cores as in the running box, without sockets and clocks. While nobody has audio, time jumps to the next moment
at which something is due; otherwise every block of 10 ms is played. The same scenario twice gives the same records.
"""

from __future__ import annotations

import logging

from boards.base import Block
from boards.signals import FromBoard
from firmware.box.callserver.speaker import SpokenTexts
from firmware.calls.messages import GetBoxState, Request, Subscribe
from firmware.contacts.effects import Effects
from firmware.contacts.server import CallServer
from firmware.core.clock import MICROSECONDS, Stamp, VirtualClock
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import BoxPaths
from firmware.core.schemas import Configuration
from firmware.ivr.speech import Speech
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand, Attach
from firmware.media.espeak import SpeechError
from firmware.media.prompts import prompt_texts
from firmware.media.ring import RingReader, RingWriter
from firmware.media.sounds import SoundStore
from firmware.records.database import open_for_reading
from firmware.records.journal import Journal
from firmware.records.messages import CloseRecording, RecorderSettings, RecordingFailed, ToRecorder
from firmware.records.queries import earlier_contacts
from firmware.records.recorder import Recorder
from firmware.simulator.scenario import Scenario
from firmware.simulator.world import World
from firmware.tones.plan import load_plan

_log = logging.getLogger(__name__)

START_UTC_US = 1_767_229_200 * MICROSECONDS
"""When a simulated day begins: 2026-01-01 09:00 in Beijing."""
BLOCK_US = 10_000
SAMPLES_PER_BLOCK = 80
RECORDER_EVERY_US = 500_000
BOARD = "sim"
BOOT = "simulation"
AGENTS = 1
"""The client number of the simulated agents at the callserver."""
NO_AUDIO = fault("recording_simulated")
"""Reason of a recording that has nothing to hold because the simulated citizen has no audio."""


class VirtualBox:
    """Plays a scenario to its end. Records are in `paths.data` afterwards."""

    def __init__(
        self, scenario: Scenario, configuration: Configuration, paths: BoxPaths, *, remember: bool = False
    ) -> None:
        """With `remember`, the people's journals keep what they heard."""
        self._clock = VirtualClock(START_UTC_US)
        board = next((entry for entry in configuration.boards if entry.kind == "sim"), BoardEntry(board="", kind="sim"))
        self.world = World(
            scenario.in_order,
            scenario.phones,
            self._clock.now(),
            remember=remember,
            exchange_lines=board.exchange_lines,
        )
        self._citizens = len(scenario.citizens)
        sounds = SoundStore.load(load_plan().samples(), language=configuration.box.language)
        self.gateway = Gateway([(BOARD, self.world.channels)], sounds, BOOT, BOOT)
        self._journal = Journal(
            paths.calls_database,
            configuration.box.box_id,
            configuration.box.region,
            synchronous="OFF",
            anchor=paths.chain_anchor,
        )
        self._records = open_for_reading(paths.calls_database)
        self.server = CallServer(configuration, BOOT, self._journal.last_numbers(), self._journal.live())
        self._speech = Speech(prompt_texts(configuration.box.language))
        self._texts = SpokenTexts(paths.spoken_texts, configuration.box.language)
        self._ring = RingWriter(paths.ring(BOOT), BOOT, len(self.world.channels))
        self._recorder = Recorder(paths.recordings, lambda boot: RingReader(paths.ring(boot), boot))
        self.server.recorder_connected = True
        self._silent: set[int] = set()
        """Recordings of citizens without audio."""
        self._heard: Block | None = None
        self._line_number = 0
        self._requests = 0
        self._pending = Effects()
        self.blocks_played = 0

    def run(self) -> None:
        """Until all citizens have called, everything has ended and every recording is closed."""
        now = self._clock.now()
        self.gateway.board_opened(BOARD, now)
        snapshot, _ = self.gateway.attach(Attach("", 0), now)
        for signal in self.world.gateway_arrived(now):
            self.gateway.handle_signal(BOARD, signal, now)
        self._speech.gateway_has(snapshot.sounds)
        self._carry(self.server.handle_snapshot(snapshot, now))
        self._ask(Subscribe())
        self._ask(GetBoxState())
        self._settle([])
        while not self._over():
            if self.world.quiet:
                self._jump()
            else:
                self._play_block()

    def close(self) -> None:
        """Store what is left; ring and journal are closed."""
        self._commit()
        self._recorder.close()
        self._ring.close(unlink=True)
        self._records.dispose()
        self._journal.close()

    def _over(self) -> bool:
        office = self.server.office
        return (
            self.world.totals.placed == self._citizens
            and not self.world.callers
            and not office.contacts
            and not office.recordings
            and not any(agent.deadline_us for agent in office.agents.values())
        )

    # ---- time -------------------------------------------------------------------------------------------------------

    def _now(self) -> Stamp:
        return self._clock.now()

    def _play_block(self) -> None:
        """Ten milliseconds with sound: the people speak and hear, the box switches, plays, detects and records."""
        now = self._now()
        said, signals = self.world.step(self._heard, [], now)
        self._signal(signals, now)
        begin = self.gateway.sample
        self._heard = self.gateway.tick({BOARD: said}, now)[BOARD]
        self._ring.write(begin, self.gateway.received, self.gateway.recorded)
        self.blocks_played += 1
        self._clock.advance_to(now.mono_us + BLOCK_US)
        self._settle([])
        if self.blocks_played % (RECORDER_EVERY_US // BLOCK_US) == 0:
            self._advance_recorder()

    def _jump(self) -> None:
        """Nobody listens: on to the next moment at which anything is due, rounded up to a whole block."""
        now = self._now()
        self._heard = None
        self._advance_recorder()
        moments = (self.world.next_wake(), self.server.next_deadline(), self.gateway.idle_until(now))
        due = min((moment for moment in moments if moment is not None), default=now.mono_us + RECORDER_EVERY_US)
        due = max(due, now.mono_us + 1)
        self._clock.advance_to(-(-due // BLOCK_US) * BLOCK_US)
        now = self._now()
        self.gateway.skip_to(now.mono_us // BLOCK_US * SAMPLES_PER_BLOCK, now)
        self._ring.skip(self.gateway.sample)
        self._settle(self.world.exchange([], now))

    # ---- between the parts ------------------------------------------------------------------------------------------

    def _settle(self, signals: list[FromBoard]) -> None:
        """Carry signals, line events, orders, requests and news to and fro until nothing moves in this moment."""
        now = self._now()
        self._carry(self.server.advance(now))
        while True:
            self._signal(signals, now)
            to_people = [signal for _, signal in self.gateway.take_signals()]
            events = self.gateway.events_after(self._line_number)
            requests = self.world.take_requests()
            for event in events:
                self._line_number = event.number
                self._carry(self.server.handle_line(event, now))
            for body in requests:
                self._ask(body)
            signals = self.world.exchange(to_people, now)
            if not (signals or to_people or events or requests):
                break
        self._commit()

    def _signal(self, signals: list[FromBoard], now: Stamp) -> None:
        for signal in signals:
            self.gateway.handle_signal(BOARD, signal, now)

    def _ask(self, body: object) -> None:
        self._requests += 1
        request = Request(self._requests, body, "simulator")  # type: ignore[arg-type]
        self._carry(self.server.handle_request(AGENTS, request, self._now()))

    def _carry(self, effects: Effects) -> None:
        """Orders at once; the people and the recorder hear of it in the same moment, the database at its end."""
        now = self._now()
        self._pending.take(effects)  # first: what the recorder answers comes after it in the records
        self._order(self._speech.order(effects.orders), now)
        for text in self._speech.take_wanted():
            self._order(self._speech.spoken(text, self._speak(text)), now)
        for event in effects.events:
            self.world.handle_cti(event, now)
        for _, reply in effects.replies:
            if reply.state is not None:
                self.world.handle_cti(reply.state, now)
        for message in effects.recorder:
            self._tell_recorder(message)
        for learnt in effects.tones:  # in force, but in no file
            self._carry(self.server.tone_stored(learnt.line, learnt.tone, "", now))
        for lookup in effects.lookups:
            with self._records.connect() as connection:
                earlier = earlier_contacts(connection, lookup.calling, lookup.contact)
            self._carry(self.server.caller_known(lookup.contact, earlier, now))

    def _order(self, orders: list[AnyLineCommand], now: Stamp) -> None:
        for order in orders:
            self.gateway.handle_command(order, now)

    def _speak(self, text: str) -> bytes | None:
        try:
            return self._texts.speak(text)
        except SpeechError as error:
            _log.error("a text is not spoken, callers hear a recording instead: %s", error)
            return None

    def _tell_recorder(self, message: ToRecorder) -> None:
        if isinstance(message, RecorderSettings):
            return
        if isinstance(message, CloseRecording):
            if message.recording in self._silent:
                self._silent.discard(message.recording)
                failed = RecordingFailed(message.recording, NO_AUDIO, final=True)
                self._carry(self.server.handle_recorder(failed, self._now()))
                return
        else:
            caller = self.world.callers.get(message.channel)
            analogue = message.channel in self.world.exchange_lines  # has audio, whoever called
            if not analogue and (caller is None or not caller.plan.audio):
                self._silent.add(message.recording)
                return
        self._recorder.handle(message)

    def _advance_recorder(self) -> None:
        for answer in self._recorder.advance():
            self._carry(self.server.handle_recorder(answer, self._now()))

    def _commit(self) -> None:
        if self._pending.must_be_stored:
            self._journal.commit(self._pending.rows, self._pending.live)
        self._pending = Effects()
