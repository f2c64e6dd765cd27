"""What agents and administrators ask for, handed to whoever does it. Questions and subscriptions are `server.py`."""

from __future__ import annotations

from firmware.calls import messages as cti
from firmware.calls.messages import EventName
from firmware.calls.model import Contact, ContactState
from firmware.contacts.agents import Agents, Refused
from firmware.contacts.conversation import CONNECTED, Conversation
from firmware.contacts.ledger import Ledger
from firmware.contacts.lessons import Lessons
from firmware.contacts.loop_tests import LoopTests
from firmware.contacts.office import Office
from firmware.contacts.outgoing import Outgoing
from firmware.core.clock import Stamp

NEEDS_LINES = (
    cti.AnswerCall,
    cti.HoldCall,
    cti.RetrieveCall,
    cti.ReleaseCall,
    cti.LearnLine,
    cti.LoopTest,
    cti.EndLoopTest,
    cti.MakeCall,
)


class Requests:
    """Does what is asked, or says why not."""

    def __init__(
        self,
        office: Office,
        ledger: Ledger,
        agents: Agents,
        conversation: Conversation,
        outgoing: Outgoing,
        lessons: Lessons,
        loop_tests: LoopTests,
    ) -> None:
        self._office = office
        self._ledger = ledger
        self._agents = agents
        self._conversation = conversation
        self._outgoing = outgoing
        self._lessons = lessons
        self._loop_tests = loop_tests

    def do(self, body: cti.AnyRequestBody, now: Stamp, *, lines_known: bool) -> None:
        """Raises Refused."""
        if isinstance(body, NEEDS_LINES) and not lines_known:
            raise Refused("not_possible_now")
        match body:
            case cti.SignIn(agent, seat):
                self._agents.sign_in(agent, seat, now)
            case cti.SignOut(agent):
                self._agents.sign_out(agent, now)
            case cti.SetReady(agent):
                self._agents.set_ready(agent, now)
            case cti.SetNotReady(agent, reason):
                self._agents.set_not_ready(agent, reason, now)
            case cti.AnswerCall(agent):
                self._answer_call(agent, now)
            case cti.HoldCall(agent):
                self._conversation.hold(self._contact_of(agent), now)
            case cti.RetrieveCall(agent):
                self._conversation.retrieve(self._contact_of(agent), now)
            case cti.ReleaseCall(agent):
                contact = self._contact_of(agent)
                if contact.state not in (*CONNECTED, ContactState.CALLING):
                    raise Refused("not_possible_now")
                self._conversation.agent_left(contact, now, now, "box")
            case cti.MakeCall():
                self._outgoing.call(body, now)
            case cti.LearnLine():
                self._lessons.begin(body, now)
            case cti.LoopTest():
                self._loop_tests.begin(body, now)
            case cti.EndLoopTest():
                self._loop_tests.stop(body)
            case cti.ReportDisplay():
                self._take_display(body, now)
            case cti.ReportPanel(faults):
                before, self._office.panel_faults = self._office.panel_faults, faults
                if {one.identity for one in faults} != {one.identity for one in before}:
                    reason = " ".join(sorted({one.code for one in faults}))
                    self._ledger.emit(EventName.PANEL_CHANGED, now, reason=reason)
            case _:
                raise Refused("not_possible_now")  # configuration: the shell reads the files and calls `configure`

    def _take_display(self, said: cti.ReportDisplay, now: Stamp) -> None:
        if said.seat not in self._office.seats:
            raise Refused("unknown_seat")
        before = self._office.displays.get(said.seat)
        if (before and before.identity) != (said.fault and said.fault.identity):
            reason = said.fault.code if said.fault else ""
            self._ledger.emit(EventName.DISPLAY_CHANGED, now, seat=said.seat, reason=reason)
        self._office.displays.pop(said.seat, None)
        if said.fault is not None:
            self._office.displays[said.seat] = said.fault

    def _answer_call(self, number: str, now: Stamp) -> None:
        contact = self._contact_of(number)
        if contact.state is not ContactState.OFFERED:
            raise Refused("not_possible_now")
        if not self._office.is_headset(self._agents.named(number)):
            raise Refused("lift_the_handset")
        self._conversation.connect(contact, now)

    def _contact_of(self, number: str) -> Contact:
        contact = self._office.contacts.get(self._agents.named(number).contact)
        if contact is None:
            raise Refused("no_call")
        return contact
