"""Everything that is going on in the office at this moment, and how it is found. No decisions here.

Each change of a struct is marked with `touch`, so that exactly what changed is stored with the next commit.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from firmware.acd.expected_wait import HANDLINGS_KEPT
from firmware.calls.model import Agent, BoxLife, Contact, Leg, Phone, QueueLoad, Recording
from firmware.core.faults import Fault
from firmware.core.schemas import Configuration, Panel, Service
from firmware.lines.messages import BoardState, ChannelState

_KINDS: dict[str, type[msgspec.Struct]] = {
    "contact": Contact,
    "leg": Leg,
    "agent": Agent,
    "phone": Phone,
    "recording": Recording,
    "box": BoxLife,
    "queue": QueueLoad,
}


class Office:
    """Live contacts, legs, agents, phones, recordings, and the configuration in force."""

    def __init__(self, configuration: Configuration, machine_boot: str) -> None:
        self.box = BoxLife(machine_boot=machine_boot)
        self.contacts: dict[int, Contact] = {}
        self.legs: dict[int, Leg] = {}
        self.agents: dict[str, Agent] = {}
        self.phones: dict[str, Phone] = {}
        """By seat."""
        self.recordings: dict[int, Recording] = {}
        self.loads: dict[str, QueueLoad] = {}
        """By queue; one that is gone from the configuration may come back."""
        self.channels: dict[int, ChannelState] = {}
        self.boards: dict[str, BoardState] = {}
        self.displays: dict[str, Fault] = {}
        """By seat, of displays that do not work. Not stored: the display process says it again."""
        self.panel_faults: tuple[Fault, ...] = ()
        """Of lamps and buttons at the front of the box. Not stored either."""
        self._leg_of: dict[str, int] = {}
        self._touched: dict[tuple[str, str], msgspec.Struct] = {}
        self._gone: set[tuple[str, str]] = set()
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Take a checked configuration into force. Seats of agents who are signed in stay as they are until then."""
        self.configuration = configuration
        self.services = {service.service: service for service in configuration.services}
        self.menus = {menu.menu: menu for menu in configuration.menus}
        self.queues = {queue.queue: queue for queue in configuration.queues}
        self.seats = {seat.seat: seat for seat in configuration.seats}
        self.blocked = {one.channel for one in configuration.blocked_channels}
        """Labels of channels that are out of service by hand."""
        self.agent_entries = {entry.agent: entry for entry in configuration.agents}
        for number in self.agent_entries:
            self.agents.setdefault(number, Agent(agent=number))
        self.displays = {seat: fault for seat, fault in self.displays.items() if seat in self.seats}
        if configuration.box.panel == Panel():
            self.panel_faults = ()
        self.fit_phones()

    # ---- finding ----------------------------------------------------------------------------------------------------

    def service_for(self, called: str) -> Service:
        """The service of a called number, else the default one."""
        chosen = next((one for one in self.services.values() if called in one.called), None)
        return chosen or next(one for one in self.services.values() if one.default)

    def service_of(self, contact: Contact) -> Service:
        """The contact's service; the one that its number reaches now if it was taken out of the configuration."""
        return self.services.get(contact.service) or self.service_for(contact.called)

    def queue_of(self, service: Service) -> str:
        """Where callers of a service wait who choose nothing."""
        return service.queue or self.menus[service.menu].otherwise

    def leg_at(self, gateway_leg: str) -> Leg | None:
        """The leg of a live contact that the gateway calls so."""
        return self.legs.get(self._leg_of.get(gateway_leg, 0))

    def phone_on(self, channel: int) -> Phone | None:
        return next((phone for phone in self.phones.values() if phone.channel == channel), None)

    def phone_of(self, agent: Agent) -> Phone | None:
        return self.phones.get(agent.seat)

    def is_headset(self, agent: Agent) -> bool:
        phone = self.phone_of(agent)
        return phone is not None and phone.headset

    # ---- changing ---------------------------------------------------------------------------------------------------

    def name_leg(self, leg: Leg, gateway_leg: str) -> None:
        """The gateway has named the leg."""
        leg.gateway_leg = gateway_leg
        self._leg_of[gateway_leg] = leg.number
        self.touch(leg)

    def note_handling(self, queue: str, seconds: float) -> None:
        """A contact of the queue has taken an agent so long."""
        load = self.loads.setdefault(queue, QueueLoad(queue=queue))
        load.handling_seconds = (*load.handling_seconds, seconds)[-HANDLINGS_KEPT:]
        self.touch(load)

    def add(self, one: Contact | Leg | Recording) -> None:
        if isinstance(one, Contact):
            self.contacts[one.number] = one
        elif isinstance(one, Leg):
            self.legs[one.number] = one
            if one.gateway_leg:
                self._leg_of[one.gateway_leg] = one.number
        else:
            self.recordings[one.number] = one
        self.touch(one)

    def remove(self, one: Contact | Leg | Recording | Agent | Phone) -> None:
        """It is over: no longer live."""
        match one:
            case Contact():
                self.contacts.pop(one.number, None)
            case Leg():
                self.legs.pop(one.number, None)
                if self._leg_of.get(one.gateway_leg) == one.number:
                    del self._leg_of[one.gateway_leg]
            case Recording():
                self.recordings.pop(one.number, None)
            case Agent():
                self.agents.pop(one.agent, None)
            case Phone():
                self.phones.pop(one.seat, None)
        identity = _identity(one)
        self._touched.pop(identity, None)
        self._gone.add(identity)

    def touch(self, one: msgspec.Struct) -> None:
        """Store it with the next commit."""
        identity = _identity(one)
        self._gone.discard(identity)
        self._touched[identity] = one

    def take_changes(self) -> dict[tuple[str, str], bytes | None]:
        """What changed since the last call, as the `live` table holds it."""
        changes: dict[tuple[str, str], bytes | None] = dict.fromkeys(sorted(self._gone))
        changes |= {identity: msgspec.json.encode(one) for identity, one in self._touched.items()}
        self._touched.clear()
        self._gone.clear()
        return changes

    # ---- after a restart --------------------------------------------------------------------------------------------

    def restore(self, live: Mapping[tuple[str, str], bytes]) -> None:
        """Take up what the `live` table held; kinds that only a newer version knows are left alone. Raises
        msgspec.MsgspecError for a row that cannot be read."""
        for (kind, _), body in live.items():
            if kind not in _KINDS:
                continue
            one = msgspec.json.decode(body, type=_KINDS[kind])
            if isinstance(one, Contact | Leg | Recording):
                self.add(one)
            elif isinstance(one, Agent):
                self.agents[one.agent] = one
            elif isinstance(one, Phone):
                self.phones[one.seat] = one
            elif isinstance(one, BoxLife):
                self.box = one
            elif isinstance(one, QueueLoad):
                self.loads[one.queue] = one
        self._touched.clear()
        self.fit_phones()

    def set_channels(self, channels: tuple[ChannelState, ...], boards: tuple[BoardState, ...]) -> None:
        """What the gateway has, after attaching."""
        self.channels = {state.channel: state for state in channels}
        self.boards = {state.board: state for state in boards}
        self.fit_phones()

    def fit_phones(self) -> None:
        """Give each seat the phone that configuration and boards say. A seat at which an agent is signed in keeps its
        phone, with or without headset, until nobody is: what is under way there ends as it began."""
        held = {agent.seat for agent in self.agents.values() if agent.seat}
        for phone in list(self.phones.values()):
            seat = self.seats.get(phone.seat)
            changed = seat is None or (phone.extension, phone.headset) != (seat.extension, seat.headset)
            if changed and phone.seat not in held:
                self.remove(phone)
        for seat in self.seats.values():
            if seat.seat not in self.phones:
                self.phones[seat.seat] = Phone(seat=seat.seat, extension=seat.extension, headset=seat.headset)
        if not self.channels:
            return  # the gateway has not said yet what it has
        free = {state.label: state for state in self.channels.values()}
        for phone in sorted(self.phones.values(), key=lambda one: one.seat not in held):
            port = free.pop(phone.extension, None)
            channel = port.channel if port else -1
            if channel != phone.channel:
                phone.channel, phone.request = channel, ""
                phone.gateway_leg = port.leg if port else ""
                phone.off_hook = port is not None and port.state == "up"
                self.touch(phone)


def _identity(one: msgspec.Struct) -> tuple[str, str]:
    match one:
        case Contact():
            return "contact", str(one.number)
        case Leg():
            return "leg", str(one.number)
        case Recording():
            return "recording", str(one.number)
        case Agent():
            return "agent", one.agent
        case Phone():
            return "phone", one.seat
        case BoxLife():
            return "box", ""
        case QueueLoad():
            return "queue", one.queue
    raise TypeError(f"{type(one).__name__} is not kept")
