"""The Si3210 ProSLIC: feeds, rings and listens to one attached phone. Knows nothing of cadences, digits or calls.

Registers and their values are in `register_tables/si3210.toml`. The ringing cadence timers of the chip stay off: the
line machine rings. Not here: the chip's tone generators and DTMF receiver, which the box does for all lines at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from drivers.register_table import Register, register_table
from drivers.spi_line_chip import LineChip, PowerUp, Step, Termination

READ = 0x80
"""First byte of a reading access; without it the access writes. The other bits are the address."""
INDIRECT_TRIES = 10
INDIRECT_AT_ONCE = 7
"""Accesses to indirect registers between two steps: each is four or five accesses on the wire."""
BATTERY_READY = 0xC0
"""Battery sense at which the supply is up: 72 V in steps of 0.376 V."""
BATTERY_MS = 500
CALIBRATION_MS = 2000
POLL_MS = 10
OLDEST_REVISION = 2


class LineFeed(IntEnum):
    """What the chip does with the two wires (register 64)."""

    OPEN = 0
    FORWARD_ACTIVE = 1
    FORWARD_ON_HOOK_TRANSMISSION = 2
    TIP_OPEN = 3
    RINGING = 4
    REVERSE_ACTIVE = 5
    REVERSE_ON_HOOK_TRANSMISSION = 6
    RING_OPEN = 7


@dataclass(frozen=True)
class FxsStatus:
    """What an interrupt or a look at the chip tells."""

    off_hook: bool
    ring_trip: bool
    hook_interrupt: bool
    power_alarms: int
    """One bit for each of the transistors Q1 to Q6 that is too hot."""


def ringing_coefficients(hertz: float, peak_volts: float) -> tuple[int, int]:
    """Frequency and amplitude registers of the ringing generator; its oscillator runs at 1000 Hz, full scale 96 V."""
    coefficient = math.cos(2 * math.pi * hertz / 1000)
    amplitude = 8192 * math.sqrt((1 - coefficient) / (1 + coefficient)) * peak_volts / 96
    return round(coefficient * 32768), round(amplitude)


class Si3210(LineChip):
    """One chip. After `power_up` the phone is fed and the samples go through the slot."""

    table = register_table("si3210")

    def _read(self, register: Register) -> int:
        if register.width == 16:
            return self._read_indirect(register)
        return self._exchange(READ | register.address, 0)

    def _write(self, register: Register, value: int) -> None:
        if register.width == 16:
            self._write_indirect(register, value)
        else:
            self._exchange(register.address, value)

    def _wait_indirect(self) -> None:
        for _ in range(INDIRECT_TRIES):
            if not self.field("indirect_status", "busy"):
                return
        raise self.fail("chip_stuck")

    def _read_indirect(self, register: Register) -> int:
        self._wait_indirect()
        self.write("indirect_address", register.address)
        self._wait_indirect()
        return self.read("indirect_data_low") | self.read("indirect_data_high") << 8

    def _write_indirect(self, register: Register, value: int) -> None:
        self._wait_indirect()
        self.write("indirect_data_low", value & 0xFF)
        self.write("indirect_data_high", value >> 8)
        self.write("indirect_address", register.address)

    # ---- start -------------------------------------------------------------------------------------------------------

    def power_up(self, slot: int, line: Termination = "china") -> PowerUp:
        """From reset to a fed line with samples in `slot`, terminated as `line` says. Raises ChipError when the chip
        will not."""
        self.identify()
        self.apply("quiet")
        self.set_line_feed(LineFeed.OPEN)
        self.write("power_down_1", self.table["power_down_1"].reset)
        yield from self._set_indirect()
        self.apply("supply")
        yield from self._wait_for_battery()
        self.apply("calibrate")
        yield from self._wait_for_calibration()
        yield from self._check_indirect()
        self.apply("line")
        self.apply(line)
        self._set_slot(slot)
        self.write("pcm_mode", self.table["pcm_mode"].put(enable=1, law=0))
        self.apply("listen")
        self.set_line_feed(LineFeed.FORWARD_ACTIVE)

    def identify(self) -> None:
        """Raises ChipError if this is no Si3210 that has just been reset or that works."""
        value = self.read("spi_mode")
        if value in (0x00, 0xFF):
            stuck = "low" if value == 0 else "high"
            raise self.fail("chip_silent", level=stuck)
        register = self.table["spi_mode"]
        part, revision = register.get("part", value), register.get("revision", value)
        loopback, hybrid = self.read("loopback"), self.read("hybrid")
        known = part == 0 and OLDEST_REVISION <= revision < 15
        if not known or hybrid != self.table["hybrid"].reset or loopback not in (0, self.table["loopback"].reset):
            values = f"identity {value:#04x}, loopback {loopback:#04x}, hybrid {hybrid:#04x}"
            raise self.fail("chip_wrong", chip="Si3210", values=values)

    def _set_indirect(self) -> PowerUp:
        for number, (register, value) in enumerate(self.table.settings("indirect"), 1):
            self._write(register, value)
            if number % INDIRECT_AT_ONCE == 0:
                yield Step("indirect registers", 0)

    def _check_indirect(self) -> PowerUp:
        for number, (register, value) in enumerate(self.table.settings("indirect"), 1):
            if number % INDIRECT_AT_ONCE == 0:
                yield Step("indirect registers", 0)
            got = self._read(register)
            if got != value:
                raise self.fail("chip_forgets", register=register.name, written=f"{value:#06x}", read=f"{got:#06x}")

    def _wait_for_battery(self) -> PowerUp:
        for _ in range(BATTERY_MS // POLL_MS):
            volts = self.read("battery_voltage")
            if volts >= BATTERY_READY:
                return
            yield Step("battery", POLL_MS)
        raise self.fail("chip_supply", volts=f"{self.battery_volts():.0f}")

    def _wait_for_calibration(self) -> PowerUp:
        for _ in range(CALIBRATION_MS // POLL_MS):
            if self.read("calibration_1") == 0:
                return
            yield Step("calibration", POLL_MS)
        self.set_line_feed(LineFeed.OPEN)
        raise self.fail("calibration", seconds=CALIBRATION_MS // 1000)

    # ---- work --------------------------------------------------------------------------------------------------------

    def set_line_feed(self, state: LineFeed) -> None:
        self.write("line_feed", state)

    def line_feed(self) -> LineFeed:
        """What the chip really does; ring trip ends RINGING by itself."""
        return LineFeed(self.field("line_feed", "shadow"))

    def look(self) -> FxsStatus:
        """Hook and ring trip now, and what interrupts there were; they are cleared. Raises ChipError also where nothing
        answers and it would look like a lifted phone."""
        interrupts = self.read("interrupt_status_2")
        if interrupts:
            self.write("interrupt_status_2", interrupts)
        status, register = self.read("loop_status"), self.table["interrupt_status_2"]
        if status == 0xFF:
            self.identify()
        return FxsStatus(
            off_hook=bool(self.table["loop_status"].get("loop_closed", status)),
            ring_trip=bool(register.get("ring_trip", interrupts)),
            hook_interrupt=bool(register.get("loop_closure", interrupts)),
            power_alarms=register.get("power_alarm", interrupts),
        )

    def check(self, expected: LineFeed) -> None:
        """Raises ChipError if the chip has forgotten its set-up (a brown-out) or does not answer any more."""
        mode, interrupts = self.read("pcm_mode"), self.read("interrupt_enable_2")
        if mode in (0x00, 0xFF) and self.read("spi_mode") in (0x00, 0xFF):
            self.identify()
        register = self.table["pcm_mode"]
        if not register.get("enable", mode) or not interrupts or self.read("power_down_1"):
            raise self.fail("chip_lost_setup")
        if expected is not LineFeed.OPEN and self.line_feed() is LineFeed.OPEN:
            raise self.fail("line_protected")

    def battery_volts(self) -> float:
        return self.read("battery_voltage") * 0.376

    def loop_milliamperes(self) -> float:
        return self.field("loop_current", "current") * 1.25
