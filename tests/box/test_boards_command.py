"""What `linebox boards` tells of boards and spans. On the driver itself: tests/vm/inside/guest_boards_command.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.dahdi import ChannelState, DahdiError
from drivers.dahdi_card_module import CardModule
from drivers.dahdi_control import Span
from drivers.dahdi_numbers import SpanAlarm
from firmware.box import cli
from firmware.box.commands import boards as boards_command
from firmware.box.commands.boards import boards_of_the_box, listing, system_conf
from firmware.box.commands.terminal_lines import columns_of
from firmware.box.demonstration import demonstration_documents
from firmware.core.configuration import save_subjects
from firmware.core.faults import fault, said
from firmware.core.line_schemas import BoardEntry, DahdiE1, DahdiPorts
from firmware.core.paths import box_paths
from firmware.lines.messages import BoardState

TOWN = BoardEntry(board="town", kind="dahdi_e1", e1=DahdiE1(span=1))
SIM = BoardEntry(board="sim", kind="sim")


def span(alarms: SpanAlarm) -> Span:
    counters = dict.fromkeys(
        ("bipolar_violations", "crc4_errors", "e_bit_errors", "frame_errors", "irq_misses", "sync_source"), 0
    )
    shape = {"channels": 31, "total_channels": 31, "line_config": 0, "line_compatible": 0, "location": "", "device": ""}
    return Span(number=1, name="WCT1/0", description="测试用卡", kind="E1", alarms=alarms, **counters, **shape)


def channels() -> list[ChannelState]:
    return [ChannelState(number, 1, number, 0, 0, False, 2, f"WCT1/0/{number}") for number in range(1, 32)]


def test_each_alarm_has_its_problem_and_its_remedy_below_it() -> None:
    told = listing([span(SpanAlarm.RED | SpanAlarm.LOS)], [channels()], [TOWN]).splitlines()

    at = told.index("  problem: LOS: nothing comes in")
    assert told[at + 1 : at + 3] == [
        "  remedy:  Check cable and connectors, and that the exchange has the span in",
        "           service",
    ]
    assert all(columns_of(line) <= 80 for line in told)


def test_a_board_whose_span_is_not_there_has_its_remedy_below_it() -> None:
    told = listing([], [], [TOWN]).splitlines()

    assert told == [
        "board town (dahdi_e1)",
        "  problem: the driver has no span 1",
        "  remedy:  load the module of its card, or correct boards.json",
    ]


@pytest.mark.parametrize(
    ("second_card", "choices", "told"),
    [("slot 4", (1, 1), True), ("slot 4", (1, 2), False), ("slot 4", (0, 0), False), ("slot 5", (1, 1), False)],
)
def test_spans_of_one_card_that_want_the_same_place_in_its_list_of_clocks_are_told(
    second_card: str, choices: tuple[int, int], told: bool
) -> None:
    pair = [
        replace(span(SpanAlarm(0)), number=number, location=location)
        for number, location in ((1, "slot 4"), (2, second_card))
    ]
    entries = [
        BoardEntry(board=f"town-{number}", kind="dahdi_e1", e1=DahdiE1(span=number, clock_from=choice))
        for number, choice in enumerate(choices, 1)
    ]

    lines = listing(pair, [channels(), channels()], entries).splitlines()

    assert ("card at slot 4, spans 1, 2" in lines) is told
    assert any("clock_from 1: only one of them gives the clock" in line for line in lines) is told
    assert all(columns_of(line) <= 80 for line in lines)


CARD_LAWS = [
    ("card", 2, "mu", 'give "law": "mu"'),  # somebody configured the channels A-law
    ("card", 2, "a", ""),
    ("card", 1, "mu", ""),
    ("card", 1, "a", ""),  # a channel that has never been open says mu-law
    ("card", 2, "", ""),
    ("a", 2, "mu", 'give "law": "mu"'),
    ("mu", 1, "a", 'give "law": "a"'),
    ("mu", 1, "mu", ""),
]


@pytest.mark.parametrize(("setting", "of_channel", "of_module", "remedy"), CARD_LAWS)
def test_samples_that_are_taken_for_the_wrong_law_are_told(
    setting: str, of_channel: int, of_module: str, remedy: str
) -> None:
    ports = DahdiPorts(span=1, ports=("fxs", "fxs"), law=setting)  # type: ignore[arg-type]
    states = [ChannelState(number, 1, number, 0, 0, False, of_channel, f"WCTDM/0/{number}") for number in (1, 2)]
    entry = BoardEntry(board="phones", kind="dahdi_analogue", ports=ports)

    told = listing([span(SpanAlarm(0))], [states], [entry], {1: CardModule("wctdm", law=of_module)})

    assert ("is taken for" in told) is bool(remedy)
    assert remedy in told
    assert all(columns_of(line) <= 80 for line in told.splitlines())


FOREIGN, HOME = CardModule("wctdm24xxp", "a", "FCC", 20), CardModule("wctdm24xxp", "a", "CHINA", 25)


@pytest.mark.parametrize(
    ("ports", "module", "told"),
    [
        (("fxs", "fxo"), FOREIGN, {"opermode=CHINA", "fastringer=1"}),
        (("fxo", "fxo"), FOREIGN, {"opermode=CHINA"}),
        (("fxs", "fxs"), FOREIGN, {"fastringer=1"}),
        (("fxs", "fxo"), HOME, set()),
        (("fxs", "fxo"), CardModule(), set()),
        (("fxs", "fxo"), CardModule("wctdm24xxp", hidden=True), {"root"}),
    ],
)
def test_a_card_whose_module_was_loaded_for_another_country_is_told(
    ports: tuple[str, ...], module: CardModule, told: set[str]
) -> None:
    entry = BoardEntry(board="phones", kind="dahdi_analogue", ports=DahdiPorts(span=1, ports=ports))  # type: ignore[arg-type]
    states = [ChannelState(number, 1, number, 0, 0, False, 2, f"WCTDM/0/{number}") for number in (1, 2)]

    lines = listing([span(SpanAlarm(0))], [states], [entry], {1: module})

    words = set(lines.replace(".", " ").split())
    assert words & {"opermode=CHINA", "fastringer=1", "root"} == told
    assert all(columns_of(line) <= 80 for line in lines.splitlines())


@pytest.mark.parametrize(("setting", "line"), [("card", ""), ("a", "alaw=1,2"), ("mu", "mulaw=1,2")])
def test_the_written_file_says_no_law_of_a_card_that_is_to_be_asked(setting: str, line: str) -> None:
    ports = DahdiPorts(span=1, ports=("fxs", "fxo"), law=setting)  # type: ignore[arg-type]
    states = [ChannelState(number, 1, number, 0, 0, False, 2, f"WCTDM/0/{number}") for number in (1, 2)]
    entry = BoardEntry(board="phones", kind="dahdi_analogue", ports=ports)

    written = system_conf([span(SpanAlarm(0))], [states], [entry]).splitlines()

    assert [one for one in written if "law=" in one] == ([line] if line else [])
    assert "alaw=" in system_conf([span(SpanAlarm(0))], [channels()], [TOWN])


def test_a_driver_without_spans_says_why_that_may_be() -> None:
    assert "auto_assign_spans=1" in listing([], [], [])


def test_the_boards_of_the_running_box_with_problem_and_remedy() -> None:
    problem, remedy = "没有任何信号，" * 8, "Check the cable, then the exchange, then the card; " * 3
    states = [
        BoardState(board="town", working=False, faults=(said(problem, remedy),), channels=30),
        BoardState(
            board="sim",
            working=True,
            channels=40,
            faults=(fault("NO_LINE").at("FXO-2"),),
            lost_outward=7,
            counters={"slips": 3, "crc_errors": 12},
        ),
    ]

    told = boards_of_the_box([TOWN, SIM], states).splitlines()

    assert told[0] == "board town (dahdi_e1): does not work"
    assert told[1].startswith("  problem: 没有任何信号，") and told[2].startswith(" " * 11)
    assert sum(line.startswith("  remedy:  Check the cable") for line in told) == 1
    at = told.index("board sim (sim): works, 40 channels")
    assert told[at + 1 :] == [
        "  counted: slips 3, crc errors 12, lost outward 7",
        "  problem: FXO-2: no line voltage",
        "  remedy:  Check that the exchange line is plugged in; else ask the operator",
    ]
    assert all(columns_of(line) <= 80 for line in told)


def test_a_box_without_cards_needs_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_loaded() -> None:
        raise DahdiError(fault("dahdi_absent", doing="opening"), "/dev/dahdi/ctl")

    monkeypatch.setattr(boards_command, "Control", not_loaded)
    paths = box_paths(tmp_path / "data")
    paths.make()
    save_subjects(paths, demonstration_documents("a password for tests"))

    assert cli.main(["boards", "--data", str(paths.data)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "the box does not run, or just starts; what its boards need was looked for",
        "board sim (sim)",
        "board sip (sip)",
        "no board of boards.json needs the DAHDI driver, and it is not loaded",
    ]
