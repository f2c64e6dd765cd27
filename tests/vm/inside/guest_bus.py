"""A board's own buses through the real kernel: TDM samples through ALSA (snd-aloop), GPIO lines with the front panel on
them, a display on I²C.

GPIO chip and I²C bus are those of `recipe/stand_ins.c`; the display behind the bus is simulated. SPI has no stand-in.
"""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from periphery import I2C

from drivers.gpio_lines import GpioLine, line_user
from drivers.lcd_hd44780 import CharacterLcd, open_lcd
from drivers.seat_display import DisplayError
from drivers.spi_line_chip import ChipError, open_spi
from drivers.tdm_alsa import BLOCK, TdmStream, open_pcms
from firmware.box.displays.front_panel import LOOK_SECONDS, PanelLines
from firmware.calls.panel import BoxSeen
from firmware.calls.troubles import Trouble
from firmware.core.schemas import Panel
from tests.drivers.simulated_lcd import SimulatedLcd

SLOTS = 32


def load(module: str, *options: str) -> None:
    if subprocess.run(["modprobe", module, *options], check=False, capture_output=True).returncode:
        pytest.skip(f"this kernel has no {module}")


# ---- ALSA ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[TdmStream, TdmStream]]:
    """Two TDM streams, each the other's far end. The loop-back card has no A-law, so slots are 16 bits wide."""
    load("snd-aloop")
    streams = [
        TdmStream(SLOTS, "word", card, partial(open_pcms, card, SLOTS, "word", card))
        for card in ("hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1")
    ]
    yield streams[0], streams[1]
    for stream in streams:
        stream.close()


CYCLE = 241


def counted(block: int) -> np.ndarray:
    """A sawtooth through all blocks, each slot ahead of the one before it."""
    return ((np.arange(block * BLOCK, (block + 1) * BLOCK) + np.arange(SLOTS)[:, None]) % CYCLE).astype(np.uint8)


def test_samples_go_through_the_card_bit_by_bit_in_their_slots_and_in_time(
    ends: tuple[TdmStream, TdmStream],
) -> None:
    near, far = ends
    watcher = select.poll()
    watcher.register(near.descriptor, select.POLLIN)
    near.write_block(counted(0))  # opening the second stream took longer than the first's cushion lasts
    near.read_blocks(), far.read_blocks()
    near.write_block(counted(0))  # the card moves two blocks at a time
    before = near.counters.underruns, near.counters.overruns
    came: list[np.ndarray] = []
    sent = 0
    began = time.monotonic()
    while len(came) < 300:
        assert watcher.poll(1000), "the card's descriptor does not become readable"
        for _ in near.read_blocks():
            sent += 1
            assert near.write_block(counted(sent))
        came += far.read_blocks()
    lasted = time.monotonic() - began

    heard = np.concatenate(came[-250:], axis=1).astype(int)
    begin = heard[0, 0]
    wanted = (begin + np.arange(heard.shape[1]) + np.arange(SLOTS)[:, None]) % CYCLE
    assert np.array_equal(heard, wanted)
    assert (near.counters.underruns, near.counters.overruns) == before
    assert 2.8 < lasted < 3.3  # 300 blocks of 10 ms by the card's clock


def test_a_stall_is_counted_on_both_sides_and_the_stream_goes_on(ends: tuple[TdmStream, TdmStream]) -> None:
    near, far = ends
    for _ in range(10):
        select.select([near.descriptor], [], [], 1)
        for _ in near.read_blocks():
            near.write_block(counted(0))
        far.read_blocks()
    time.sleep(0.5)  # the card holds 0.32 s

    deadline = time.monotonic() + 2
    blocks = 0
    while blocks < 20 and time.monotonic() < deadline:
        select.select([near.descriptor], [], [], 0.1)
        got = near.read_blocks()
        blocks += len(got)
        for _ in got:
            near.write_block(counted(0))

    assert blocks >= 20
    assert near.counters.overruns >= 1
    assert near.counters.underruns >= 1


def test_a_card_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(ChipError, match="arecord -l"):
        open_pcms("hw:CARD=nothing", SLOTS, "word", "board x")


# ---- GPIO ------------------------------------------------------------------------------------------------------------


class OutsideWorld:
    """What hangs on the four lines of the GPIO chip."""

    def __init__(self) -> None:
        load("stand_ins")  # Debian's kernel has no gpio-sim
        self._world = Path("/dev/stand-in-gpio")
        chips = [path.resolve() for path in Path("/sys/bus/gpio/devices").iterdir()]
        (chip,) = [path for path in chips if path.parent.name == self._world.name]
        self.device = f"/dev/{chip.name}"

    def levels(self) -> list[int]:
        with self._world.open("rb", buffering=0) as world:
            return list(world.read(4))

    def pull(self, *levels: int) -> None:
        with self._world.open("wb", buffering=0) as world:
            world.write(bytes(levels))


@pytest.fixture
def world() -> OutsideWorld:
    return OutsideWorld()


def test_reset_and_interrupt_lines_are_driven_and_read(world: OutsideWorld) -> None:
    reset = GpioLine(f"{world.device}:1", "out", "board x")
    interrupt = GpioLine(f"{world.device}:2", "in", "board x")

    assert world.levels()[1] == 1  # low when active, and not active
    reset.set(True)
    assert world.levels()[1] == 0
    world.pull(0, 0, 1, 0)
    assert not interrupt.active()
    world.pull(0, 0, 0, 0)
    assert interrupt.active()
    reset.close()
    interrupt.close()


