"""REST routes of agents: sign in and out, ready, not ready, answer, hold, retrieve, release; the caller's history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from firmware.calls import messages as cti
from firmware.calls.request_texts import LONGEST_TEXT
from firmware.records import queries
from firmware.records.queries import CallFilter
from webui import record_replies, replies
from webui.cti_connection import CallserverAway
from webui.endpoints import Ask, Endpoint
from webui.office import Office
from webui.problems import Refusal, detail
from webui.words import N_


class SignInBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seat that the agent takes."""

    seat: str


class NotReadyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why: `break`, `meal`, `meeting`, `training`, or a code of your own."""

    reason: str = "break"


class CallBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number to call, and the trunk group (empty: the first)."""

    number: Annotated[str, msgspec.Meta(pattern=r"^[+]?[0-9*#]{1,24}$")]
    group: str = ""


HISTORY = 4
"""最近4次: the last calls of a caller that an agent is shown."""

_OTHER_NAMES = {"not_signed_in": "agent_not_signed_in"}
"""The callserver's code → ours, where ours already means something else."""


def tell_callserver(office: Office, body: cti.AnyRequestBody, by: str) -> cti.Reply:
    """Ask the callserver. Raises Refusal with its code, and CallserverAway."""
    reply = office.cti.request(body, by)
    if reply.error:
        # Texts that are too long or hold control characters, by name. Other details are for the command line.
        lines = reply.details if reply.error == "bad_parameter" else ()
        text = N_("{name}: at most {most} characters are expected, and no control characters")
        named = (detail(text, name=line.partition(":")[0], most=LONGEST_TEXT) for line in lines)
        raise Refusal(_OTHER_NAMES.get(reply.error, reply.error), *named)
    return reply


def _done(ask: Ask, agent: str) -> replies.AgentReply:
    """The agent as it is after the change."""
    state = ask.office.cti.request(cti.GetBoxState(), ask.who.name).state
    view = next((one for one in state.agents if one.agent == agent), None) if state is not None else None
    if state is None or view is None:
        raise CallserverAway("it gave no state after the change")
    whole = replies.state_reply(state, True, state.at, None, ask.who.sees_calls_of, ask.words)
    return next(one for one in whole.agents if one.agent == agent)


def _change(body_of: Callable[[Ask, str], cti.AnyRequestBody]) -> Callable[..., replies.AgentReply]:
    def handler(ask: Ask, agent: str) -> replies.AgentReply:
        ask.who.must_act_for(agent)
        tell_callserver(ask.office, body_of(ask, agent), ask.who.name)
        return _done(ask, agent)

    return handler


def history(ask: Ask, agent: str) -> record_replies.HistoryReply:
    """The screen pop's right side: the last calls of the citizen whom this agent has, whoever took them then.

    During wrap-up it is still the citizen of the call that just ended.
    """
    ask.who.must_act_for(agent)
    state = ask.office.live.state
    if state is None:
        raise Refusal("callserver_away")
    contact = next((one for one in state.contacts if one.agent == agent), None)
    in_wrap_up = any(one.agent == agent and one.state is cti.AgentState.WRAP_UP for one in state.agents)
    with ask.office.records() as connection:
        if contact is not None:
            number, citizen = contact.contact, contact.called if contact.outgoing else contact.calling
        elif in_wrap_up and (last := queries.list_calls(connection, CallFilter(agent=agent), 1)):
            number, citizen = last[0].number, last[0].called if last[0].direction == "out" else last[0].calling
        else:
            return record_replies.HistoryReply(call=None, caller="", calls=())
        rows = queries.calls_of_caller(connection, citizen, HISTORY, number)
    return record_replies.HistoryReply(
        call=number, caller=citizen, calls=tuple(record_replies.call_reply(row, lambda _: True) for row in rows)
    )


def _endpoint(name: str, summary: str, body_of: Callable[[Ask, str], cti.AnyRequestBody], **more: object) -> Endpoint:
    return Endpoint(
        "POST",
        f"/agents/{{agent}}/{name}",
        summary,
        _change(body_of),
        replies.AgentReply,
        problems=(400, 401, 403, 404, 409, 413, 503),
        audit=name.replace("-", "_"),
        **more,  # type: ignore[arg-type]
    )


ENDPOINTS = (
    _endpoint(
        "sign-in",
        "Take a seat; the agent is then not ready",
        lambda ask, agent: cti.SignIn(agent, ask.body.seat),
        body=SignInBody,
    ),
    _endpoint("sign-out", "Leave the seat", lambda ask, agent: cti.SignOut(agent)),
    _endpoint("ready", "Take calls; also ends wrap-up", lambda ask, agent: cti.SetReady(agent)),
    _endpoint(
        "not-ready",
        "Take no calls; during a call it takes effect after it",
        lambda ask, agent: cti.SetNotReady(agent, ask.body.reason),
        body=NotReadyBody,
    ),
    _endpoint(
        "call",
        "Call a number, with a headset or with the handset lifted; no button of the page asks for it yet",
        lambda ask, agent: cti.MakeCall(agent, ask.body.number, ask.body.group),
        body=CallBody,
    ),
    _endpoint("answer", "Answer the offered call (headset seats)", lambda ask, agent: cti.AnswerCall(agent)),
    _endpoint("hold", "Put the caller on hold, with music", lambda ask, agent: cti.HoldCall(agent)),
    _endpoint("retrieve", "Speak with the held caller again", lambda ask, agent: cti.RetrieveCall(agent)),
    _endpoint("release", "End the call", lambda ask, agent: cti.ReleaseCall(agent)),
    Endpoint(
        "GET",
        "/agents/{agent}/history",
        "The last four earlier calls of the citizen whom the agent has now",
        history,
        record_replies.HistoryReply,
        problems=(401, 403, 503),
        audit="pop",
    ),
)
