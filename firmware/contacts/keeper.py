"""What every stage of a contact needs: its states, legs, recording and events, kept in one place. Decides nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from boards.signals import Cause
from firmware.calls.messages import EventName
from firmware.calls.model import Agent, Contact, ContactState, Leg, Party, Recording
from firmware.contacts.ledger import Ledger, moment
from firmware.contacts.office import Office
from firmware.core.clock import MICROSECONDS, Stamp
from firmware.lines.line_commands import AnyLineCommand, ClearLeg, Hear, Join, Play
from firmware.lines.messages import LegAnswered
from firmware.records.messages import UNKNOWN_END, CloseRecording, OpenRecording
from firmware.records.windows import OUTSIDE, is_recorded


class Keeper:
    """Keeps contacts' legs, states and recordings together with their rows and events."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger

    def new_leg(
        self,
        contact: int,
        call: int,
        party: Party,
        channel: int,
        at: Stamp,
        party_number: str,
        *,
        gateway_leg: str = "",
        agent: Agent | None = None,
    ) -> Leg:
        label = self._office.channels[channel].label if channel in self._office.channels else ""
        who, seat = (agent.agent, agent.seat) if agent else ("", "")
        number = self._ledger.insert(
            "legs",
            call=call,
            contact=contact,
            machine_boot=self._ledger.machine_boot,
            gateway_leg=gateway_leg,
            channel=channel,
            channel_label=label,
            party=str(party),
            party_number=party_number,
            agent=who,
            seat=seat,
            **moment("started", at),
        )
        leg = Leg(
            number=number,
            contact=contact,
            call=call,
            party=party,
            channel=channel,
            started=at,
            gateway_leg=gateway_leg,
            agent=who,
            seat=seat,
        )
        self._office.add(leg)
        return leg

    def set_state(self, contact: Contact, state: ContactState, at: Stamp) -> None:
        contact.state, contact.since = state, at
        self._office.touch(contact)

    def order(self, command: AnyLineCommand) -> None:
        self._ledger.effects.orders.append(command)

    def emit(self, name: EventName, contact: Contact, at: Stamp, **fields: object) -> None:
        agent = self._office.agents.get(contact.agent)
        self._ledger.emit(
            name,
            at,
            contact=contact.number,
            call=contact.call,
            service=contact.service,
            queue=contact.queue,
            calling=contact.calling,
            called=contact.called,
            outgoing=bool(contact.outgoing),
            agent=contact.agent,
            seat=agent.seat if agent else "",
            state=str(contact.state),
            recording=contact.recording,
            **fields,
        )

    def play_music(self, contact: Contact, name: str) -> None:
        leg = self._office.legs[contact.citizen_leg]
        queue = self._office.queues.get(contact.queue)
        self.order(Play(leg.gateway_leg, name, (queue.music if queue else "music:waiting",), loop=True))

    # ---- legs -------------------------------------------------------------------------------------------------------

    def drop_agent_leg(self, contact: Contact, at: Stamp, cause: Cause, by: str, *, keep: bool = False) -> None:
        """The agent's leg leaves the call: a headset hears silence, another phone is cleared."""
        leg = self._office.legs[contact.agent_leg]
        agent = self._office.agents[leg.agent]
        phone = self._office.phone_of(agent)
        if leg.gateway_leg:
            if phone is not None and phone.headset:
                self.order(Join((Hear(leg.gateway_leg, ()),)))
            elif phone is not None and phone.gateway_leg == leg.gateway_leg:
                self.order(ClearLeg(leg.gateway_leg))
        self.end_leg(leg, at, cause, by, None)
        contact.agent_leg, contact.deadline_us, contact.request = 0, 0, ""
        self._office.touch(contact)
        if not keep:
            self._office.remove(leg)

    def end_leg(self, leg: Leg, at: Stamp, cause: Cause, by: str, sample: int | None) -> None:
        self._ledger.end_segment(leg, at, "ended")
        self._ledger.update(
            "legs", leg.number, cause=str(cause), ended_by=by, ended_sample=sample, **moment("ended", at)
        )
        contact = self._office.contacts[leg.contact]
        self.emit(EventName.CONNECTION_CLEARED, contact, at, leg=leg.number, cause=str(cause))

    # ---- recording --------------------------------------------------------------------------------------------------

    def open_recording(self, contact: Contact, leg: Leg, event: LegAnswered) -> None:
        """Record the leg from its answer on, unless the recording times say otherwise: its segments say why."""
        if not is_recorded(self._office.configuration.box.recordings.windows, event.at.utc_us):
            leg.not_recorded = OUTSIDE
            self._office.touch(leg)
            return
        day = datetime.fromtimestamp(event.at.utc_us // MICROSECONDS, UTC)
        boot = event.leg.split(".", 1)[0]
        number = self._ledger.last("recordings") + 1
        file = f"{day:%Y/%m/%d}/{self._office.configuration.box.box_id}-{number:08d}.au"
        self._ledger.insert(
            "recordings",
            contact=contact.number,
            call=contact.call,
            leg=leg.number,
            file=file,
            gateway_boot=boot,
            channel=leg.channel,
            from_sample=event.sample,
            state="open",
            **moment("opened", event.at),
        )
        recording = Recording(
            number=number,
            contact=contact.number,
            leg=leg.number,
            file=file,
            gateway_boot=boot,
            channel=leg.channel,
            from_sample=event.sample,
        )
        contact.recording = number
        self._office.add(recording)
        self._ledger.effects.recorder.append(OpenRecording(number, file, boot, leg.channel, event.sample))

    def close_recording(self, contact: Contact, sample: int | None) -> None:
        recording = self._office.recordings.get(contact.recording)
        if recording is None:
            return
        # If the gateway died with the line, only the recorder knows how far the audio went.
        recording.to_sample = UNKNOWN_END if sample is None else sample
        self._office.touch(recording)
        self._ledger.update("recordings", recording.number, to_sample=sample, state="closing")
        self._ledger.effects.recorder.append(close_message(recording))


def close_message(recording: Recording) -> CloseRecording:
    """What the recorder is told when a recording has ended."""
    assert recording.to_sample is not None
    return CloseRecording(
        recording.number,
        recording.file,
        recording.gateway_boot,
        recording.channel,
        recording.from_sample,
        recording.to_sample,
    )
