"""Problem and remedy on a terminal of 80 columns: lines of their own, none too long, Chinese counted as it is shown."""

from __future__ import annotations

import pytest

from firmware.box.commands.terminal_lines import columns_of, laid_out, problem_and_remedy

ENGLISH = "nothing comes in at this span and nobody knows why; " * 4
CHINESE = "线路没有信号，请检查电缆与接头，并确认对端交换机已经开通这条线路；" * 3
MIXED = "板卡 town（dahdi_e1）没有收到 CRC4 复帧，请核对 boards.json 中的 signalling，" * 3


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, MIXED])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(text: str) -> None:
    lines = laid_out("  remedy:  ", text)

    assert len(lines) > 2
    assert all(columns_of(line) <= 80 for line in lines)
    assert "".join("".join(lines).split()) == "remedy:" + "".join(text.split())
    assert lines[0].startswith("  remedy:  ") and all(line[:11] == " " * 11 != line for line in lines[1:])


def test_a_line_of_chinese_is_filled_and_does_not_begin_with_punctuation() -> None:
    lines = laid_out("", CHINESE)

    assert all(columns_of(line) >= 77 for line in lines[:-1])
    assert not any(line[0] in "，；" for line in lines)


def test_problem_and_remedy_stand_one_below_the_other() -> None:
    assert problem_and_remedy("no frames", "check the cable") == ["  problem: no frames", "  remedy:  check the cable"]
    assert problem_and_remedy("no frames", "") == ["  problem: no frames"]
    assert problem_and_remedy("", "") == []


def test_a_path_is_not_cut() -> None:
    path = "/var/lib/linebox/" + "x" * 90

    assert laid_out("  remedy:  ", f"remove {path} first")[1].strip() == path


def test_columns() -> None:
    assert (columns_of("span 1"), columns_of("线匣"), columns_of("（A）"), columns_of("e\u0301")) == (6, 4, 5, 1)
