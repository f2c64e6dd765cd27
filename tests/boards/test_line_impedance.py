"""The impedance that ports on SPI line chips give to their lines: China's unless told otherwise, and not lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from drivers.simulated.si3050 import SimulatedSi3050
from drivers.spi_line_chip import Termination
from tests.boards.chip_board import ChipBench

HERTZ = np.linspace(300, 3400, 311)


def network(series: float, parallel: float, farads: float) -> np.ndarray:
    """Ohms of a resistor in series with another one that has a capacitor across it."""
    return series + 1 / (1 / parallel + 2j * np.pi * HERTZ * farads)


CHINA = network(200, 680, 100e-9)
"""GF 002-9002, subscriber line."""
OF_SI3210 = {
    0: np.full_like(CHINA, 600),
    1: np.full_like(CHINA, 900),
    4: network(270, 750, 150e-9),
    5: network(220, 820, 120e-9),
    6: network(220, 820, 115e-9),
    7: network(370, 620, 310e-9),
}
"""What register 10 offers without other parts on the board."""


def return_loss(ohms: np.ndarray) -> float:
    """The least between 300 and 3400 Hz against a line of China, in dB."""
    return float(20 * np.log10(np.abs((CHINA + ohms) / (CHINA - ohms))).min())


def started(line: Termination = "china", line_side: int = 3) -> ChipBench:
    bench = ChipBench("si3210", "si3050", line=line)
    cast(SimulatedSi3050, bench.chips[1]).line_side = line_side
    return bench.started()


@pytest.fixture
def china() -> Iterator[ChipBench]:
    bench = started()
    yield bench
    bench.board.close()


def test_an_exchange_line_is_terminated_for_china_by_itself(china: ChipBench) -> None:
    daa = china.chips[1]

    assert daa.get_field("ac_termination", "impedance") == 0b1010, "200 ohm + 680 ohm || 100 nF"
    assert daa.get("international_1") == 0, "OHS 0, RZ 0, RT 0: a line rings with 90 V and is given up at once"
    assert daa.get_field("daa_control_3", "on_hook_speed") == 0
    assert daa.get_field("dc_termination", "voltage") == 3
    assert daa.get_field("dc_termination", "minimum_current") == 0
    assert daa.get_field("dc_termination", "limit") == 0


def test_the_line_side_is_set_when_it_can_be_reached(china: ChipBench) -> None:
    order = [name for name, _ in china.chips[1].writes]

    assert order.index("daa_control_2") < order.index("dc_termination") < order.index("ac_termination")


def test_a_telephone_meets_the_nearest_to_chinas_impedance_that_its_chip_has(china: ChipBench) -> None:
    slic = china.chips[0]
    chosen = OF_SI3210[slic.get_field("two_wire_impedance", "synthesis")]

    assert slic.get_field("two_wire_impedance", "enable") == 1
    assert return_loss(chosen) == max(map(return_loss, OF_SI3210.values()))
    assert return_loss(chosen) > 20 > 10 > return_loss(OF_SI3210[0])


def test_a_line_side_without_chinas_impedance_takes_the_one_for_every_country() -> None:
    bench = started(line_side=1)

    assert bench.chips[1].get_field("ac_termination", "impedance") == 0b1111
    bench.board.close()


@pytest.mark.parametrize("line_side", [1, 3])
def test_a_line_within_a_house_can_have_600_ohm(line_side: int) -> None:
    bench = started("600_ohm", line_side)

    assert bench.chips[0].get("two_wire_impedance") == 0x08
    assert bench.chips[1].get("ac_termination") == 0
    bench.board.close()


def test_a_chip_whose_supply_broke_down_gets_its_impedance_again(china: ChipBench) -> None:
    for chip, name, value in ((china.chips[0], "two_wire_impedance", 0x0C), (china.chips[1], "ac_termination", 0x0A)):
        assert chip.get(name) == value
        chip.reset()
        assert chip.get(name) != value
        china.run(4000)
        assert chip.get(name) == value
