"""The gateway's end of the signal link of an E1 span: what it tells when the worker is away, dies or talks nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from boards.base import BoardError
from boards.pri_link import ALARM, PriLink, pri_channels
from boards.signals import Alarm, Blocked, Cause, Connect, Proceeding, Release, Setup, Signal
from firmware.core.paths import BoxPaths
from tests.contract.far_end import FarEnd, hello_of

EVERYTHING = tuple(range(30))


@pytest.fixture
def paths(tmp_path: Path) -> BoxPaths:
    return BoxPaths(tmp_path, tmp_path)


@pytest.fixture
def link(paths: BoxPaths) -> Iterator[PriLink]:
    link = PriLink(1, paths)
    assert link.receive() == [Alarm(ALARM, True, EVERYTHING)]
    yield link
    link.close()


def connected(link: PriLink, paths: BoxPaths) -> FarEnd:
    far = FarEnd(paths.pri_socket(1), hello_of(pri_channels(1), has_clock=False))
    assert not link.try_connect()  # it is there and has not greeted
    far.accept()
    assert link.try_connect()
    assert link.try_connect()
    return far


def test_channels_are_named_after_span_and_time_slot() -> None:
    labels = [place.label for place in pri_channels(2)]

    assert (labels[0], labels[14], labels[15], labels[-1], len(labels)) == (
        "E1-2/1",
        "E1-2/15",
        "E1-2/17",
        "E1-2/31",
        30,
    )


def test_without_a_worker_calls_are_released_at_once_and_the_reason_is_known(link: PriLink) -> None:
    assert not link.try_connect()

    link.send_signal(Setup(4, "110"))
    link.send_signal(Connect(4))

    assert link.receive() == [Release(4, Cause.FAILURE)]
    assert "no board answers" in link.problem
    with pytest.raises(BoardError, match="no board answers"):
        link.fileno()


def test_signals_go_both_ways(link: PriLink, paths: BoxPaths) -> None:
    far = connected(link, paths)
    far.signal(Setup(3, "12345"), Blocked(7, True))

    assert link.receive() == [Alarm(ALARM, False, EVERYTHING), Setup(3, "12345"), Blocked(7, True)]
    link.send_signal(Proceeding(3))
    far.look()
    assert far.signals == [Proceeding(3)]
    assert link.fileno() >= 0
    far.close()


def test_a_worker_that_dies_takes_its_calls_and_its_alarms_with_it(link: PriLink, paths: BoxPaths) -> None:
    far = connected(link, paths)
    far.signal(Setup(3, "1"), Setup(5, "1"), Release(5), Blocked(7, True), Alarm("D-channel", True, EVERYTHING))
    link.send_signal(Setup(9, "110"))
    assert len(link.receive()) == 6

    far.close()

    assert link.receive() == [
        Release(3, Cause.FAILURE),
        Release(9, Cause.FAILURE),
        Blocked(7, False),
        Alarm("D-channel", False),
        Alarm(ALARM, True, EVERYTHING),
    ]
    assert not link.is_connected
    assert link.receive() == []


def test_what_was_blocked_is_blocked_again_for_the_next_worker(link: PriLink, paths: BoxPaths) -> None:
    link.send_signal(Blocked(2, True))
    link.send_signal(Blocked(3, True))
    link.send_signal(Blocked(3, False))

    far = connected(link, paths)

    far.look()
    assert far.signals == [Blocked(2, True)]
    far.close()


def test_a_worker_of_another_span_is_refused(link: PriLink, paths: BoxPaths) -> None:
    far = FarEnd(paths.pri_socket(1), hello_of(pri_channels(2), has_clock=False))
    link.try_connect()
    far.accept()

    assert not link.try_connect()
    assert "other channels" in link.problem
    far.close()


@pytest.mark.parametrize("nonsense", [b"{}", b'{"type":"setup","channel":30,"called":"1"}', b'{"type":"flash"', b""])
def test_a_worker_that_talks_nonsense_is_let_go(link: PriLink, paths: BoxPaths, nonsense: bytes) -> None:
    far = connected(link, paths)
    far.signal(Setup(3, "1"))
    far.raw(nonsense)

    signals: list[Signal] = list(link.receive())

    assert Release(3, Cause.FAILURE) in signals
    assert signals[-1] == Alarm(ALARM, True, EVERYTHING)
    far.close()


def test_audio_is_no_signal(link: PriLink, paths: BoxPaths) -> None:
    far = connected(link, paths)
    far.block(np.zeros((30, 80), np.uint8))

    assert link.receive()[-1] == Alarm(ALARM, True, EVERYTHING)
    far.close()
