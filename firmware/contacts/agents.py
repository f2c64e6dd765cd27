"""Agents: states, the one place where they change, and what agents may ask for. Not who gets which contact."""

from __future__ import annotations

from firmware.calls.messages import AgentState, EventName
from firmware.calls.model import Agent
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.core.clock import MICROSECONDS, Stamp


class Refused(Exception):
    """A request cannot be done now; `code` says why, words are made at display. `details`: lines for a person."""

    def __init__(self, code: str, *details: str) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


IN_CALL = (AgentState.OFFERED, AgentState.TALKING)


class Agents:
    """The agents' state machine."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger

    def set_state(self, agent: Agent, state: AgentState, at: Stamp, reason: str = "") -> None:
        """The only place where an agent's state changes. Timers of the old state stop with it.

        Who is not in the configuration any more is signed out as soon as no call is left."""
        is_removed = agent.agent not in self._office.agent_entries
        if is_removed and state in (AgentState.NOT_READY, AgentState.READY):
            state, reason = AgentState.LOGGED_OUT, "removed"
        if agent.state is state and agent.reason == reason:
            return
        left = agent.state
        agent.state, agent.reason, agent.since = state, reason, at
        agent.deadline_us = 0
        if state is AgentState.READY and left is not AgentState.OFFERED:
            agent.idle_since_us = at.mono_us
        if state not in IN_CALL:
            agent.contact = 0
        if state not in (*IN_CALL, AgentState.WRAP_UP):
            agent.pending_reason = ""
        if left is AgentState.WRAP_UP:
            self._finish_wrap_up(agent, at)
        self._office.touch(agent)
        self._ledger.emit(
            EventName.AGENT_STATE_CHANGED,
            at,
            agent=agent.agent,
            seat=agent.seat,
            state=str(state),
            reason=reason,
            contact=agent.contact,
        )
        if state is AgentState.LOGGED_OUT:
            agent.seat = ""
            self._office.fit_phones()
            if is_removed:
                self._office.remove(agent)

    def follow_configuration(self, now: Stamp) -> None:
        """Sign out who is not in the configuration any more; who is in a call or wraps up is when that is over."""
        for agent in list(self._office.agents.values()):
            if agent.agent in self._office.agent_entries:
                continue
            if agent.state in (AgentState.NOT_READY, AgentState.READY):
                self.set_state(agent, AgentState.NOT_READY, now)
            elif agent.state is AgentState.LOGGED_OUT:
                self._office.remove(agent)

    def after_call(self, agent: Agent, at: Stamp, now: Stamp, leg_number: int, wrap_up_seconds: float) -> None:
        """The conversation is over: wrap-up, which ends by itself or by the agent."""
        leg = self._office.legs.get(leg_number)
        self.set_state(agent, AgentState.WRAP_UP, at)
        agent.wrap_up_leg = leg_number
        agent.deadline_us = now.mono_us + round(wrap_up_seconds * MICROSECONDS)
        if leg is not None:
            self._ledger.begin_segment(leg, "wrap_up", at)
            self._office.touch(leg)

    def free(self, agent: Agent, at: Stamp) -> None:
        """Nothing is left to do: ready again, unless the agent asked for a break, put the headset phone down, or has a
        phone that is blocked by now."""
        phone = self._office.phone_of(agent)
        if agent.pending_reason:
            self.set_state(agent, AgentState.NOT_READY, at, agent.pending_reason)
        elif self._has_blocked_phone(agent):
            self.set_state(agent, AgentState.NOT_READY, at, "phone_blocked")
        elif phone is not None and phone.headset and not phone.off_hook:
            self.set_state(agent, AgentState.NOT_READY, at, "headset_on_hook")
        else:
            self.set_state(agent, AgentState.READY, at)

    def _finish_wrap_up(self, agent: Agent, at: Stamp) -> None:
        leg = self._office.legs.get(agent.wrap_up_leg)
        agent.wrap_up_leg = 0
        if leg is not None:
            self._ledger.end_segment(leg, at, "finished")
            if leg.served_since is not None:
                self._office.note_handling(leg.served_queue, (at.mono_us - leg.served_since.mono_us) / MICROSECONDS)
            self._office.remove(leg)

    def follow_blocking(self, now: Stamp) -> None:
        """Who waits for calls at a phone whose port is blocked is not ready: it says why nothing comes."""
        for agent in list(self._office.agents.values()):
            if agent.state is AgentState.READY and self._has_blocked_phone(agent):
                self.set_state(agent, AgentState.NOT_READY, now, "phone_blocked")

    def _has_blocked_phone(self, agent: Agent) -> bool:
        """A headset phone too, whose channel is only out of service when it has been put down."""
        phone = self._office.phone_of(agent)
        return phone is not None and phone.extension in self._office.blocked

    def is_reachable(self, agent: Agent) -> bool:
        """A contact can be offered: the headset phone is off hook and quiet, or the other phone is on hook and idle."""
        phone = self._office.phone_of(agent)
        if phone is None or phone.channel < 0:
            return False
        if phone.headset:
            return bool(phone.gateway_leg) and phone.off_hook
        return not phone.gateway_leg and not phone.request

    # ---- what agents ask for ----------------------------------------------------------------------------------------

    def named(self, number: str) -> Agent:
        agent = self._office.agents.get(number)
        if agent is None:
            raise Refused("unknown_agent")
        return agent

    def sign_in(self, number: str, seat: str, now: Stamp) -> None:
        agent = self.named(number)
        if seat not in self._office.seats:
            raise Refused("unknown_seat")
        if agent.state is not AgentState.LOGGED_OUT:
            if agent.seat == seat:
                return
            raise Refused("signed_in_elsewhere")
        for other in self._office.agents.values():
            if other.seat == seat and other.state is not AgentState.LOGGED_OUT:
                raise Refused("seat_taken")
        agent.seat = seat
        self._office.touch(self._office.phones[seat])  # the seat keeps it until sign-out, whatever is configured
        self.set_state(agent, AgentState.NOT_READY, now, "signed_in")

    def sign_out(self, number: str, now: Stamp) -> None:
        agent = self.named(number)
        if agent.state in IN_CALL:
            raise Refused("in_call")
        self.set_state(agent, AgentState.LOGGED_OUT, now)

    def set_ready(self, number: str, now: Stamp) -> None:
        agent = self._signed_in(number)
        agent.pending_reason = ""
        self._office.touch(agent)
        if agent.state in IN_CALL:
            return
        if self._has_blocked_phone(agent):
            raise Refused("phone_blocked")
        phone = self._office.phone_of(agent)
        if phone is not None and phone.headset and not phone.off_hook:
            raise Refused("headset_on_hook")
        self.set_state(agent, AgentState.READY, now)

    def set_not_ready(self, number: str, reason: str, now: Stamp) -> None:
        agent = self._signed_in(number)
        if agent.state in IN_CALL:
            agent.pending_reason = reason or "break"
            self._office.touch(agent)
        else:
            self.set_state(agent, AgentState.NOT_READY, now, reason)

    def _signed_in(self, number: str) -> Agent:
        agent = self.named(number)
        if agent.state is AgentState.LOGGED_OUT:
            raise Refused("not_signed_in")
        return agent
