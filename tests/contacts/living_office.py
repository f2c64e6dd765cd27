"""A CallServer on a real Gateway core, with citizens, phones, agents and a recorder that a random history moves.

Both directions of the gateway's socket are queues here: `settle` carries what is in them, so a step without it leaves
things under way, as a slow moment does. What was handled is stored at `settle` too; a kill before it loses that. The
journal is a dictionary that is as strict as the tables; the real one has tests of its own.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from boards.base import ChannelPlace
from boards.signals import (
    Alerting,
    ChannelKind,
    Connect,
    Digit,
    Flash,
    FromBoard,
    HookChange,
    LoopCurrent,
    OnHookData,
    Release,
    Ring,
    RingDetected,
    Setup,
)
from firmware.calls.messages import AnyRequestBody, BlockChannels, ReloadConfiguration, Reply, Request, UnblockChannels
from firmware.contacts.effects import Effects, RowInsert, RowUpdate
from firmware.contacts.server import CallServer
from firmware.core import schemas
from firmware.core.clock import MICROSECONDS, Stamp, VirtualClock
from firmware.core.faults import fault
from firmware.ivr.announcements import PHRASES
from firmware.ivr.spoken_mandarin import WORDS
from firmware.lines.extension import ExtensionState
from firmware.lines.gateway import Gateway
from firmware.lines.line_commands import AnyLineCommand, Resume, TellPhone
from firmware.lines.messages import AnyLineEvent, Snapshot
from firmware.media.sounds import SoundStore
from firmware.records.chain import MADE_AT_COMMIT
from firmware.records.messages import CloseRecording, RecorderSettings, RecordingClosed, RecordingFailed, ToRecorder
from firmware.records.tables import SEQUENCED

TRUNKS = range(3)
PHONES = range(3, 7)
LINES = range(7, 9)
PLACES = (
    *(ChannelPlace(ChannelKind.TRUNK, f"E1-1/{number + 1}") for number in TRUNKS),
    *(ChannelPlace(ChannelKind.EXTENSION, f"FXS-{number - 2}") for number in PHONES),
    *(ChannelPlace(ChannelKind.EXCHANGE_LINE, f"FXO-{number - 6}") for number in LINES),
)
BLOCK_US = 10_000
TONES = ("tone:busy", "tone:congestion", "tone:connected", "tone:dial", "tone:zip")
SPOKEN = tuple(f"word:{word}" for word in (*WORDS, *PHRASES))
SOUNDS = SoundStore(
    dict.fromkeys(
        ("prompt:welcome", "prompt:menu", "music:waiting", *TONES, *SPOKEN), np.arange(1, 8001).astype(np.uint8)
    )
)


class Shelf:
    """What is stored: rows by table and number, and the live ones. Refuses what the tables would refuse."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in SEQUENCED}
        self.live: dict[tuple[str, str], bytes] = {}

    def commit(self, effects: Effects) -> None:
        for row in effects.rows:
            table, rows = SEQUENCED[row.table], self.rows[row.table]
            assert set(row.values) <= set(table.c.keys()), row
            match row:
                case RowInsert(values=values):
                    needed = {column.name for column in table.c if not column.nullable and not column.server_default}
                    missing = [
                        name for name in needed - {"box_id", "region"} - MADE_AT_COMMIT if values.get(name) is None
                    ]
                    assert not missing, (row.table, missing)
                    assert values["number"] == len(rows) + 1, f"{row.table} has a gap"
                    rows[len(rows) + 1] = dict(values)
                case RowUpdate(number=number, values=values):
                    rows[number].update(values)
        for key, body in effects.live.items():
            if body is None:
                self.live.pop(key, None)
            else:
                self.live[key] = body

    def last_numbers(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self.rows.items()}


