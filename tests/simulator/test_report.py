"""What the report's files say is what happened, also over a restart and while it is being written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware.core.clock import Stamp
from firmware.simulator.journal import MOST_HEARD_BLOCKS, HeardStretch, Journal, Party
from firmware.simulator.pattern import pattern_samples
from firmware.simulator.report import ClockEntry, ReportWriter, read_report

AT = Stamp(1, 2, True)
PARTY = Party(name="li", role="citizen", speaker=1001, calling="13800001111", called="12345")


def listening(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.hear(number, pattern_samples(3, number * 80, 80).tobytes())


def test_parts_written_one_after_the_other_read_as_one_conversation(tmp_path: Path) -> None:
    journal = Journal(PARTY, remember=True)
    writer = ReportWriter(tmp_path / "report")
    journal.note(5, AT, "calling", "E1-1/1")
    journal.say("pattern", 400, speaker=1001)
    listening(journal, 5, 6)
    writer.take(journal, 560)
    listening(journal, 7, 8, 10)
    journal.on_channel("E1-1/1")
    journal.fall_silent(880)
    journal.say("1", 880)
    journal.fall_silent(960)
    writer.take(journal, 960)
    writer.clock([ClockEntry(block=9, at=AT, event="stall", microseconds=30_000)])
    writer.close()

    people, clock = read_report(tmp_path / "report")

    person = people["li"]
    assert person.party.channel == "E1-1/1"
    assert [event.event for event in person.events] == ["calling"]
    assert [(s.first_block, s.blocks, s.offset) for s in person.heard] == [(5, 4, 0), (10, 1, 320)]
    assert [(s.what, s.first, s.last, s.goes_on) for s in person.sent] == [
        ("pattern", 400, 880, False),
        ("1", 880, 960, False),
    ]
    assert person.missing_blocks() == 1
    assert person.heard_pattern(3, 400, 720).exactly_once
    assert [gap.first for gap in person.heard_pattern(3).missing] == [720]
    assert [entry.microseconds for entry in clock] == [30_000]


def test_a_simulator_that_starts_again_appends_behind_what_was_heard_before(tmp_path: Path) -> None:
    for first in (100, 500):
        journal = Journal(PARTY, remember=True)
        listening(journal, first)
        writer = ReportWriter(tmp_path)
        writer.take(journal, 0)
        writer.close()

    person = read_report(tmp_path)[0]["li"]

    assert [(s.first_block, s.offset) for s in person.heard] == [(100, 0), (500, 80)]
    assert np.array_equal(person.sound[80:], pattern_samples(3, 500 * 80, 80))


def test_blocks_are_missing_at_gaps_and_not_where_another_gateway_counts_from_its_beginning(tmp_path: Path) -> None:
    journal = Journal(PARTY, remember=True)
    listening(journal, 7, 8, 11, 0, 1, 3)
    writer = ReportWriter(tmp_path)
    writer.take(journal, 0)
    writer.close()

    assert read_report(tmp_path)[0]["li"].missing_blocks() == 2 + 1


def test_a_report_is_readable_while_a_line_is_half_written(tmp_path: Path) -> None:
    journal = Journal(PARTY, remember=True)
    listening(journal, 1)
    writer = ReportWriter(tmp_path)
    writer.take(journal, 0)
    writer.close()
    with (tmp_path / "li.jsonl").open("ab") as lines, (tmp_path / "li.alaw").open("ab") as sound:
        lines.write(b'{"kind":"heard","first_bl')
        sound.write(b"\x55" * 80)

    person = read_report(tmp_path)[0]["li"]

    assert len(person.sound) == 80


def test_what_nobody_takes_is_bounded_and_counted() -> None:
    journal = Journal(PARTY, remember=True)

    for number in range(MOST_HEARD_BLOCKS + 7):
        journal.hear(number, bytes(80))
    entries, heard = journal.take(0)

    assert journal.heard_dropped == 7
    assert len(heard) == MOST_HEARD_BLOCKS * 80
    assert sum(entry.blocks for entry in entries if isinstance(entry, HeardStretch)) == MOST_HEARD_BLOCKS


def test_a_disk_that_fails_is_told_and_holds_nothing_up(tmp_path: Path) -> None:
    writer = ReportWriter(tmp_path / "report")
    (tmp_path / "report").rmdir()
    journal = Journal(PARTY, remember=True)

    writer.take(journal, 0)
    writer.close()

    assert "No such file" in writer.problem


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="Not a directory"):
        ReportWriter(tmp_path / "file" / "report")
