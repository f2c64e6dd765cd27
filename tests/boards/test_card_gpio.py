"""Reset and interrupt of a card of line chips, on GPIO lines of the processor: who is woken, who is asked, and when."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from boards import framer_e1, spi_analogue
from boards.base import BoardError
from boards.signals import Digit, Flash, HookChange, Ring, RingDetected
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.core.line_schemas import BoardEntry
from firmware.core.paths import box_paths
from tests.boards.chip_board import ChipBench

RESET, INTERRUPT = "/dev/gpiochip0:17", "/dev/gpiochip0:18"
PHONES = 3


class Wired(ChipBench):
    """Three phones and an exchange line; their interrupt pins pull the processor's line low."""

    def __init__(self) -> None:
        super().__init__(*["si3210"] * PHONES, "si3050", reset=RESET, interrupt=INTERRUPT)
        self.wire_is_cut = False
        self.asked: Counter[int] = Counter()
        self.line = self.place.gpio.level
        for number, chip in enumerate(self.chips):
            chip.transfer = self._counted(number, chip.transfer)  # type: ignore[method-assign]

    def _counted(self, number: int, transfer: Callable[[list[int]], list[int]]) -> Callable[[list[int]], list[int]]:
        def counted(data: list[int]) -> list[int]:
            self.asked[number] += 1
            return transfer(data)

        return counted

    def phone(self, number: int) -> SimulatedSi3210:
        chip = self.chips[number]
        assert isinstance(chip, SimulatedSi3210)
        return chip

    def run(self, ms: int) -> None:
        for _ in range(ms // 10):
            pulled = any(chip.interrupt() for chip in self.chips) and not self.wire_is_cut
            self.line[INTERRUPT] = not pulled
            super().run(10)


@pytest.fixture
def bench() -> Iterator[Wired]:
    bench = Wired()
    bench.started()
    bench.asked.clear()
    yield bench
    bench.board.close()
    assert not bench.place.gpio.held


def test_the_reset_line_is_pulsed_when_the_board_opens_and_the_chips_are_left_alone_for_a_while() -> None:
    bench = Wired()
    assert bench.place.gpio.writes == 0

    bench.board.open()

    assert (RESET, "high") in bench.place.gpio.asked, "low when active: it starts inactive"
    assert (bench.place.gpio.writes, bench.line[RESET]) == (2, True)
    assert not bench.asked
    bench.run(40)
    assert not bench.asked
    bench.run(2000)
    assert bench.raised() == {}
    bench.board.close()


def test_phones_at_rest_are_asked_only_when_they_are_checked(bench: Wired) -> None:
    bench.run(10_000)

    looks = 4 * 10
    assert all(looks * 4 <= bench.asked[number] <= looks * 14 for number in range(PHONES)), bench.asked
    assert bench.asked[PHONES] > 1000 * 4, "an exchange line has no interrupt for its voltage"


def test_what_a_phone_does_is_told_as_soon_as_without_the_line(bench: Wired) -> None:
    bench.phone(1).lift()
    bench.run(10)
    assert bench.take() == [HookChange(1, True)]
    bench.run(200)
    for _ in range(3):
        bench.phone(1).put_down()
        bench.run(60)
        bench.phone(1).lift()
        bench.run(40)
    bench.run(400)
    bench.phone(1).put_down()
    bench.run(200)
    bench.phone(1).lift()
    bench.run(200)
    bench.phone(1).put_down()
    bench.run(1000)
    assert bench.take() == [Digit(1, "3", 180), Flash(1), HookChange(1, False)]

    bench.asked.clear()
    bench.run(1000)
    assert bench.asked[1] < 100, "it rests again"


def test_a_phone_put_down_while_its_chip_was_out_of_service_is_told_as_soon_as_the_chip_works(bench: Wired) -> None:
    bench.phone(0).lift()
    bench.run(500)
    bench.phone(0).set_field("interrupt_status_2", power_alarm=1)
    bench.run(10)
    bench.phone(0).put_down()
    while bench.raised():
        bench.run(10)
    bench.forget()

    bench.run(10)

    assert bench.take() == [HookChange(0, False)]


def test_a_phone_that_rings_is_answered_and_the_exchange_s_ring_is_told(bench: Wired) -> None:
    bench.board.send_signal(Ring(2, True))
    bench.run(300)
    bench.phone(2).lift()
    bench.run(120)
    assert bench.take() == [HookChange(2, True)]
    line = bench.chips[PHONES]
    assert isinstance(line, SimulatedSi3050)
    line.ring(True)
    bench.run(300)
    assert bench.take() == [RingDetected(PHONES, True)]


def test_a_wire_that_is_cut_costs_a_quarter_of_a_second_twice_and_then_nothing(
    bench: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    bench.wire_is_cut = True
    for number in (0, 1):
        bench.phone(number).lift()
        bench.run(260)
        assert bench.take() == [HookChange(number, True)]
    assert [text for text in caplog.messages if INTERRUPT in text and "pull-up" in text]

    bench.phone(2).lift()
    bench.run(10)
    assert bench.take() == [HookChange(2, True)]
    assert INTERRUPT not in bench.place.gpio.held
    assert bench.raised() == {}
    assert bench.board.counters.extra["interrupt_failures"] == 1, "the wall shows it"


def test_a_line_that_fails_costs_nothing(bench: Wired, caplog: pytest.LogCaptureFixture) -> None:
    bench.place.gpio.failing[INTERRUPT] = errno.ENODEV
    bench.phone(0).lift()
    bench.run(10)

    assert bench.take() == [HookChange(0, True)]
    assert [text for text in caplog.messages if INTERRUPT in text]
    del bench.place.gpio.failing[INTERRUPT]


def test_a_line_that_works_is_never_given_up(bench: Wired) -> None:
    """An interrupt that comes between the look at the line and the look at a chip is no proof that it does not."""
    for _ in range(20):
        bench.line[INTERRUPT] = True
        bench.phone(0).lift()
        ChipBench.run(bench, 260)  # seen only by asking
        bench.phone(0).put_down()
        bench.run(1200)
        bench.phone(1).lift()
        bench.run(10)  # told
        bench.phone(1).put_down()
        bench.run(1200)

    assert INTERRUPT in bench.place.gpio.held
    assert bench.board.counters.extra["interrupt_failures"] == 0


def test_interrupts_of_phones_that_are_asked_all_the_time_judge_no_line(bench: Wired) -> None:
    """Each of these comes between the look at the line and the look at the chip, as one in ten does on a busy card."""
    bench.phone(0).lift()
    bench.run(500)
    bench.line[INTERRUPT] = True
    for _ in range(10):
        bench.phone(0).put_down()
        ChipBench.run(bench, 60)
        bench.phone(0).lift()
        ChipBench.run(bench, 40)
    bench.run(500)

    assert bench.take() == [HookChange(0, True), Digit(0, "0", 600)]
    assert INTERRUPT in bench.place.gpio.held


def test_a_chip_whose_pin_hangs_in_the_air_is_found_though_the_others_tell(bench: Wired) -> None:
    for _ in range(2):
        bench.line[INTERRUPT] = True
        bench.phone(0).lift()
        ChipBench.run(bench, 260)
        bench.phone(0).put_down()
        ChipBench.run(bench, 1200)
        bench.phone(1).lift()
        bench.run(10)  # told
        bench.phone(1).put_down()
        bench.run(1200)

    assert bench.board.counters.extra["interrupt_failures"] == 1


def test_knocks_that_come_one_by_one_are_no_storm(bench: Wired) -> None:
    for _ in range(200):
        bench.phone(0).set_field("interrupt_status_2", loop_closure=1)
        bench.run(30)

    assert bench.take() == []


def test_a_line_that_cannot_be_had_is_said_with_its_name() -> None:
    bench = Wired()
    bench.place.gpio.failing[INTERRUPT] = errno.EBUSY
    with pytest.raises(BoardError) as error:
        bench.board.open()

    assert INTERRUPT in error.value.where
    assert "gpioinfo" in error.value.remedy
    assert not bench.place.gpio.held - {INTERRUPT}


NO_LINE = "/dev/gpiochip99:17"
SIMULATED: list[tuple[Any, dict[str, Any]]] = [
    (
        spi_analogue,
        {"analogue": {"ports": [{"chip": "si3210", "spi": "/dev/spidev0.0", "slot": 0}], "interrupt": NO_LINE}},
    ),
    (framer_e1, {"framer": {"spi": "/dev/spidev1.0"}}),
]


@pytest.mark.parametrize(("module", "section"), SIMULATED)
def test_a_simulated_card_works_without_the_lines_that_the_real_one_hangs_on(
    module: Any, section: dict[str, Any]
) -> None:
    ((name, fields),) = section.items()
    given = {name: {**fields, "hardware": "simulated", "reset": NO_LINE}}
    kind = module.__name__.removeprefix("boards.")
    board = module.open_board(msgspec.convert({"board": "card", "kind": kind, **given}, BoardEntry), box_paths(None))

    board.open()

    board.receive()
    board.close()
