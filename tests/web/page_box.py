"""A running box for tests in a browser: demonstration county, patient citizens in the queue, headset seats.

Nobody but the browser takes calls, so the calls come in the order of CITIZENS, as soon as somebody is ready.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from firmware.box.demonstration import demonstration_documents, password_hash
from firmware.calls.messages import AgentState, AnswerCall, ReleaseCall, SetNotReady, SetReady, SignIn, SignOut
from firmware.core.configuration import save_subjects
from firmware.records.tables import contacts, office_audit, recordings
from tests.running.running_box import RunningBox, until
from webui.audit import open_office_database

PASSWORD = "correct horse battery"
REGULAR = "13800130000"
IMPATIENT = "13900139000"
WITHHELD = ""
CITIZENS = (REGULAR, REGULAR, IMPATIENT, "02987654321", WITHHELD, "18612345678", "18687654321", "13700137000")
PATIENT = [{"do": "talk", "tone_hz": 700}, {"do": "wait", "until": "cleared", "at_most_seconds": 900.0}]
HANGS_UP_WHEN_OFFERED = [
    {"do": "wait", "until": "offered", "at_most_seconds": 900.0},
    {"do": "wait", "seconds": 3.0},
    {"do": "hang_up"},
]


def scenario() -> dict[str, Any]:
    return {
        "citizens": [
            {
                "at_seconds": 0.5 + index * 0.5,
                "calling": number,
                "presentation": "allowed" if number else "restricted",
                "audio": True,
                "steps": HANGS_UP_WHEN_OFFERED if number == IMPATIENT else PATIENT,
            }
            for index, number in enumerate(CITIZENS)
        ],
        # Agent 801 serves another queue than the one that is called, and is there only to be seen on the wall.
        "phones": [
            {"extension": "FXS-1", "behaviour": "manned", "agent": "801", "seat": "1"},
            *({"extension": f"FXS-{number}", "behaviour": "headset"} for number in range(5, 9)),
        ],
    }


class PageBox(RunningBox):
    """Logins `chen` (agent 805), `yang` (agent 806) and `admin`, all with PASSWORD."""

    def __init__(self, folder: Path) -> None:
        plan = folder / "scenario.json"
        plan.write_text(json.dumps(scenario()))
        super().__init__(folder, "--scenario", str(plan))
        documents = demonstration_documents(PASSWORD)
        documents["agents"][0]["queues"] = ["consult"]
        for queue in documents["queues"]:
            queue["offer_seconds"] = 120.0  # a page may be slow
        # Nothing is there: the pages must say so.
        documents["boards"].append({"board": "span", "kind": "dahdi_e1", "e1": {"span": 77}})
        documents["seats"][7] |= {"receive_db": 3, "send_db": -2.5}
        documents["seats"][1]["display"] = {"kind": "serial", "device": "/dev/ttyNONE0"}
        documents["box"][0]["panel"] = {"call": "/dev/gpiochip99:1"}
        hashed = password_hash(PASSWORD)
        for login, agent in (("chen", "805"), ("yang", "806")):
            name = next(one["name"] for one in documents["agents"] if one["agent"] == agent)
            one = {"login": login, "name": name, "password_hash": hashed, "roles": ["agent"], "agent": agent}
            documents["logins"].append(one)
        save_subjects(self.paths, documents)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.web_port}{path}"

    def record_a_call(self) -> None:
        """Return when a call can be played. If nobody was served yet, agent 805 takes a call, ends it and signs out."""
        if not any(row["answered_utc_us"] for row in self.rows(contacts)):
            assert self.ask(SignIn("805", "5")).error == ""
            until(lambda: self.ask(SetReady("805")).error == "", "the headset is off hook")
            until(lambda: self._state_of("805") is AgentState.OFFERED, "a call is offered")
            for step in (AnswerCall("805"), ReleaseCall("805"), SetNotReady("805", "break"), SignOut("805")):
                assert self.ask(step).error == "", step
        until(lambda: any(row["state"] == "closed" for row in self.rows(recordings)), "the recording is closed")

    def _state_of(self, agent: str) -> AgentState:
        return next(one.state for one in self.state().agents if one.agent == agent)

    def audited(self, action: str) -> list[str]:
        """Subjects of all audit rows of an action."""
        database = open_office_database(self.paths.office_database)
        with database.connect() as connection:
            query = (
                select(office_audit.c.subject).where(office_audit.c.action == action).order_by(office_audit.c.number)
            )
            subjects = [row.subject for row in connection.execute(query)]
        database.dispose()
        return subjects
