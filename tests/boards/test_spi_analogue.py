"""Phones and exchange lines on SPI line chips, simulated: what they tell, and what becomes of each kind of trouble."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import cast

import pytest

from boards.base import BoardError
from boards.signals import (
    DialPulses,
    Digit,
    Flash,
    HookChange,
    Loop,
    LoopCurrent,
    Polarity,
    Ring,
    RingDetected,
)
from drivers.si3210 import LineFeed, Si3210
from drivers.simulated.register_chip import Fault
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from tests.boards.chip_board import ChipBench


@pytest.fixture
def bench() -> Iterator[ChipBench]:
    """Two phones and an exchange line, not yet open."""
    bench = ChipBench("si3210", "si3210", "si3050")
    yield bench
    bench.board.close()


def phone(bench: ChipBench, number: int = 0) -> SimulatedSi3210:
    return cast(SimulatedSi3210, bench.chips[number])


def line(bench: ChipBench) -> SimulatedSi3050:
    return cast(SimulatedSi3050, bench.chips[2])


# ---- start -----------------------------------------------------------------------------------------------------------


def test_ports_are_out_of_service_until_their_chips_work(bench: ChipBench) -> None:
    bench.board.open()
    bench.run(30)
    assert bench.raised() == {
        "card-FXS-1: starting": (0,),
        "card-FXS-2: starting": (1,),
        "card-FXO-1: starting": (2,),
    }

    bench.run(1500)

    assert bench.raised() == {}
    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE
    assert phone(bench).get_field("pcm_mode", "enable") == 1
    assert phone(bench, 1).get("transmit_start_low") == 8


def test_power_up_is_in_the_order_of_the_data_sheet(bench: ChipBench) -> None:
    bench.started()

    order = [name for name, _ in phone(bench).writes]
    steps = ["indirect_address", "power_down_1", "calibration_1", "pcm_mode", "interrupt_enable_2"]
    first = [order.index(name) for name in steps[:1]] + [len(order) - 1 - order[::-1].index(name) for name in steps[1:]]
    assert first == sorted(first)
    assert order[-1] == "line_feed"
    assert phone(bench).indirect[20] == 0x7E6D  # 25 Hz


def test_a_phone_that_lies_lifted_at_the_start_is_told(bench: ChipBench) -> None:
    phone(bench, 1).lift()
    bench.board.open()
    bench.run(1500)

    assert HookChange(1, True) in bench.told


# ---- phones ----------------------------------------------------------------------------------------------------------


def test_a_phone_rings_is_lifted_flashes_dials_and_is_put_down(bench: ChipBench) -> None:
    bench.started()
    bench.board.send_signal(Ring(0, True))
    bench.run(500)
    assert phone(bench).rings
    assert bench.take() == []

    phone(bench).lift()
    bench.run(200)
    assert not phone(bench).rings  # ring trip: the chip itself ends ringing
    assert bench.take() == [HookChange(0, True)]
    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE

    phone(bench).put_down()
    bench.run(200)
    phone(bench).lift()
    bench.run(300)
    assert bench.take() == [Flash(0)]

    for _ in range(3):
        phone(bench).put_down()
        bench.run(60)
        phone(bench).lift()
        bench.run(40)
    bench.run(400)
    assert bench.take() == [Digit(0, "3", 180)]

    phone(bench).put_down()
    bench.run(1000)
    assert bench.take() == [HookChange(0, False)]


def test_between_rings_the_line_can_carry_caller_identity_and_later_rests(bench: ChipBench) -> None:
    bench.started()
    bench.board.send_signal(Ring(0, True))
    bench.run(1000)
    bench.board.send_signal(Ring(0, False))
    bench.run(4000)  # the whole pause between two rings
    assert phone(bench).feed() is LineFeed.FORWARD_ON_HOOK_TRANSMISSION

    bench.run(2010)

    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE
    assert bench.take() == []


def test_a_lifted_phone_is_not_rung(bench: ChipBench) -> None:
    bench.started()
    phone(bench).lift()
    bench.run(50)

    bench.board.send_signal(Ring(0, True))

    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE


# ---- exchange lines --------------------------------------------------------------------------------------------------


def test_an_exchange_line_rings_and_is_answered(bench: ChipBench) -> None:
    bench.started()
    line(bench).ring(True)
    bench.run(1000)
    line(bench).ring(False)
    bench.run(500)
    assert bench.take() == [RingDetected(2, True), RingDetected(2, False)]

    bench.board.send_signal(Loop(2, True))
    bench.run(300)
    assert line(bench).off_hook()
    assert bench.take() == [LoopCurrent(2, True)]


def test_a_knock_on_the_line_is_no_ring(bench: ChipBench) -> None:
    bench.started()
    line(bench).ring(True)
    bench.run(20)
    line(bench).ring(False)
    bench.run(500)

    assert bench.take() == []


def test_polarity_and_loop_drop_are_told(bench: ChipBench) -> None:
    bench.started()
    bench.board.send_signal(Loop(2, True))
    bench.run(300)
    bench.forget()

    line(bench).reverse()
    bench.run(200)
    assert bench.take() == [Polarity(2, True)]
    line(bench).cut_line()
    bench.run(50)
    assert bench.take() == []  # a hole of the exchange's switching
    bench.run(200)
    assert bench.take() == [LoopCurrent(2, False)]


def test_digits_are_dialled_by_breaking_the_loop(bench: ChipBench) -> None:
    bench.started()
    bench.board.send_signal(Loop(2, True))
    bench.run(500)
    bench.board.send_signal(DialPulses(2, "3*0"))
    seen = [True]
    for _ in range(350):
        bench.run(10)
        seen.append(line(bench).off_hook())

    breaks = [at for at in range(1, len(seen)) if seen[at - 1] and not seen[at]]
    makes = [at for at in range(1, len(seen)) if seen[at] and not seen[at - 1]]
    assert len(breaks) == len(makes) == 13
    assert {make - at for at, make in zip(breaks, makes, strict=True)} == {6}  # 60 ms
    gaps = [after - make for make, after in zip(makes, breaks[1:], strict=False)]
    assert gaps.count(4) == 11
    assert next(gap for gap in gaps if gap != 4) >= 50
    assert LoopCurrent(2, False) not in bench.take()


def test_a_cut_line_is_an_alarm_of_that_port_until_it_is_back(bench: ChipBench) -> None:
    bench.started()
    line(bench).cut_line()
    bench.run(2500)
    assert bench.raised() == {"card-FXO-1: no line voltage": (2,)}

    line(bench).cut_line(False)
    bench.run(100)
    assert bench.raised() == {}


# ---- trouble ---------------------------------------------------------------------------------------------------------


def only_alarm(bench: ChipBench) -> str:
    ((alarm, _),) = bench.raised().items()
    return alarm


@pytest.mark.parametrize(
    ("fault", "what"),
    [(Fault.STUCK_HIGH, "stays high"), (Fault.STUCK_LOW, "stays low"), (Fault.GONE, "SPI bus failed")],
)
def test_a_dead_port_is_out_of_service_with_its_reason_and_comes_back(
    bench: ChipBench, fault: Fault, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.started()
    phone(bench).lift()
    bench.run(100)
    bench.forget()

    phone(bench).fault = fault
    bench.run(3000)
    assert what in only_alarm(bench)
    assert bench.raised()[only_alarm(bench)] == (0,)
    assert [record for record in caplog.messages if "card-FXS-1 (/dev/spidev0.0)" in record and "See that" in record]
    phone(bench, 1).lift()
    bench.run(50)
    assert HookChange(1, True) in bench.told  # the other goes on

    phone(bench).reset()
    phone(bench).fault = Fault.NONE
    bench.run(2500)
    assert bench.raised() == {}
    assert HookChange(0, True) in bench.told  # still lifted, told anew


@pytest.mark.parametrize("fault", [Fault.STUCK_HIGH, Fault.GONE])
def test_a_dead_port_is_tried_once_a_second(bench: ChipBench, fault: Fault) -> None:
    """More often would hold up the ports that share its bus, and fill the log."""
    bench.started()
    phone(bench).fault = fault
    bench.run(300)
    only_alarm(bench)
    bench.place.opened.clear()
    tries = []
    for ms in range(0, 5000, 10):
        bench.run(10)
        tries += [ms] * len(bench.place.opened)
        bench.place.opened.clear()

    apart = [later - before for before, later in itertools.pairwise(tries)]
    assert len(tries) in (4, 5)
    assert all(1000 <= one <= 1050 for one in apart), apart


def test_a_brown_out_while_talking_is_found_and_healed(bench: ChipBench) -> None:
    bench.started()
    phone(bench).lift()
    bench.run(100)
    bench.forget()

    phone(bench).reset()
    bench.run(300)
    assert "lost its set-up" in only_alarm(bench)

    bench.run(2500)
    assert bench.raised() == {}
    assert phone(bench).feed() is LineFeed.FORWARD_ACTIVE
    line(bench).reset()
    bench.run(300)
    assert "lost its set-up" in only_alarm(bench)
    bench.run(3000)
    assert bench.raised() == {}


@pytest.mark.parametrize("fault", [Fault.STUCK_HIGH, Fault.STUCK_LOW])
def test_a_dead_bus_is_no_lifted_phone_and_no_ring(bench: ChipBench, fault: Fault) -> None:
    bench.started()
    for chip in bench.chips:
        chip.fault = fault
    with pytest.raises(BoardError):
        bench.run(500)

    assert [one for one in bench.told if isinstance(one, HookChange | RingDetected)] == []


@pytest.mark.parametrize("number", [0, 2])
def test_an_interrupt_storm_takes_the_port_out_and_not_the_board(bench: ChipBench, number: int) -> None:
    bench.started()
    bench.chips[number].storm = True  # type: ignore[attr-defined]
    bench.run(1500)
    assert "interrupts without end" in only_alarm(bench)

    bench.chips[number].storm = False  # type: ignore[attr-defined]
    bench.run(3500)
    assert bench.raised() == {}


def test_the_quickest_dialling_is_no_storm(bench: ChipBench) -> None:
    bench.started()
    phone(bench).lift()
    for _ in range(60):
        phone(bench).put_down()
        bench.run(30)
        phone(bench).lift()
        bench.run(20)

    assert bench.raised() == {}


@pytest.mark.parametrize(
    ("trouble", "what", "remedy"),
    [
        ("never_calibrates", "the calibration has not ended after 2 s", "telephone's plug"),
        ("shorted", "the battery supply does not come up", "12 V"),
    ],
)
def test_a_chip_that_does_not_come_up_is_shown_and_tried_again(trouble: str, what: str, remedy: str) -> None:
    bench = ChipBench("si3210")
    setattr(bench.chips[0], trouble, True)
    bench.board.open()
    with pytest.raises(BoardError) as error:
        bench.run(4000)
    assert what in error.value.what
    assert "card-FXS-1" in error.value.where
    assert remedy in error.value.remedy

    setattr(bench.chips[0], trouble, False)
    bench.board.open()
    bench.run(2000)
    assert bench.raised() == {}
    bench.board.close()


@pytest.mark.parametrize(
    ("kind", "register", "value"),
    [
        ("si3210", "spi_mode", 0x15),  # another part of the family
        ("si3210", "spi_mode", 0x0F),
        ("si3210", "hybrid", 0x00),
        ("si3050", "revision", 0x30),
        ("si3050", "revision", 0x93),
    ],
)
def test_a_wrong_chip_is_refused_at_once_and_the_right_one_taken(kind: str, register: str, value: int) -> None:
    bench = ChipBench(kind)
    right = bench.chips[0].get(register)
    bench.chips[0].set(register, value)
    with pytest.raises(BoardError, match="the chip that answers is no Si3") as error:
        bench.board.open()
    assert "/dev/spidev0.0" in error.value.where
    assert "boards.json" in error.value.remedy

    bench.chips[0].set(register, right)
    bench.started()
    bench.board.close()


def test_one_wrong_chip_among_good_ones_is_an_alarm_of_its_port(bench: ChipBench) -> None:
    phone(bench, 1).set("spi_mode", 0x15)
    bench.board.open()
    bench.run(1500)

    assert bench.raised() == {only_alarm(bench): (1,)}
    assert "no Si3210" in only_alarm(bench)


def test_a_line_side_that_does_not_answer_is_shown() -> None:
    bench = ChipBench("si3050")
    cast(SimulatedSi3050, bench.chips[0]).no_line_side = True
    bench.board.open()
    with pytest.raises(BoardError, match="the link to the line side has not come up"):
        bench.run(4000)
    bench.board.close()


def test_an_indirect_register_that_does_not_keep_its_value_is_found() -> None:
    bench = ChipBench("si3210")
    bench.board.open()
    bench.run(60)
    phone(bench).indirect[32] = 0

    with pytest.raises(BoardError, match="power_alarm_q1_q2 does not keep what is written"):
        bench.run(2000)
    bench.board.close()


def test_a_hot_transistor_opens_the_alarm_of_its_port(bench: ChipBench) -> None:
    bench.started()
    phone(bench).set_field("interrupt_status_2", power_alarm=4)
    bench.run(100)

    assert "too hot" in only_alarm(bench)


def test_both_framings_reach_the_chip() -> None:
    for framing in ("byte", "whole"):
        chip = SimulatedSi3210()
        Si3210(chip, "port", framing).write("loop_current_limit", 5)  # type: ignore[arg-type]
        assert chip.get("loop_current_limit") == 5


@pytest.mark.parametrize("seed", range(8))
def test_noise_on_the_bus_is_never_worse_than_a_failed_port(seed: int) -> None:
    bench = ChipBench("si3210", "si3050", "si3210")
    noise = random.Random(seed)
    if seed % 2:
        bench.started()
    quiet = [chip.transfer for chip in bench.chips]
    for chip, real in zip(bench.chips, quiet, strict=True):
        chip.transfer = lambda data, real=real: [  # type: ignore[method-assign, misc]
            noise.randrange(256) if noise.random() < 0.3 else byte for byte in real(data)
        ]
    for _ in range(300):
        try:
            bench.board.open()
            for channel, signal in enumerate((Ring(0, True), Loop(1, True), Ring(2, False))):
                assert signal.channel == channel
                bench.board.send_signal(signal)
            bench.run(30)
        except BoardError as error:
            assert error.remedy

    for chip, real in zip(bench.chips, quiet, strict=True):
        chip.transfer = real  # type: ignore[method-assign]
        chip.reset()
    bench.forget()
    bench.board.close()
    bench.board.open()
    bench.run(3500)
    assert bench.raised() == {}
    bench.board.close()
