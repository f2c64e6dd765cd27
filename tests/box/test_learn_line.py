"""`linebox learn-line`: which line is meant, what is shown, and what is said when nothing was learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.box.commands.learn_line import WHY, WHY_CALLING, label_of, learn_line, not_learnt, shown
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths
from firmware.tones.cadence import LearnedTone

LINES = ("FXO-1", "FXO-2", "cards-FXO-3")


@pytest.mark.parametrize(
    ("said", "meant"), [("1", "FXO-1"), ("FXO-2", "FXO-2"), ("3", "cards-FXO-3"), ("cards-FXO-3", "cards-FXO-3")]
)
def test_a_line_is_meant_by_its_number_or_its_label(said: str, meant: str) -> None:
    assert label_of(said, LINES) == meant


@pytest.mark.parametrize(
    ("said", "lines", "what"),
    [
        ("9", LINES, "no exchange line 9.*FXO-1, FXO-2, cards-FXO-3"),
        ("", LINES, "no exchange line"),
        ("1", ("a-FXO-1", "b-FXO-1"), "more than one line is meant by 1.*name it whole: a-FXO-1 or b-FXO-1"),
        ("1", (), "the box has none"),
    ],
)
def test_a_line_that_is_not_there_is_told_with_those_that_are(said: str, lines: tuple[str, ...], what: str) -> None:
    with pytest.raises(ClearError, match=f"(?s){what}"):
        label_of(said, lines)


@pytest.mark.parametrize(("number", "seconds"), [("12a", 60), ("1" * 25, 60), ("", 4), ("", 601), ("", float("nan"))])
def test_what_cannot_be_is_said_before_the_box_is_asked(number: str, seconds: float, tmp_path: Path) -> None:
    with pytest.raises(ClearError, match=r"is no number|cannot listen"):
        learn_line(BoxPaths(tmp_path, tmp_path), "1", number, seconds)


def test_what_was_measured_is_shown_with_its_spread() -> None:
    tone = LearnedTone(411.2, 190.4, 199.6, -21.5, 10, (186.1, 194.0), (196.2, 204.4))
    assert shown("FXO-1", tone) == [
        "FXO-1: busy tone of 411 Hz, 190 ms on and 200 ms off, -22 dBm0",
        "  measured 10 times: 186 to 194 ms on, 196 to 204 ms off",
    ]


@pytest.mark.parametrize(("level", "receive_db"), [(-10.0, ""), (-22.9, ""), (-24.0, "4"), (-31.0, "6")])
def test_a_quiet_line_is_told_with_the_level_that_makes_up_for_it(level: float, receive_db: str) -> None:
    lines = shown("FXO-1", LearnedTone(450.0, 350.0, 350.0, level, 10, (349.0, 351.0), (349.0, 351.0)))

    assert [line.split('"receive_db": ')[1].split()[0] for line in lines[2:]] == ([receive_db] if receive_db else [])


def test_each_reason_has_words_and_a_remedy() -> None:
    reasons = {"busy", "out_of_service", "no_call", "no_dial_tone", "no_tone", "loop_drop", "line_failed"}
    assert reasons | {"unknown_line", "line_busy", "not_possible_now", "no_such_line"} == set(WHY)
    assert all(what and remedy for what, remedy in WHY.values())
    assert WHY_CALLING.keys() <= WHY.keys()


def test_who_called_by_hand_is_told_when_to_hang_up() -> None:
    told = str(not_learnt("no_tone", ""))

    assert "hang up the other phone" in told and "--seconds 180" in told
    assert "busy" not in told


def test_who_had_the_box_call_is_told_to_name_a_busy_number() -> None:
    told = str(not_learnt("no_tone", "13800138010"))

    assert "the call that the box made" in told and "name a number that is busy" in told and "--seconds 180" in told
    assert "other phone" not in told and "hang up" not in told


def test_a_reason_of_another_version_is_told_all_the_same() -> None:
    assert "nothing was learnt (of_tomorrow)" in str(not_learnt("of_tomorrow", ""))
