"""Register tables: shipped ones hold together, wrong ones are refused, settings fit."""

from __future__ import annotations

import msgspec
import pytest

from drivers.e1_framer import Ds26521
from drivers.register_table import RegisterTable, register_table
from drivers.si3210 import ringing_coefficients

CHIPS = ("si3210", "si3050", "ds26521")
HEAD = 'chip = "X1"\ndatasheet = "X1 data sheet"\n'
ONE = '[[register]]\nname = "one"\naddress = 1\nsection = "registers"\nfields = { low = [0, 4], high = [4, 4] }\n'


@pytest.mark.parametrize("chip", CHIPS)
def test_a_shipped_table_names_its_data_sheet_and_where_in_it(chip: str) -> None:
    table = register_table(chip)

    assert table.chip.lower() == chip
    assert table.chip in table.datasheet
    assert all(one.section for one in (*table.registers, *table.indirect))
    assert table.unverified(), "nobody has compared every entry with the data sheet and a chip: say so"


def test_fields_are_put_and_got() -> None:
    one = RegisterTable(HEAD + ONE)["one"]

    assert one.put(low=3, high=10) == 0xA3
    assert (one.get("low", 0xA3), one.get("high", 0xA3)) == (3, 10)
    with pytest.raises(ValueError, match="16 does not fit"):
        one.put(low=16)
    with pytest.raises(KeyError):
        one.put(middle=1)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (ONE + ONE, "an address stands twice"),
        (ONE + ONE.replace("address = 1", "address = 2"), "a name stands twice"),
        (ONE.replace("[4, 4]", "[5, 4]"), "does not fit its width"),
        (ONE + "reset = 0x100\n", "does not fit its width"),
        (ONE + '[[setting]]\nstep = "s"\nregister = "two"\nvalue = 1\nwhy = "so"\n', "step s sets two wrongly"),
        (ONE + '[[setting]]\nstep = "s"\nregister = "one"\nvalue = 256\nwhy = "so"\n', "step s sets one wrongly"),
        (ONE.replace("section", "sektion"), "sektion"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(text: str, what: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=what):
        RegisterTable(HEAD + text)


def test_the_ringing_registers_are_what_the_formula_gives_for_25_hertz_and_85_volts() -> None:
    values = {register.name: value for register, value in register_table("si3210").settings("indirect")}

    assert (values["ringing_frequency"], values["ringing_amplitude"]) == ringing_coefficients(25, 85)


def test_the_framer_is_addressed_with_the_lowest_bit_first() -> None:
    addresses = {one.name: Ds26521._address(one) for one in register_table("ds26521").registers}

    assert addresses["receive_control_1"] == (0b0100_0000, 0b1000_0000)  # 0x81: bits 0 and 7
    assert addresses["liu_maintenance"] == (0b0010_0000, 0b0000_0100)  # 0x1002: bits 1 and 12
