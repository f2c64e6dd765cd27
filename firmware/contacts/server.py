"""The callserver's core: one place where line events, requests and timers meet, in the order in which they came.

Sans-I/O: `handle_*` and `advance` return effects; the process (`firmware/box/callserver`) or the virtual-time
simulation carries them out. What the parts do is in the files beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import msgspec

from boards.signals import Cause
from firmware.calls import messages as cti
from firmware.calls.messages import BoxAlarm, EventName, Reply, Request
from firmware.calls.model import ContactState, Party
from firmware.contacts.agents import Agents, Refused
from firmware.contacts.announced_stop import AnnouncedStop
from firmware.contacts.archive import ABOUT_RECORDINGS, Archive
from firmware.contacts.arrival import Arrival
from firmware.contacts.blocking import Blocking
from firmware.contacts.conversation import Conversation
from firmware.contacts.effects import BlockingToStore, CallerLookup, Effects
from firmware.contacts.keeper import Keeper
from firmware.contacts.ledger import Ledger
from firmware.contacts.lessons import Lessons
from firmware.contacts.loop_tests import LoopTests
from firmware.contacts.offering import Offering
from firmware.contacts.office import Office
from firmware.contacts.outgoing import Outgoing
from firmware.contacts.phones import Phones
from firmware.contacts.recovery import Recovery
from firmware.contacts.requests import Requests
from firmware.contacts.telling import Telling
from firmware.contacts.trunk_hunt import TrunkHunt
from firmware.contacts.views import box_state
from firmware.core.clock import Stamp
from firmware.core.schemas import Configuration
from firmware.lines.line_commands import Attach
from firmware.lines.line_settings import line_settings
from firmware.lines.messages import (
    AnyLineEvent,
    BoardChanged,
    CallPlaced,
    ChannelChanged,
    DigitReceived,
    HookFlashed,
    IncomingCall,
    LearnFailed,
    LegAlerting,
    LegAnswered,
    LegCleared,
    LegReleasing,
    LoopTested,
    PhoneLifted,
    PlayEnded,
    RingFailed,
    Snapshot,
    ToneLearnt,
)
from firmware.records.messages import FromRecorder, ToRecorder
from firmware.records.stored import StoredRecording
from firmware.tones.cadence import LearnedTone


class CallServer:
    """Decides. Everything that comes in is handed to it with the present moment; it answers with effects."""

    def __init__(
        self,
        configuration: Configuration,
        machine_boot: str,
        last_numbers: dict[str, int],
        live: Mapping[tuple[str, str], bytes],
    ) -> None:
        self.office = Office(configuration, machine_boot)
        self.office.restore(live)
        box = self.office.box
        self._ledger = Ledger(last_numbers, box.machine_boot)
        self._agents = Agents(self.office, self._ledger)
        self.archive = Archive(self.office, self._ledger)
        self._stop = AnnouncedStop(self._ledger, self.archive)
        keeper = Keeper(self.office, self._ledger)
        self._telling = Telling(self.office, self._ledger)
        self._offering = Offering(self.office, self._ledger, keeper, self._agents, self._telling)
        self._arrival = Arrival(self.office, self._ledger, keeper, self._offering)
        self._conversation = Conversation(self.office, self._ledger, keeper, self._agents, self._offering)
        self._phones = Phones(self.office, self._ledger, self._agents, self._offering)
        self._lessons = Lessons(self.office, self._ledger)
        self._blocking = Blocking(self.office, self._ledger)
        self._loop_tests = LoopTests(self.office, self._ledger)
        self._hunt = TrunkHunt(self.office)
        self._outgoing = Outgoing(self.office, self._ledger, keeper, self._agents, self._conversation, self._hunt)
        self._requests = Requests(
            self.office,
            self._ledger,
            self._agents,
            self._conversation,
            self._outgoing,
            self._lessons,
            self._loop_tests,
        )
        self._recovery = Recovery(
            self.office,
            self._ledger,
            self._agents,
            self._arrival,
            self._offering,
            self._conversation,
            self._outgoing,
        )
        self._caught_up = 0
        """Number of the last event that the gateway still owes us after attaching; timers wait for it."""
        self.gateway_connected = False
        self.recorder_connected = False
        if box.machine_boot != machine_boot:
            self._recovery.end_machine_boot(box.last_seen)
            box.machine_boot = self._ledger.machine_boot = machine_boot
            box.gateway_boot, box.last_line_number = "", 0
            self.office.touch(box)

    # ---- gateway ----------------------------------------------------------------------------------------------------

    def attach_request(self) -> Attach:
        """What to say to the gateway first."""
        return Attach(self.office.box.gateway_boot, self.office.box.last_line_number)

    def lose_gateway(self, now: Stamp) -> Effects:
        """The connection to the gateway broke. Its calls may live on: what is so is known when it answers again."""
        if self.gateway_connected:
            self.office.box.last_seen = now
            self.office.touch(self.office.box)
        self.gateway_connected = False
        return self._done(now)

    def handle_snapshot(self, snapshot: Snapshot, now: Stamp) -> Effects:
        """The gateway answered. Another start of it: the calls of the old one are over; what it did since follows."""
        self.gateway_connected = True
        self.office.set_channels(snapshot.channels, snapshot.boards)
        self._ledger.effects.orders.append(line_settings(self.office.configuration))
        box = self.office.box
        self.office.touch(box)
        if snapshot.boot != box.gateway_boot:
            self._recovery.end_everything(box.last_seen, now, Cause.RESTART)
            self._loop_tests.lost(now)
            box.gateway_boot, box.last_line_number = snapshot.boot, 0
        if not snapshot.resumed:
            box.last_line_number = snapshot.last_number
            self._recovery.end_everything(now, now, Cause.FAILURE)
            self._recovery.take_up_legs(snapshot, now)
        self._telling.forget_all()
        self._telling.changed(now)
        self._agents.follow_configuration(now)
        self._follow_blocking(now)
        self._caught_up = snapshot.last_number
        if self._lines_known():
            self._recovery.order_again()
        self._match(now)
        return self._done(now)

    def handle_line(self, event: AnyLineEvent, now: Stamp) -> Effects:
        """Something happened on a line. An event that is known already is passed over."""
        if event.number <= self.office.box.last_line_number:
            return Effects()
        self.office.box.last_line_number = event.number
        self.office.touch(self.office.box)
        self._line(event, now)
        if event.number == self._caught_up:
            self._recovery.order_again()
        self._match(now)
        return self._done(now)

    def _match(self, now: Stamp) -> None:
        """Offer who waits to who is idle; not by what the lines were before an interruption."""
        if self._lines_known():
            self._offering.match(now)

    def _lines_known(self) -> bool:
        """True while the gateway is there and has told all that happened."""
        return self.gateway_connected and self.office.box.last_line_number >= self._caught_up

    def _line(self, event: AnyLineEvent, now: Stamp) -> None:
        leg = self.office.leg_at(event.leg)
        contact = self.office.contacts.get(leg.contact) if leg is not None else None
        if contact is not None and event.at < contact.since:
            # It was still on its way here when a request or a timer moved the contact on. Nothing lasts less than 0.
            event = msgspec.structs.replace(event, at=contact.since)
        match event:
            case IncomingCall():
                self._arrival.arrive(event)
            case LegAnswered():
                self._phones.answered(event)
                if contact is not None and contact.outgoing and leg is not None:
                    self._outgoing.answered(event, leg)
                elif leg is not None and leg.party is Party.CITIZEN:
                    self._arrival.answered(event, leg, now)
                elif leg is not None:
                    self._conversation.answered(event, leg)
            case PlayEnded() if leg is not None:
                self._arrival.play_ended(event, leg, now)
                self._conversation.play_ended(event, leg)
                if contact is not None:
                    self._offering.announcements.play_ended(event, contact)
            case DigitReceived() if leg is not None:
                self._arrival.digit(event, leg, now)
            case HookFlashed() if contact is not None and leg is not None and contact.agent_leg == leg.number:
                self._conversation.flashed(contact, event.at)
            case LegCleared():
                if leg is not None and not self._outgoing.tries_next(event, leg):
                    self._conversation.cleared(event, leg, now)
                self._phones.idle(event)
            case PhoneLifted():
                self._phones.lifted(event)
            case CallPlaced():
                self._outgoing.placed(event)
            case LegAlerting() if leg is not None:
                self._outgoing.alerting(event, leg)
            case LegAlerting():
                self._phones.rings(event)
            case RingFailed() if not self._outgoing.failed(event, now):
                self._phones.ring_failed(event)
            case LegReleasing():
                self._phones.releasing(event)
            case ToneLearnt() | LearnFailed():
                self._lessons.ended(event)
            case LoopTested():
                self._loop_tests.ended(event)
            case ChannelChanged():
                self.office.channels[event.state.channel] = event.state
                self._hunt.follow(event.state, event.at.mono_us)
                if event.state.state != "idle":
                    self._telling.forget(event.state.channel)
                self._ledger.emit(EventName.CHANNEL_CHANGED, event.at, channel=event.state)
            case BoardChanged():
                self.office.boards[event.state.board] = event.state
                if event.news:
                    self._ledger.emit(EventName.BOARD_CHANGED, event.at, board=event.state)

    # ---- recorder ---------------------------------------------------------------------------------------------------

    def handle_recorder(self, message: FromRecorder, now: Stamp) -> Effects:
        """A file was closed, or could not be written, or the disk has more or less room."""
        self.archive.handle_recorder(message, now)
        return self._done(now)

    def recorder_orders(self, newest: int) -> list[ToRecorder]:
        """What a recorder that has just come has to know, of recordings up to number `newest`."""
        return self.archive.orders(newest)

    def set_alarms(self, among: Set[BoxAlarm], now_on: Set[BoxAlarm], now: Stamp) -> Effects:
        """Of the alarms `among`, exactly `now_on` are there."""
        self.archive.set_alarms(among, now_on, now)
        return self._done(now)

    # ---- records ----------------------------------------------------------------------------------------------------

    def lookups(self) -> list[CallerLookup]:
        """What live contacts still have to be asked of the records, after a start."""
        contacts = self.office.contacts.values()
        return [CallerLookup(one.number, one.calling) for one in contacts if one.calling and one.times is None]

    def caller_known(self, contact: int, earlier: int, now: Stamp) -> Effects:
        """The answer to a look-up: so many contacts came from this number before."""
        asked = self.office.contacts.get(contact)
        if asked is not None:
            asked.times = earlier + 1
            self.office.touch(asked)
        return self._done(now)

    # ---- requests ---------------------------------------------------------------------------------------------------

    def handle_request(
        self, client: int, request: Request, now: Stamp, recording: StoredRecording | None = None
    ) -> Effects:
        """A page, a program or the command line asks for something. Always answered, with an error code if refused.
        `recording`: what is stored of the one that a request of ABOUT_RECORDINGS names."""
        try:
            if isinstance(request.body, ABOUT_RECORDINGS):
                self.archive.handle(request.body, recording, request.by, now)
                self._answer(client, request, now)
            else:
                self._request(client, request, now)
        except Refused as refused:
            self._answer(client, request, now, error=refused.code, details=refused.details)
        self._match(now)
        return self._done(now)

    def _request(self, client: int, request: Request, now: Stamp) -> None:
        match request.body:
            case cti.GetBoxState():
                state = box_state(
                    self.office,
                    self._ledger.last("events"),
                    now,
                    gateway_connected=self.gateway_connected,
                    recorder_connected=self.recorder_connected,
                    alarms=self.archive.alarms,
                )
                self._ledger.effects.replies.append((client, Reply(request.id, state=state)))
                return
            case cti.Subscribe(after):
                self._ledger.effects.replies.append((client, Reply(request.id)))
                start = after if after >= 0 else self._ledger.last("events")
                self._ledger.effects.subscriptions.append((client, start))
                return
            case cti.AnnounceStop():
                self._stop.take(request.body, request.by or "unknown", now)
                self._ledger.effects.replies.append((client, Reply(request.id)))
                return
            case cti.ReportDisplay() | cti.ReportPanel():  # nobody's doing, so nothing for the audit
                self._requests.do(request.body, now, lines_known=self._lines_known())
                self._ledger.effects.replies.append((client, Reply(request.id)))
                return
            case cti.BlockChannels() | cti.UnblockChannels():
                self._blocking.ask(client, request, request.body, now)
                return
        self._requests.do(request.body, now, lines_known=self._lines_known())
        self._answer(client, request, now)

    def configure(
        self, client: int, request: Request, configuration: Configuration, now: Stamp, details: tuple[str, ...] = ()
    ) -> Effects:
        """A checked configuration comes into force. `details`: what the reply tells besides."""
        self.office.configure(configuration)
        self._ledger.effects.orders.append(line_settings(configuration))
        self._ledger.emit(EventName.CONFIGURATION_CHANGED, now)
        self._ledger.effects.recorder.append(self.archive.settings())
        self._agents.follow_configuration(now)
        self._follow_blocking(now)
        self._answer(client, request, now, details=details)
        self._match(now)
        return self._done(now)

    def tone_stored(self, line: str, tone: LearnedTone, problem: str, now: Stamp) -> Effects:
        """A tone that was learnt is in the configuration files, or not (a code)."""
        self._lessons.stored(line, tone, problem, now)
        return self._done(now)

    def blocking_stored(self, wish: BlockingToStore, problem: str, details: tuple[str, ...], now: Stamp) -> Effects:
        """Which channels are blocked is in the configuration files, or not (a code, and lines about it)."""
        self._blocking.stored(wish, problem, details, now)
        self._follow_blocking(now)
        return self._done(now)

    def _follow_blocking(self, now: Stamp) -> None:
        self._agents.follow_blocking(now)
        alarm = BoxAlarm.ALL_TRUNKS_BLOCKED
        self.archive.set_alarms({alarm}, {alarm} if self._blocking.takes_all_trunks else set(), now)

    def _answer(
        self, client: int, request: Request, now: Stamp, error: str = "", details: tuple[str, ...] = ()
    ) -> None:
        body = request.body
        about = [getattr(body, name, "") for name in ("agent", "line", "board", "recording")]
        subject = " ".join(getattr(body, "channels", ()))[:200] or str(next(filter(None, about), ""))
        self._ledger.audit(now, request.by or "unknown", type(body).__name__, subject, error or "done")
        self._ledger.effects.replies.append((client, Reply(request.id, error, details)))

    # ---- time -------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """Monotonic microseconds at which `advance` has something to do; None if nothing waits for a moment."""
        stop = self._stop.next_deadline()
        if not self._lines_known():
            return stop
        waiting = [one.deadline_us for one in self.office.contacts.values() if one.deadline_us]
        waiting += [one.deadline_us for one in self.office.agents.values() if one.deadline_us]
        others = (stop, self._telling.next_deadline(), self._offering.announcements.next_deadline())
        return min([*waiting, *(one for one in others if one is not None)], default=None)

    def advance(self, now: Stamp) -> Effects:
        """Time has passed: offers that nobody answered, menus that nobody chose from, wrap-ups that are over, a stop
        that came to nothing."""
        self._stop.advance(now)
        if not self._lines_known():
            return self._done(now)
        for contact in list(self.office.contacts.values()):
            if contact.deadline_us and contact.deadline_us <= now.mono_us:
                if contact.state is ContactState.OFFERED:
                    self._offering.take_back(contact, now, "no_answer")
                elif contact.state is ContactState.CALLING:
                    self._conversation.agent_left(contact, now, now, "box")
                else:
                    self._arrival.timeout(contact, now)
        for agent in list(self.office.agents.values()):
            if agent.deadline_us and agent.deadline_us <= now.mono_us:
                self._agents.free(agent, now)
        self._match(now)
        self._offering.announcements.advance(now)
        self._telling.advance(now)
        return self._done(now)

    def _done(self, now: Stamp) -> Effects:
        """Close what was handled: everything that changed is to be stored."""
        effects = self._ledger.effects
        effects.live.update(self.office.take_changes())
        if effects.rows:
            self._telling.changed(now)
        if self.gateway_connected and (effects.rows or effects.orders or effects.live):
            self.office.box.last_seen = now
            self.office.touch(self.office.box)
            effects.live.update(self.office.take_changes())
        return self._ledger.collect()