def test_a_line_in_use_is_an_error_that_says_what_to_do(world: OutsideWorld) -> None:
    first = GpioLine(f"{world.device}:1", "out", "board x")

    with pytest.raises(ChipError, match="gpioinfo"):
        GpioLine(f"{world.device}:1", "out", "board x")
    first.close()


def test_who_has_a_line_is_known_without_disturbing_it(world: OutsideWorld) -> None:
    assert line_user(f"{world.device}:1") == ""
    first = GpioLine(f"{world.device}:1", "out", "board x", active_low=False)
    first.set(True)
    assert line_user(f"{world.device}:1") == "linebox"
    assert world.levels()[1] == 1
    first.close()

    assert line_user(f"{world.device}:1") == ""
    with pytest.raises(OSError, match="Invalid argument"):
        line_user(f"{world.device}:4")


# ---- GPIO: the front panel -------------------------------------------------------------------------------------------


class Front:
    """The panel on the chip's four lines, in virtual time: only the lines are real."""

    def __init__(self, world: OutsideWorld) -> None:
        self.world = world
        names = ("service", "alarm", "acknowledge", "shut_down")
        self.lines = PanelLines(Panel(**{name: f"{world.device}:{line}" for line, name in enumerate(names)}))
        self.seen = BoxSeen(frozenset({Trouble("disk_low")}))
        self.now_ms = 0
        self.press()

    def press(self, *, acknowledge: bool = False, shut_down: bool = False) -> None:
        self.world.pull(0, 0, not acknowledge, not shut_down)

    def watch(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now_ms += round(LOOK_SECONDS * 1000)
            self.lines.see(self.seen, self.now_ms)
            self.lines.look(self.now_ms)

    def lit(self) -> list[int]:
        return self.world.levels()[:2]


def test_lamps_and_buttons_of_the_front_panel_work_through_the_kernel(world: OutsideWorld) -> None:
    front = Front(world)
    front.watch(0.2)
    assert (front.lit(), front.lines.faults) == ([1, 1], ())
    front.press(acknowledge=True)
    front.watch(0.2)
    front.press()
    front.watch(0.2)
    assert front.lit() == [1, 0]

    front.press(shut_down=True)
    front.watch(4.9)
    assert not front.lines.stop_wanted
    front.watch(0.3)
    assert front.lines.stop_wanted
    assert front.lit() == [1, 1]
    front.lines.close()
    assert front.lit() == [0, 0]


def test_a_line_of_the_panel_that_is_taken_is_told_and_works_when_it_is_free(world: OutsideWorld) -> None:
    other = GpioLine(f"{world.device}:1", "out", "board x", active_low=False)
    front = Front(world)
    front.watch(0.2)
    assert [(fault.code, fault.place) for fault in front.lines.faults] == [("gpio_taken", f"alarm {world.device}:1")]
    assert front.lit() == [1, 0]
    other.close()
    front.watch(2.1)

    assert (front.lit(), front.lines.faults) == ([1, 1], ())
    front.lines.close()


def test_an_spi_device_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(ChipError, match="boot configuration"):
        open_spi("/dev/spidev0.0", "board x")


# ---- I²C: a character display ----------------------------------------------------------------------------------------


def bus_of(driver: str) -> str:
    """The device of the I²C bus of this name."""
    load("i2c-dev")
    names = {path.parent.name: path.read_text().strip() for path in Path("/sys/class/i2c-dev").glob("i2c-*/name")}
    (found,) = [device for device, name in names.items() if name.startswith(driver)]
    return f"/dev/{found}"


class DisplayOnTheBus:
    """Simulated display that is given what arrives at the bus, in time."""

    def __init__(self) -> None:
        load("stand_ins")
        self.path = bus_of("stand-in")
        self.chip = SimulatedLcd(address=0x27)
        self._written = open("/dev/stand-in-i2c", "rb", buffering=0)  # noqa: SIM115
        self._written.read(8192)

    def look(self) -> None:
        while data := self._written.read(8192):
            self.chip.transfer(0x27, [I2C.Message(list(data))])

    def wait(self, seconds: float) -> None:
        """What the driver does in the place of sleeping."""
        self.look()
        self.chip.wait(seconds)

    def close(self) -> None:
        self._written.close()


@pytest.fixture
def display() -> Iterator[DisplayOnTheBus]:
    display = DisplayOnTheBus()
    yield display
    display.close()


def test_a_character_display_shows_its_rows_through_the_kernels_i2c(display: DisplayOnTheBus) -> None:
    lcd = CharacterLcd(I2C(display.path), wait=display.wait)
    for lines in (["13800138000", "Waiting 12"], ["Ready", "Waiting 3"]):
        lcd.show(lines)
        display.look()
        assert display.chip.text(16, 2) == [line.ljust(16) for line in lines]
    assert display.chip.lost == 0
    lcd.close()


def test_a_display_that_is_not_at_its_address_is_said_and_shown_when_it_is(display: DisplayOnTheBus) -> None:
    absent = open_lcd(display.path, address=0x3F)
    with pytest.raises(DisplayError, match="0x3f"):
        absent.show(["Ready"])
    absent.close()

    lcd = open_lcd(display.path)
    lcd.show(["Ready"])
    lcd.close()
    display.look()
    assert display.chip.bytes_seen > 60


def test_a_bus_that_cannot_write_plain_bytes_is_said() -> None:
    """The kernel's own i2c-stub speaks SMBus only, as some adapters do."""
    load("i2c-stub", "chip_addr=0x27")
    with pytest.raises(DisplayError, match="I2C not supported"):
        open_lcd(bus_of("SMBus stub"))
