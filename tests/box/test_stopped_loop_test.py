"""`linebox loop-test` that is interrupted, or told `--stop`: the test ends in the box too, and that is said."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boards.signals import LoopWay
from firmware.box.cli import main
from firmware.calls.messages import BoxState, CallEvent, EndLoopTest, EventName, GetBoxState, LoopTest, Reply, Subscribe
from firmware.core.clock import Stamp
from firmware.core.messages import Peer
from firmware.core.paths import BoxPaths, box_paths
from firmware.lines.loop_messages import LoopOutcome
from firmware.lines.messages import BoardState
from tests.box.scripted_callserver import ScriptedCallserver, until

AT = Stamp(1, 1, True)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNANSWERED = 0.1
"""Seconds in which a command that does not wait for the answer would say more."""
TOWARD = ("loop-test", "town", "--toward-exchange", "--seconds", "600")


class LoopingCallserver(ScriptedCallserver):
    """One that has loop tests: each runs until it is ended. `begun`: done when one is asked for."""

    def __init__(self, paths: BoxPaths) -> None:
        boards = (BoardState(board="town", working=True, channels=30),)
        state = BoxState(number=1, at=AT, box_id="x", gateway_connected=True, recorder_connected=True, boards=boards)
        super().__init__(paths, state)
        self.begun: Callable[[], None] = lambda: None
        self.refusal = ""
        self.was_told_more_before_the_answer = False
        self.outcome = LoopOutcome(board="town", way=LoopWay.TOWARD_EXCHANGE, seconds=0, reason="stopped")

    def _answer(self, peer: Peer) -> None:
        for request in peer.receive():
            self.asked.append(request.body)
            match request.body:
                case GetBoxState():
                    peer.send(Reply(request.id, state=self.state))
                case LoopTest():
                    self.begun()
                    self.was_told_more_before_the_answer = bool(select.select([peer], [], [], UNANSWERED)[0])
                    peer.send(Reply(request.id, self.refusal))
                case EndLoopTest():
                    peer.send(Reply(request.id, self.refusal))
                    if not self.refusal:
                        event = CallEvent(number=1, name=EventName.LOOP_TESTED, at=AT, loop_test=self.outcome)
                        peer.send(event)
                case Subscribe():
                    peer.send(Reply(request.id))

    @property
    def ended(self) -> bool:
        return EndLoopTest("town") in self.asked


@pytest.fixture
def callserver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopingCallserver]:
    monkeypatch.setenv("LINEBOX_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("LINEBOX_DATA", str(tmp_path / "data"))
    paths = box_paths(None)
    paths.make()
    made = LoopingCallserver(paths)
    made.start()
    yield made
    made.end()


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_command_ends_the_test_and_says_so(
    callserver: LoopingCallserver, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    callserver.begun = lambda: os.kill(os.getpid(), number)

    assert main(TOWARD) == 128 + number
    assert callserver.ended
    assert capsys.readouterr().out == "town: the loop test is stopped; its channels are given back\n"
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_what_was_found_as_it_was_interrupted_is_shown(
    callserver: LoopingCallserver, capsys: pytest.CaptureFixture[str]
) -> None:
    callserver.begun = lambda: os.kill(os.getpid(), signal.SIGINT)
    callserver.outcome = LoopOutcome(board="town", way=LoopWay.TOWARD_EXCHANGE, seconds=600.0, looped_by="box")

    assert main(TOWARD) == 130
    assert "was looped towards the exchange for 600 s" in capsys.readouterr().out


def test_a_test_of_somebody_else_is_not_ended_by_an_interrupted_wish(
    callserver: LoopingCallserver, capsys: pytest.CaptureFixture[str]
) -> None:
    callserver.begun = lambda: os.kill(os.getpid(), signal.SIGINT)
    callserver.refusal = "loop_test_running"

    assert main(TOWARD) == 1
    assert "--stop" in capsys.readouterr().err
    assert not callserver.was_told_more_before_the_answer and not callserver.ended


def test_a_test_whose_words_nobody_reads_is_ended(
    callserver: LoopingCallserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("firmware.box.commands.loop_test.print", broken, raising=False)

    assert main(TOWARD) == 1
    until(lambda: callserver.ended, "the test is not ended")


def test_stop_ends_the_test_of_anybody(callserver: LoopingCallserver, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["loop-test", "town", "--stop"]) == 0
    assert callserver.ended
    assert capsys.readouterr().out == "town: the loop test is stopped; its channels are given back\n"


def test_stop_where_none_runs_says_so(callserver: LoopingCallserver, capsys: pytest.CaptureFixture[str]) -> None:
    callserver.refusal = "no_loop_test"

    assert main(["loop-test", "town", "--stop"]) == 1
    assert "no loop test of this board is running" in capsys.readouterr().err
