"""`linebox loop-test`: what is shown of a result, what counts as good, and what is said when there was no test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boards.signals import LoopWay
from firmware.box.commands.loop_test import WHY, is_good, loop_test, shown
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths
from firmware.lines.loop_messages import LoopedChannel, LoopOutcome

BITS = 640_000


def found(changes: dict[int, dict[str, Any]] | None = None, **more: Any) -> LoopOutcome:
    """Ten seconds of thirty channels, all good but for `changes`."""
    channels = tuple(
        LoopedChannel(**{"label": f"E1-1/{slot}", "bits": BITS, "errors": 0, "interruptions": 0, **one})
        for slot in range(1, 32)
        if slot != 16
        for one in [(changes or {}).get(slot, {})]
    )
    return LoopOutcome(**{"board": "town", "way": LoopWay.FAR, "seconds": 10.0, "channels": channels, **more})


def test_a_good_line_is_one_sentence() -> None:
    assert shown(found()) == ["town: 30 of 30 channels: no bit error in 19.2 million bits"]
    assert is_good(found())


def test_errors_open_and_swapped_channels_are_named() -> None:
    changes: dict[int, dict[str, Any]] = {
        2: {"errors": 1},
        5: {"errors": 64},
        7: {"bits": 0},
        8: {"comes_from": "E1-1/9"},
        9: {"comes_from": "E1-1/8"},
        17: {"interruptions": 2},
        18: {"bits": BITS // 2},
    }
    outcome = found(changes, counters={"crc_errors": 12}, alarms=("RAI",))

    assert shown(outcome) == [
        "town: 27 of 30 channels: no bit error in 17.0 million bits",
        "  E1-1/2: 1 bit error in 0.6 million bits, 1.6e-06",
        "  E1-1/5: 64 bit errors in 0.6 million bits, 1.0e-04",
        "  E1-1/8: comes back from E1-1/9",
        "  E1-1/9: comes back from E1-1/8",
        "  no synchronisation (not looped, or every tenth bit wrong): E1-1/7",
        "  came back for a part of the time only: E1-1/18",
        "  interrupted 2 times (octets lost or put in): E1-1/17",
        "  alarms of the line meanwhile: RAI",
        "  counted by the board meanwhile: 12 crc errors",
    ]
    assert not is_good(outcome)


@pytest.mark.parametrize(
    "slot", [{"errors": 1}, {"bits": 0}, {"comes_from": "E1-1/2"}, {"interruptions": 1}, {"bits": 9}]
)
def test_whatever_is_wrong_with_one_channel_is_not_good(slot: dict[str, Any]) -> None:
    assert not is_good(found({1: slot}))


def test_a_loss_in_the_box_is_told_as_such_and_is_not_the_lines() -> None:
    outcome = found({slot: {"interruptions": 1} for slot in range(1, 32)}, counters={"lost_outward": 3})

    assert is_good(outcome)
    assert shown(outcome)[1:] == [
        "  interrupted 1 time (octets lost or put in): all channels",
        "  lost or slipped in the box (an interruption there is not the line's): 3 lost outward",
    ]
    assert not is_good(found({slot: {"interruptions": 1} for slot in range(1, 32)}))


def test_a_line_without_loop_and_a_loop_for_the_exchange_are_said_in_words() -> None:
    nothing = found({slot: {"bits": 0} for slot in range(1, 32)})
    assert shown(nothing) == ["town: 0 of 30 channels come back: there is no loop, or it is open"]
    outward = LoopOutcome(board="town", way=LoopWay.TOWARD_EXCHANGE, seconds=60.0, looped_by="box")
    assert shown(outward) == ["town: was looped towards the exchange for 60 s (by the box, the time slots of calls)"]
    (said,) = shown(LoopOutcome(board="town", way=LoopWay.TOWARD_EXCHANGE, seconds=60.0, looped_by="card"))
    assert "by the card, all 32 time slots, as the card's driver says" in said


@pytest.mark.parametrize("seconds", [0.5, 601, float("nan")])
def test_what_cannot_be_is_said_before_the_box_is_asked(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(ClearError, match="cannot last"):
        loop_test(BoxPaths(tmp_path, tmp_path), "town", LoopWay.FAR, seconds)


def test_each_reason_has_words_and_a_remedy() -> None:
    reasons = {"no_such_board", "no_time_slots", "not_working", "calls", "no_carrier", "running", "cannot_loop"}
    reasons |= {"board_failed", "stopped", "gateway_gone"}
    refusals = {"unknown_board", "no_loop_test", "calls_on_board", "loop_test_running", "not_possible_now"}
    assert reasons | refusals == set(WHY)
    assert all(what and remedy for what, remedy in WHY.values())
