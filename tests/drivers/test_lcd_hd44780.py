"""A character display, read back from a simulated chip that minds nibbles, wake-up and busy times."""

from __future__ import annotations

import pytest

from drivers.lcd_hd44780 import CharacterLcd, open_lcd
from drivers.seat_display import DisplayError
from tests.drivers.simulated_lcd import SimulatedLcd


def display(chip: SimulatedLcd, columns: int = 16, rows: int = 2) -> CharacterLcd:
    return CharacterLcd(chip, columns=columns, rows=rows, wait=chip.wait)


@pytest.mark.parametrize(("columns", "rows"), [(16, 2), (20, 2), (20, 4), (16, 4)])
def test_every_row_is_where_a_person_reads_it(columns: int, rows: int) -> None:
    chip = SimulatedLcd()
    lines = [f"row {row} abcdefghijklmnopqrst"[:columns] for row in range(rows)]

    display(chip, columns, rows).show(lines)

    assert chip.text(columns, rows) == lines
    assert chip.lost == 0
    assert chip.light


def test_a_shorter_text_leaves_nothing_of_the_longer_one() -> None:
    chip = SimulatedLcd()
    lcd = display(chip)
    lcd.show(["13800138000", "Waiting 12"])
    lcd.show(["Ready"])

    assert chip.text(16, 2) == ["Ready".ljust(16), " " * 16]


def test_only_rows_that_changed_are_sent() -> None:
    chip = SimulatedLcd()
    lcd = display(chip)
    lcd.show(["Ready", "Waiting 3"])
    before = chip.bytes_seen
    lcd.show(["Ready", "Waiting 3"])
    assert chip.bytes_seen == before
    lcd.show(["Ready", "Waiting 4"])

    assert chip.bytes_seen - before == 4 * (1 + 16)
    assert chip.text(16, 2)[1] == "Waiting 4".ljust(16)


def test_what_the_display_cannot_show_is_replaced() -> None:
    chip = SimulatedLcd()
    display(chip).show(["王 a\\b~c\n" + "x" * 30])

    assert chip.text(16, 2)[0] == "? a/b-c?xxxxxxxx"


def test_a_display_in_the_middle_of_a_byte_is_set_up_all_the_same() -> None:
    chip = SimulatedLcd()
    display(chip).show(["first"])
    chip._high = 0x4  # the process ended between two nibbles
    display(chip).show(["second"])

    assert chip.text(16, 2)[0] == "second".ljust(16)


def test_a_display_pulled_is_told_and_one_put_back_is_set_up_anew() -> None:
    chip = SimulatedLcd()
    lcd = display(chip)
    lcd.show(["Ready"])
    chip.plugged = False
    for _ in range(2):
        with pytest.raises(DisplayError, match=r"(?s)no answer at I²C address 0x27.*plugged in"):
            lcd.show(["Talking"])
    chip.replug()
    assert chip.text(16, 2) == ["", ""]
    lcd.show(["Talking"])

    assert chip.text(16, 2)[0] == "Talking".ljust(16)
    lcd.light(False)
    assert not chip.light


def test_a_bus_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(DisplayError, match=r"(?s)/dev/i2c-none: no I²C bus.*group i2c"):
        open_lcd("/dev/i2c-none")
    with pytest.raises(ValueError, match="no 3 rows"):
        CharacterLcd(SimulatedLcd(), rows=3)


def test_a_display_that_lost_its_power_unseen_is_whole_again_after_it_was_renewed() -> None:
    chip = SimulatedLcd()
    lcd = display(chip)
    lcd.show(["Ready"])
    chip.replug()
    lcd.show(["Ready"])
    assert chip.text(16, 2) == ["", ""]
    lcd.renew()
    lcd.show(["Ready"])

    assert chip.text(16, 2)[0] == "Ready".ljust(16)