class LivingOffice:
    """The whole box but for its sockets, discs and sound, and the people around it."""

    def __init__(self, configuration: schemas.Configuration) -> None:
        self.configuration = configuration
        self.shelf = Shelf()
        self.machine = 0
        self.gateways = 0
        self.off_hook: set[int] = set()
        self.shown: dict[int, tuple[str, str]] = {}
        """Phone → (number, text) that its display shows; not there if it was used since, or shows who called."""
        self._telling: dict[int, tuple[str, str]] = {}
        self.recorder: list[ToRecorder] = []
        self.replies: list[Reply] = []
        self.server: CallServer | None = None
        self.clock = VirtualClock(1_795_000_000 * MICROSECONDS, 50 * MICROSECONDS)
        self._start_gateway()
        self.start()
        self.settle()

    @property
    def now(self) -> Stamp:
        return self.clock.now()

    # ---- processes --------------------------------------------------------------------------------------------------

    def _start_gateway(self) -> None:
        self.gateways += 1
        self.gateway = Gateway([("card", PLACES)], SOUNDS, f"g{self.gateways}", f"machine{self.machine}")
        self._gateway_began_us = self.now.mono_us
        self.connected = False
        self.ringing: set[int] = set()
        self.callers: set[int] = set()
        """Trunks on which somebody outside holds the line: a citizen who called, or whom the box calls."""
        self._orders: list[AnyLineCommand] = []
        self._events: list[Snapshot | AnyLineEvent] = []
        self._sent = 0
        self.gateway.board_opened("card", self.now)
        for phone in sorted(self.off_hook):
            self.gateway.handle_signal("card", HookChange(phone, True), self.now)

    def restart_gateway(self) -> None:
        self.disconnect()
        self._pass(BLOCK_US)
        self._start_gateway()

    def start(self) -> None:
        """The callserver starts on what is stored, if it is not there."""
        if self.server is None:
            self._pass(BLOCK_US)
            self._unstored = Effects()
            boot = f"machine{self.machine}"
            self.server = CallServer(self.configuration, boot, self.shelf.last_numbers(), dict(self.shelf.live))

    def kill(self, *, orders_arrive: bool) -> None:
        """`kill -9` of the callserver: what was not stored is lost, its last orders may or may not arrive."""
        if orders_arrive:
            self._give_orders()
        self.server = None
        self.recorder.clear()
        self._hang_up_socket()

    def disconnect(self) -> None:
        """The socket between callserver and gateway breaks."""
        if self.connected:
            self._hang_up_socket()
            if self.server is not None:
                self._take(self.server.lose_gateway(self.now))

    def _hang_up_socket(self) -> None:
        self._orders, self._events = [], []
        if self.connected:
            self.connected = False
            self.gateway.detach(self.now)

    def forget_events(self) -> None:
        """While no callserver listened, so much happened that the gateway does not know it any more."""
        if not self.connected:
            self.gateway.handle_command(Resume(self.gateway.last_number), self.now)

    def reboot(self) -> None:
        """The machine restarts: monotonic time begins anew."""
        self.kill(orders_arrive=False)
        self.machine += 1
        self.clock = VirtualClock(self.now.utc_us + 60 * MICROSECONDS, 20 * MICROSECONDS)
        self._start_gateway()
        self.start()

    def connect(self) -> None:
        if self.server is not None and not self.connected:
            self.connected = True
            snapshot, missed = self.gateway.attach(self.server.attach_request(), self.now)
            self._sent = missed[0].number - 1 if missed else snapshot.last_number
            self._events.append(snapshot)

    # ---- between them -----------------------------------------------------------------------------------------------

    def _take(self, effects: Effects) -> None:
        if self.connected:
            self._orders += effects.orders
        effects.orders = []
        blocking, effects.blocking = effects.blocking, []
        self._unstored.take(effects)
        for wish in blocking:
            assert self.server is not None
            blocked = wish.applied_to(self.configuration.blocked_channels)
            self.configuration = msgspec.structs.replace(self.configuration, blocked_channels=blocked)
            self._take(self.server.blocking_stored(wish, "", (), self.now))

    def _give_orders(self) -> None:
        orders, self._orders = self._orders, []
        for order in orders:
            if isinstance(order, TellPhone):
                self._telling[order.channel] = (order.number, order.text)
            self.gateway.handle_command(order, self.now)
        self._far_end()

    def _far_end(self) -> None:
        """What the boards' lines do by themselves: a released call is confirmed, ringing is felt."""
        while signals := self.gateway.take_signals():
            for _, signal in signals:
                match signal:
                    case Setup(channel):
                        self.callers.add(channel)
                    case Release(channel) if channel in self.callers:
                        self.callers.discard(channel)
                        self.gateway.handle_signal("card", Release(channel), self.now)
                    case Ring(channel, on):
                        (self.ringing.add if on else self.ringing.discard)(channel)
                        self.shown.pop(channel, None)
                    case OnHookData(channel) if self.gateway.lines[channel].state is ExtensionState.IDLE:
                        self.shown[channel] = self._telling.pop(channel)

    def store(self) -> None:
        """Commit what was handled, then tell what may be told."""
        if self.server is None:
            return
        effects, self._unstored = self._unstored, Effects()
        self.shelf.commit(effects)
        self.replies += [reply for _, reply in effects.replies]
        self.recorder += effects.recorder

    def hear(self) -> bool:
        """The callserver handles what the gateway tells; its orders stay under way. False if there was nothing."""
        if self.connected:
            self._events += self.gateway.events_after(self._sent)
            self._sent = self.gateway.last_number
        events, self._events = self._events, []
        for event in events:
            assert self.server is not None
            handle = self.server.handle_snapshot if isinstance(event, Snapshot) else self.server.handle_line
            self._take(handle(event, self.now))
        return bool(events)

    def settle(self) -> None:
        """Until nothing is under way any more, and stored."""
        self.connect()
        while True:
            self._give_orders()
            if not self.hear() and not self._orders:
                break
        self.store()

    # ---- time -------------------------------------------------------------------------------------------------------

    def _pass(self, microseconds: int) -> None:
        self.clock.advance_to(-(-(self.now.mono_us + microseconds) // BLOCK_US) * BLOCK_US)
        if hasattr(self, "gateway"):
            self.gateway.skip_to((self.now.mono_us - self._gateway_began_us) // BLOCK_US * 80, self.now)
            self._far_end()

    def stall(self, seconds: float) -> None:
        """Time passes on the lines while the callserver gets no turn."""
        self._pass(round(seconds * MICROSECONDS))

    def wait(self, seconds: float) -> None:
        """Time passes; timers fire when they are due."""
        if self.connected:
            self.settle()
        end = self.now.mono_us + round(seconds * MICROSECONDS)
        while self.now.mono_us < end:
            due = [end, self.gateway.idle_until(self.now), self.server.next_deadline() if self.server else None]
            moment = min(one for one in due if one is not None)
            self._pass(max(moment - self.now.mono_us, BLOCK_US))
            if self.server is not None:
                self._take(self.server.advance(self.now))
                if self.connected:
                    self.settle()

    # ---- people -----------------------------------------------------------------------------------------------------

    def signal(self, signal: FromBoard) -> None:
        self.gateway.handle_signal("card", signal, self.now)
        self._far_end()

    def call(self, channel: int, called: str) -> None:
        if channel not in self.callers:
            self.callers.add(channel)
            self.signal(Setup(channel, called, f"1380000000{channel}", digits="events"))

    def line_rings(self, line: int) -> None:
        """Once; if nobody answers, the caller has given up."""
        self.signal(RingDetected(line, True))
        self.signal(RingDetected(line, False))

    def line_drops(self, line: int) -> None:
        """The far end of an analogue trunk is gone: the exchange breaks the loop."""
        self.signal(LoopCurrent(line, False))

    def far_phone_rings(self, channel: int) -> None:
        """Of a call that the box places; at other times a far end that does not keep to the rules."""
        if channel in self.callers:
            self.signal(Alerting(channel))

    def far_phone_answers(self, channel: int) -> None:
        if channel in self.callers:
            self.signal(Connect(channel))

    def hang_up(self, channel: int) -> None:
        if channel in self.callers:
            self.callers.discard(channel)
            self.signal(Release(channel))

    def press(self, channel: int, digit: str) -> None:
        if channel in self.callers:
            self.signal(Digit(channel, digit, 80))

    def lift(self, phone: int) -> None:
        if phone not in self.off_hook:
            self.off_hook.add(phone)
            self.shown.pop(phone, None)
            self.signal(HookChange(phone, True))

    def flash(self, phone: int) -> None:
        if phone in self.off_hook:
            self.signal(Flash(phone))

    def put_down(self, phone: int) -> None:
        if phone in self.off_hook:
            self.off_hook.discard(phone)
            self.signal(HookChange(phone, False))

    def ask(self, body: AnyRequestBody) -> None:
        if self.server is not None:
            self._take(self.server.handle_request(1, Request(1, body, "test"), self.now))

    def reload(self, configuration: schemas.Configuration) -> None:
        """The files are others, but for the channels that are blocked."""
        blocked = self.configuration.blocked_channels
        self.configuration = configuration = msgspec.structs.replace(configuration, blocked_channels=blocked)
        if self.server is not None:
            request = Request(1, ReloadConfiguration(), "test")
            self._take(self.server.configure(1, request, configuration, self.now))

    def block(self, phone: int, blocked: bool) -> None:
        label = PLACES[phone].label
        self.ask(BlockChannels((label,), "repair") if blocked else UnblockChannels((label,)))

    def card_fails(self) -> None:
        """The board dies with its calls, and is there again."""
        self.gateway.board_failed("card", fault("no_audio"), self.now)
        self.gateway.take_signals()
        self.callers.clear()
        self.ringing.clear()
        self._pass(BLOCK_US)
        self.gateway.board_opened("card", self.now)
        for phone in sorted(self.off_hook):
            self.gateway.handle_signal("card", HookChange(phone, True), self.now)

    def recorder_comes(self) -> None:
        """Another start of the recorder: it is told all that it has to know."""
        if self.server is not None:
            self.recorder = self.server.recorder_orders(self.shelf.last_numbers()["recordings"])

    def recorder_answers(self, *, fails: bool = False) -> None:
        """The recorder closes the recording that waits longest, or says why it cannot."""
        told, self.recorder = self.recorder, []
        for place, message in enumerate(told):
            if isinstance(message, RecorderSettings):
                continue
            if isinstance(message, CloseRecording) or fails:
                self.recorder = told[place + 1 :]
                samples = max(0, getattr(message, "to_sample", 0) - message.from_sample)
                answer = RecordingClosed(message.recording, samples, 0, "0" * 64)
                full = fault("recording_disk_full")
                failed = RecordingFailed(message.recording, full, final=isinstance(message, CloseRecording))
                if self.server is not None:
                    self._take(self.server.handle_recorder(failed if fails else answer, self.now))
                return
