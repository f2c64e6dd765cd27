"""The real gateway process with two E1 boards on the real driver: sixty bearers, joined crosswise, bit for bit.

Two pairs of E1: the gateway has one end of each, the test the other, with the signalling processes of both spans.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from boards.dahdi_e1 import channels
from boards.signals import Connect, FromBoard, Proceeding, Release, Setup, Signal
from drivers.block_link import VERSION, BlockLink, Hello, LinkChannel, LinkError, LinkListener
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.paths import BoxPaths
from firmware.lines.messages import AnswerLeg, BoardChanged, Hear, IncomingCall, Join, LegCleared
from tests.box.running_gateway import Callserver
from tests.vm.inside.far_line import FarLine, channels_that_heard, random_blocks
from tests.vm.inside.spans import DynamicSpan, create

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("e1", "e2")
_decode = msgspec.json.Decoder(Signal).decode


class GatewayOnE1:
    """The gateway process, its two far ends and the callserver that the test plays."""

    def __init__(self, folder: Path) -> None:
        self.pairs: list[tuple[DynamicSpan, DynamicSpan]] = [(create(key, 0), create(key, 1)) for key in (1, 2)]
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        documents = demonstration_documents("a password for tests")
        documents["boards"] = [
            {"board": name, "kind": "dahdi_e1", "e1": {"span": pair[0].number}}
            for name, pair in zip(NAMES, self.pairs, strict=True)
        ]
        save_subjects(self.paths, documents)
        self.far = [FarLine(pair[1]) for pair in self.pairs]
        self.workers = [self._worker(pair[0].number) for pair in self.pairs]
        self.links: list[BlockLink | None] = [None, None]
        self.signals: list[list[Signal]] = [[], []]
        self.callserver: Callserver | None = None
        environment = {**os.environ, "LINEBOX_RUN": str(self.paths.run), "PYTHONPATH": f"{ROOT}:{ROOT / 'packages'}"}
        command = [sys.executable, "-m", "firmware.box.gateway.process", "--data", str(self.paths.data)]
        self.errors = (folder / "gateway.log").open("wb+")
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self.errors)

    def _worker(self, span: int) -> LinkListener:
        places = tuple(LinkChannel(place.kind.value, place.label) for place in channels(span, "pri"))
        return LinkListener(self.paths.pri_socket(span), Hello(VERSION, "worker", False, places))

    def serve(self, seconds: float, until: object = None) -> bool:
        """Serve far ends, workers and callserver for so long, or until `until()` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            select.select([far.stream.fileno() for far in self.far], [], [], 0.01)
            for far in self.far:
                far.look()
            for index, worker in enumerate(self.workers):
                self.links[index] = link = self.links[index] or worker.accept()
                if link is None:
                    continue
                try:
                    self.signals[index] += [_decode(packet) for packet in link.receive() if isinstance(packet, bytes)]
                except LinkError:  # the gateway has closed the board
                    link.close()
                    self.links[index] = None
            if self.callserver is not None:
                self.callserver.look()
            if callable(until) and until():
                return True
        return False

    def say(self, worker: int, *signals: FromBoard) -> None:
        link = self.links[worker]
        assert link is not None
        for one in signals:
            link.send_signal(msgspec.json.encode(one))

    def log(self) -> str:
        return Path(self.errors.name).read_text()

    def close(self) -> None:
        if self.callserver is not None:
            self.callserver.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.errors.close()
        for far, worker, link in zip(self.far, self.workers, self.links, strict=True):
            far.close()
            worker.close()
            if link is not None:
                link.close()
        for pair in self.pairs:
            for span in pair:
                span.destroy()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayOnE1]:
    gateway = GatewayOnE1(tmp_path)
    yield gateway
    gateway.close()


def test_sixty_calls_joined_crosswise_hear_each_other_bit_for_bit_and_end_when_a_card_is_pulled(
    gateway: GatewayOnE1,
) -> None:
    assert gateway.serve(20, gateway.paths.gateway_socket.exists), gateway.log()
    gateway.callserver = callserver = Callserver(gateway.paths)
    assert gateway.serve(10, lambda: all(gateway.links)), gateway.log()
    gateway.serve(1.5)  # the alarm of the missing signalling process ends
    for worker in range(2):
        gateway.say(worker, *(Setup(channel, "12345", f"139{channel:08d}") for channel in range(30)))
    assert gateway.serve(5, lambda: len(callserver.all(IncomingCall)) == 60), gateway.log()
    assert all(sum(isinstance(one, Proceeding) for one in signals) == 30 for signals in gateway.signals)

    legs = {call.channel: call.leg for call in callserver.all(IncomingCall)}
    callserver.say(*(AnswerLeg(leg) for leg in legs.values()))
    callserver.say(
        Join(tuple(Hear(legs[c], (legs[c + 30],)) for c in range(30))),
        Join(tuple(Hear(legs[c + 30], (legs[c],)) for c in range(30))),
    )
    assert gateway.serve(5, lambda: all(sum(isinstance(s, Connect) for s in g) == 30 for g in gateway.signals))
    gateway.serve(0.3)
    sent = random_blocks(11, 150), random_blocks(12, 150)
    for far, blocks in zip(gateway.far, sent, strict=True):
        far.heard.clear()
        far.to_play = list(blocks)
    gateway.serve(2.2)

    states = {name: callserver.board(name) for name in NAMES}
    assert channels_that_heard(sent[0], gateway.far[1].heard) == 30, states
    assert channels_that_heard(sent[1], gateway.far[0].heard) == 30, states

    device = gateway.pairs[1][0].pull()
    assert gateway.serve(3, lambda: len(callserver.all(LegCleared)) == 30), gateway.log()
    assert {event.leg for event in callserver.all(LegCleared)} == {legs[channel] for channel in range(30, 60)}
    assert not callserver.board("e2").working
    assert callserver.board("e2").problem and callserver.board("e2").remedy
    assert callserver.board("e1").working

    gateway.pairs[1][0].put_back(device)
    assert gateway.serve(3, lambda: callserver.board("e2").working), gateway.log()
    assert any(isinstance(event, BoardChanged) for event in callserver.events)
    gateway.say(0, Release(0))
    assert gateway.serve(3, lambda: legs[0] in {event.leg for event in callserver.all(LegCleared)})
