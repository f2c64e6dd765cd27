"""All processes of the box are killed at once in a burst of calls, thirty times at random moments.

What a client was told before is in the database afterwards, numbers have no gap, every recording plays.
"""

from __future__ import annotations

import json
import random
import select
import time
from pathlib import Path

import soundfile

from firmware.calls.messages import (
    CallEvent,
    EventName,
    Reply,
    Request,
    SetNotReady,
    SetReady,
    SignIn,
    Subscribe,
    decode_to_client,
)
from firmware.core.messages import Peer, PeerGone, connect
from firmware.records import tables
from tests.running.running_box import SEATS, RunningBox, until

KILLS = 30
MOST_ANSWERS = 4
"""Everything dies after one to so many calls of a start have been answered, and a moment more."""
MOST_SECONDS = 0.4
PATIENCE_SECONDS = 60.0


def scenario(folder: Path) -> Path:
    """A call every tenth of a second; agents who answer at once and talk for a second."""
    steps = [
        {"do": "wait", "until": "answered"},
        {"do": "wait", "until": "agent", "otherwise": "go_on", "at_most_seconds": 3.0},
        {"do": "wait", "seconds": 0.7},
        {"do": "hang_up"},
    ]
    citizens = [{"at_seconds": one / 10, "calling": f"1350000{one:04d}", "steps": steps} for one in range(900)]
    phones = [
        {
            "extension": f"FXS-{one}",
            "behaviour": "manned",
            "agent": str(800 + one),
            "seat": str(one),
            "answer_seconds": 0.1,
            "ready_again_seconds": 0.2,
        }
        for one in range(1, SEATS)
    ]
    path = folder / "scenario.json"
    path.write_text(json.dumps({"citizens": citizens, "phones": phones}))
    return path


class Witness:
    """A client that remembers all that it was told."""

    def __init__(self, box: RunningBox) -> None:
        self._box = box
        self.events: dict[int, CallEvent] = {}
        self.answers = 0
        self.done: set[str] = set()
        """Requests whose reply said that they are done, by the name under which they were made."""
        self._asked: dict[int, str] = {}
        self._number = 0

    def watch(self, answers: int, seconds: float, turn: int) -> None:
        """Subscribe, and ask for changes, until so many more calls were answered and for so long after that."""
        peer = until(self._connected, "the callserver listens")
        patience = end = time.monotonic() + PATIENCE_SECONDS
        wanted = self.answers + answers
        try:
            peer.send(Request(1, Subscribe(max(self.events, default=0)), "witness"))
            agent = str(800 + SEATS)
            peer.send(Request(2, SignIn(agent, str(SEATS)), "witness"))
            while (left := end - time.monotonic()) > 0:
                self._number += 1
                name = f"witness-{turn}-{self._number}"
                self._asked[1000 + self._number] = name
                body = SetReady(agent) if self._number % 2 else SetNotReady(agent, "break")
                peer.send(Request(1000 + self._number, body, name))
                select.select([peer], [], [], min(left, 0.02))
                self._take(peer)
                if end == patience and self.answers >= wanted:
                    end = time.monotonic() + seconds
        finally:
            peer.close()
        assert self.answers >= wanted, f"start {turn}: no burst of calls within {PATIENCE_SECONDS:.0f} s"

    def _connected(self) -> Peer | None:
        try:
            return connect(self._box.paths.cti_socket, decode_to_client)
        except PeerGone:
            return None

    def _take(self, peer: Peer) -> None:
        for message in peer.receive():
            if isinstance(message, CallEvent):
                self.answers += message.name is EventName.ESTABLISHED and message.number not in self.events
                self.events[message.number] = message
            elif isinstance(message, Reply) and message.id in self._asked and not message.error:
                self.done.add(self._asked[message.id])


def test_nothing_that_was_acknowledged_is_missing_after_thirty_deaths_of_everything(tmp_path: Path) -> None:
    seed = 20261122
    moments = random.Random(seed)
    box = RunningBox(
        tmp_path, "--scenario", str(scenario(tmp_path)), greeting=["tone:zip"], wrap_up_seconds=1.0, offer_seconds=5.0
    )
    witness = Witness(box)
    try:
        for turn in range(KILLS):
            box.start()
            witness.watch(moments.randint(1, MOST_ANSWERS), moments.uniform(0.0, MOST_SECONDS), turn)
            box.kill_everything()
        box.start()
        # On a slow disk no start but this one lives long enough to close what those before have left.
        until(lambda: not unfinished(box), "everything that was cut off is brought to its end", 2 * PATIENCE_SECONDS)
    finally:
        box.stop()

    stored = {row["number"]: row for row in box.rows(tables.events)}
    for number, event in witness.events.items():
        assert json.loads(stored[number]["body"])["name"] == event.name, f"event {number} was told and is not there"
    audited = {row["login"] for row in box.rows(tables.audit)}
    assert witness.done <= audited, witness.done - audited
    assert len(witness.events) > 20 * KILLS and len(witness.done) > KILLS

    for table in tables.SEQUENCED.values():
        numbers = [row["number"] for row in box.rows(table)]
        assert numbers == list(range(1, len(numbers) + 1)), table.name
    # The last start may have been stopped in the middle of calls of its own.
    contacts = [row for row in box.rows(tables.contacts) if row["ended_utc_us"]]
    assert {row["result"] for row in contacts} <= {"answered", "abandoned", "left_early", "failed"}
    assert sum(row["result"] == "answered" for row in contacts) >= KILLS

    played = 0
    for row in box.rows(tables.recordings):
        file = box.paths.recordings / row["file"]
        if row["samples"]:
            samples, rate = soundfile.read(file)
            assert (rate, samples.shape) == (8000, (row["samples"], 2))
            played += 1
    assert played >= KILLS


def unfinished(box: RunningBox) -> bool:
    """Contacts of an earlier start, or their recordings, that are still open."""
    started_us = box.processes()["supervisor"].started_utc_us
    contacts, recordings = box.rows_of(tables.contacts, tables.recordings)
    return any(row["arrived_utc_us"] < started_us for row in contacts if not row["ended_utc_us"]) or any(
        row["opened_utc_us"] < started_us for row in recordings if row["state"] in ("open", "closing")
    )
