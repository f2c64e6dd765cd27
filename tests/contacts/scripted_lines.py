"""A gateway that a test plays by hand, around a real CallServer and a real journal. Effects are committed at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Table, select

from boards.signals import Cause, ChannelKind
from firmware.calls import messages as cti
from firmware.calls.messages import AnyRequestBody, BoxState, CallEvent, EventName, Request
from firmware.contacts.effects import Effects
from firmware.contacts.server import CallServer
from firmware.core import line_schemas, schemas
from firmware.core.clock import MICROSECONDS, Stamp, VirtualClock
from firmware.lines import line_commands
from firmware.lines import messages as lines
from firmware.lines.messages import ChannelState
from firmware.records.database import open_for_reading
from firmware.records.journal import Journal
from firmware.records.messages import RecordingClosed, ToRecorder

MORNING = 1_795_000_000 * MICROSECONDS
TRUNKS = range(4)
PHONES = range(30, 33)
HEADSET_PHONE = 32
EXCHANGE_LINES = range(40, 43)
EXCHANGE_LINE = EXCHANGE_LINES[0]


def office_configuration() -> schemas.Configuration:
    """Two desk phones (seats 1, 2), one headset seat (3); agents 801 to 803; a straight service and one with a menu."""
    return schemas.Configuration(
        box=schemas.Box(box_id="xian-01", name="示范县", region="610122"),
        boards=(line_schemas.BoardEntry(board="sim", kind="sim"),),
        services=(
            schemas.Service(service="12345", title="热线", called=("12345",), default=True, queue="general"),
            schemas.Service(service="12346", title="分类", called=("12346",), menu="subject"),
        ),
        menus=(
            schemas.Menu(
                menu="subject",
                prompt=("prompt:menu",),
                choices={"1": "consult", "0": "general"},
                timeout_seconds=5.0,
                attempts=2,
                otherwise="general",
            ),
        ),
        queues=(
            schemas.Queue(queue="general", title="综合", offer_seconds=15.0, wrap_up_seconds=10.0),
            schemas.Queue(queue="consult", title="咨询", offer_seconds=15.0, wrap_up_seconds=10.0),
        ),
        agents=(
            schemas.Agent(agent="801", name="王", queues=("general", "consult")),
            schemas.Agent(agent="802", name="李", queues=("general",)),
            schemas.Agent(agent="803", name="张", queues=("general",)),
        ),
        seats=(
            schemas.Seat(seat="1", extension="FXS-1"),
            schemas.Seat(seat="2", extension="FXS-2"),
            schemas.Seat(seat="3", extension="FXS-3", headset=True),
        ),
        logins=(),
    )


class ScriptedLines:
    """The world as the callserver sees it. Every method returns when its effects are committed and collected."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "calls.db"
        self.clock = VirtualClock(MORNING)
        self.boot = "boot1"
        self.machine_boot = "machine1"
        self.sent: list[lines.AnyLineEvent] = []
        """All line events of this start of the gateway."""
        self.orders: list[line_commands.AnyLineCommand] = []
        """All but how the lines are set."""
        self.line_settings: line_commands.ConfigureLines | None = None
        self.events: list[CallEvent] = []
        self.to_recorder: list[ToRecorder] = []
        self._legs = 0
        self.start()

    # ---- the process ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the callserver on what is stored."""
        configuration = office_configuration()
        self.journal = Journal(self._path, configuration.box.box_id, configuration.box.region, synchronous="OFF")
        self.server = CallServer(configuration, self.machine_boot, self.journal.last_numbers(), self.journal.live())

    def kill(self) -> None:
        """The callserver ends without a word; what was committed stays."""
        self.journal.close()

    def restart(self) -> None:
        self.kill()
        self.start()
        self.attach()

    def attach(self) -> None:
        """The gateway's answer to the callserver: everything follows that it does not know."""
        request = self.server.attach_request()
        known = request.last_number if request.boot == self.boot else 0
        snapshot = lines.Snapshot(
            boot=self.boot,
            machine_boot=self.machine_boot,
            resumed=True,
            last_number=len(self.sent),
            sample=self.sample,
            at=self.now,
            legs=(),
            channels=tuple(self._channels()),
            boards=(),
        )
        self.carry(self.server.handle_snapshot(snapshot, self.now))
        for event in self.sent[known:]:
            self.carry(self.server.handle_line(event, self.now))

    def restart_gateway(self) -> None:
        """Another start of the gateway: all of its calls are gone."""
        self.carry(self.server.lose_gateway(self.now))
        self.boot, self.sent = self.boot + "x", []
        self.attach()

    def _channels(self) -> Iterable[ChannelState]:
        for channel in TRUNKS:
            yield ChannelState(channel, "sim", f"E1-1/{channel + 1}", ChannelKind.TRUNK, "idle")
        for channel in PHONES:
            yield ChannelState(channel, "sim", f"FXS-{channel - 29}", ChannelKind.EXTENSION, "idle")
        for channel in EXCHANGE_LINES:
            yield ChannelState(channel, "sim", f"FXO-{channel - 39}", ChannelKind.EXCHANGE_LINE, "idle")

    def carry(self, effects: Effects) -> Effects:
        self.journal.commit(effects.rows, effects.live)
        for order in effects.orders:
            if isinstance(order, line_commands.ConfigureLines):
                self.line_settings = order
            else:
                self.orders.append(order)
        self.events += effects.events
        self.to_recorder += effects.recorder
        return effects

    # ---- time -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> Stamp:
        return self.clock.now()

    @property
    def sample(self) -> int:
        return self.now.mono_us // 125

    def wait(self, seconds: float) -> None:
        """Let time pass; timers fire when they are due."""
        end = self.now.mono_us + round(seconds * MICROSECONDS)
        while (deadline := self.server.next_deadline()) is not None and deadline <= end:
            self.clock.advance_to(max(deadline, self.now.mono_us))
            self.carry(self.server.advance(self.now))
        self.clock.advance_to(end)

    def wait_dead(self, seconds: float) -> None:
        """Let time pass while no callserver lives."""
        self.clock.advance_to(self.now.mono_us + round(seconds * MICROSECONDS))

    # ---- line events ------------------------------------------------------------------------------------------------

    def event(self, kind: type[Any], leg: str, *, heard: bool = True, **fields: Any) -> Effects:
        event = kind(number=len(self.sent) + 1, leg=leg, sample=self.sample, at=self.now, **fields)
        self.sent.append(event)
        return self.carry(self.server.handle_line(event, self.now)) if heard else Effects()

    def happens(self, kind: type[Any], **fields: Any) -> Effects:
        """An event that is no leg's."""
        return self.event(kind, "", **fields)

    def channel_is(self, channel: int, state: str) -> None:
        known = next(one for one in self._channels() if one.channel == channel)
        self.happens(lines.ChannelChanged, state=msgspec.structs.replace(known, state=state))

    def arrives(
        self,
        channel: int = 0,
        called: str = "12345",
        calling: str = "13800000001",
        presentation: str = "allowed",
        *,
        heard: bool = True,
        **details: str,
    ) -> str:
        """A call comes in; gives the gateway's name of the leg."""
        self._legs += 1
        leg = f"{self.boot}.{channel}.{self._legs}"
        self.event(
            lines.IncomingCall,
            leg,
            heard=heard,
            channel=channel,
            called=called,
            calling=calling,
            presentation=presentation,
            **details,
        )
        return leg

    def answered(self, leg: str, *, heard: bool = True) -> None:
        self.event(lines.LegAnswered, leg, heard=heard)

    def play_ends(self, leg: str) -> None:
        """The play ordered last for the leg reaches its end."""
        play = self.last(line_commands.Play, leg)
        self.event(lines.PlayEnded, leg, play=play.play)

    def presses(self, leg: str, digit: str) -> None:
        self.event(lines.DigitReceived, leg, digit=digit, source="inband", start=self.sample, duration=640)

    def clears(self, leg: str, *, by: str = "line", heard: bool = True) -> None:
        channel = int(leg.split(".")[1])
        self.event(lines.LegCleared, leg, heard=heard, channel=channel, cause=Cause.NORMAL, by=by)

    def flashes(self, leg: str) -> None:
        self.event(lines.HookFlashed, leg)

    def lifts(self, channel: int) -> str:
        self._legs += 1
        leg = f"{self.boot}.{channel}.{self._legs}"
        self.event(lines.PhoneLifted, leg, channel=channel)
        return leg

    def rings(self, channel: int, *, heard: bool = True) -> str:
        """The phone that was ordered to ring begins to; gives its leg."""
        order = next(
            o for o in reversed(self.orders) if isinstance(o, line_commands.RingExtension) and o.channel == channel
        )
        self._legs += 1
        leg = f"{self.boot}.{channel}.{self._legs}"
        self.event(lines.LegAlerting, leg, heard=heard, channel=channel, request=order.request)
        return leg

    def caller_in_queue(self, channel: int = 0, **fields: Any) -> str:
        """A caller who has heard the greeting and waits."""
        leg = self.arrives(channel, **fields)
        self.answered(leg)
        self.play_ends(leg)
        return leg

    # ---- what was ordered and told ----------------------------------------------------------------------------------

    def last(self, kind: type[Any], leg: str) -> Any:
        """The last order of a kind for a leg."""
        return next(order for order in reversed(self.orders) if isinstance(order, kind) and order.leg == leg)

    def ordered(self, kind: type[Any]) -> list[Any]:
        return [order for order in self.orders if isinstance(order, kind)]

    def told(self, name: EventName) -> list[CallEvent]:
        return [event for event in self.events if event.name is name]

    def ask(self, body: AnyRequestBody) -> cti.Reply:
        effects = self.carry(self.server.handle_request(1, Request(7, body, "test"), self.now))
        (reply,) = [reply for client, reply in effects.replies if client == 1]
        return reply

    def ready(self, agent: str, seat: str) -> None:
        """Sign in and go ready."""
        for body in (cti.SignIn(agent, seat), cti.SetReady(agent)):
            assert self.ask(body).error == ""

    def state(self) -> BoxState:
        state = self.ask(cti.GetBoxState()).state
        assert state is not None
        return state

    def agent(self, number: str) -> cti.AgentView:
        return next(view for view in self.state().agents if view.agent == number)

    def close_recordings(self) -> None:
        """The recorder closes what it was told to close."""
        for message in self.server.recorder_orders(1 << 40)[1:]:
            length = getattr(message, "to_sample", 0) - message.from_sample
            if length >= 0:
                closed = RecordingClosed(message.recording, length, 0, "0" * 64)
                self.carry(self.server.handle_recorder(closed, self.now))

    def rows(self, table: Table) -> list[dict[str, Any]]:
        engine = open_for_reading(self._path)
        with engine.connect() as connection:
            found = connection.execute(select(table)).mappings().all()
        engine.dispose()
        return [dict(row) for row in found]
