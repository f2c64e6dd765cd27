"""A simulated agent: signs in and goes ready by CTI, and acts at the phone as a person who sees the page would.

What the agent believes about itself comes from CTI only. A wish that the callserver did not fulfil is repeated.
"""

from __future__ import annotations

from firmware.calls.messages import AgentState, BoxState, CallEvent, EventName, SetReady, SignIn
from firmware.simulator.phones import Handset
from firmware.simulator.surroundings import Surroundings, Timer

AGAIN_SECONDS = 5.0
"""After so long a request that had no effect is made again."""
NOBODY_THERE_SECONDS = 5.0
"""A lifted handset with no call on it is put down after so long."""


class SimulatedAgent:
    """The person at one manned phone."""

    def __init__(self, phone: Handset, world: Surroundings) -> None:
        self.phone = phone
        self.agent = phone.plan.agent
        self.state = AgentState.LOGGED_OUT
        self.contact = 0
        self._reason = ""
        self._world = world
        self._wish: Timer | None = None
        self._nobody_there: Timer | None = None
        phone.lifted = self._lifted

    # ---- what CTI says -----------------------------------------------------------------------------------------------

    def take_state(self, box: BoxState) -> None:
        """The whole state, after connecting: what was believed before is forgotten."""
        mine = next((view for view in box.agents if view.agent == self.agent), None)
        self.contact = mine.contact if mine else 0
        if not self.contact and self.phone.off_hook:
            self.phone.put_down_soon()
        self._believe(mine.state if mine else AgentState.LOGGED_OUT, mine.reason if mine else "")

    def take_own_event(self, event: CallEvent) -> None:
        """An event that names this agent."""
        match event.name:
            case EventName.DELIVERED | EventName.ESTABLISHED:
                self.contact = event.contact
            case EventName.DIVERTED if event.contact == self.contact:
                self.contact = 0
                self.phone.stop_ringing()
            case EventName.AGENT_STATE_CHANGED:
                self.contact = event.contact or self.contact
                self._believe(AgentState(event.state), event.reason)
            case _:
                pass

    def contact_over(self, contact: int) -> None:
        """The other side of the conversation, or of the offer, has left."""
        if contact and contact == self.contact:
            self.contact = 0
            self.phone.stop_ringing()
            self.phone.put_down_soon()

    def cti_lost(self) -> None:
        """The callserver is gone; the conversation goes on."""
        self._stop_wishing()

    # ---- what the agent does -----------------------------------------------------------------------------------------

    def _believe(self, state: AgentState, reason: str) -> None:
        self.state, self._reason = state, reason
        self._stop_wishing()
        if state is AgentState.LOGGED_OUT:
            self._wish_after(self.phone.speaker * 0.05)
        elif state is AgentState.NOT_READY:
            self._wish_after(0.0 if reason == "signed_in" else self.phone.plan.ready_again_seconds)
        elif state is AgentState.WRAP_UP:
            self._wish_after(self.phone.plan.ready_again_seconds)

    def _wish_after(self, seconds: float) -> None:
        self._wish = self._world.after(seconds, self._ask)

    def _ask(self) -> None:
        if not self._world.cti_connected:
            return
        if self.state is AgentState.LOGGED_OUT:
            self._world.request(SignIn(agent=self.agent, seat=self.phone.plan.seat))
            self._world.note(self.phone.journal, "sign_in")
        else:
            self._world.request(SetReady(agent=self.agent))
            self._world.note(self.phone.journal, "set_ready")
        self._wish_after(AGAIN_SECONDS)

    def _lifted(self) -> None:
        self._nobody_there = self._world.after(NOBODY_THERE_SECONDS, self._put_down_if_nobody_is_there)

    def _put_down_if_nobody_is_there(self) -> None:
        if not self.contact and self._world.cti_connected:
            self.phone.put_down_soon()

    def _stop_wishing(self) -> None:
        if self._wish is not None:
            self._wish.cancel()
            self._wish = None
