"""An E1 framer with line interface on SPI (DS26521): sets up the span, tells its alarms and counts its errors.

Registers and their values are in `register_tables/ds26521.toml`. Samples go over the chip's TDM side
(drivers/tdm_alsa.py) and signalling is in slot 16 of them; neither is here. Frames: ITU-T G.704; alarms: G.732, G.775;
slips: G.822.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.register_table import Register, register_table
from drivers.spi_line_chip import Framing, LineChip, PowerUp, SpiBus, Step

READ = 0x80
RESET_MS = 2
ALARMS = ("LOS", "LOF", "AIS", "RAI")
"""Loss of signal, loss of frame, alarm indication signal, remote alarm indication; the order of hiding."""
ClockSource = Literal["network", "box"]
Impedance = Literal[75, 120]


@dataclass
class SpanErrors:
    """What the span has counted since it was set up; only grow."""

    crc_errors: int = 0
    bipolar_violations: int = 0
    frame_errors: int = 0
    far_block_errors: int = 0
    slips: int = 0


def reversed_bits(value: int, width: int) -> int:
    return int(f"{value:0{width}b}"[::-1], 2)


class Ds26521(LineChip):
    """One chip, one span. On the wire addresses and data go with the lowest bit first."""

    table = register_table("ds26521")

    def __init__(self, bus: SpiBus, where: str, framing: Framing = "whole") -> None:
        super().__init__(bus, where, framing)
        self.errors = SpanErrors()
        self._remote_alarm = False
        self._expected: dict[str, int] = {}

    def _read(self, register: Register) -> int:
        first, second = self._address(register)
        return reversed_bits(self._exchange(READ | first, second, 0), 8)

    def _write(self, register: Register, value: int) -> None:
        self._exchange(*self._address(register), reversed_bits(value, 8))

    @staticmethod
    def _address(register: Register) -> tuple[int, int]:
        """First bit: read; then 14 bits of address, lowest first; last bit 0: no burst."""
        word = reversed_bits(register.address, 14) << 1
        return word >> 8, word & 0xFE

    # ---- start -------------------------------------------------------------------------------------------------------

    def power_up(self, clock: ClockSource, crc4: bool, impedance: Impedance) -> PowerUp:
        """Reset, then E1 with HDB3 and common channel signalling. Raises ChipError when the chip will not."""
        self.identify()
        self.apply("reset")
        yield Step("reset", RESET_MS)
        self.apply("release")
        yield Step("release", RESET_MS)
        self.write("global_clock", self.table["global_clock"].put(reference=10 if clock == "box" else 0))
        self.apply("e1")
        receive, transmit = self.table["receive_control_1"], self.table["transmit_control_1"]
        self._write(receive, receive.put(hdb3=1, common_channel=1, crc4=int(crc4)))
        self._write(transmit, transmit.put(hdb3=1, slot_16=0, crc4=int(crc4)))
        code = 0 if impedance == 75 else 3
        self.write("liu_transmit_impedance", self.table["liu_transmit_impedance"].put(impedance=code))
        self.write("liu_receive_impedance", self.table["liu_receive_impedance"].put(impedance=code, sensitivity=3))
        self.apply("start")
        self._expected = {name: self.read(name) for name in ("receive_control_1", "transmit_control_1", "receive_mode")}
        written, read = receive.put(hdb3=1, common_channel=1, crc4=int(crc4)), self._expected["receive_control_1"]
        if read != written:
            raise self.fail("chip_forgets", register=receive.name, written=f"{written:#04x}", read=f"{read:#04x}")

    def identify(self) -> None:
        """Raises ChipError if no DS26521 or DS26522 answers."""
        value = self.read("identity")
        if value in (0x00, 0xFF):
            stuck = "low" if value == 0 else "high"
            raise self.fail("chip_silent", level=stuck)
        device = self.table["identity"].get("device", value)
        if device not in (12, 13):
            raise self.fail("chip_wrong", chip="DS26521", values=f"identity {value:#04x}")

    # ---- work --------------------------------------------------------------------------------------------------------

    def alarms(self) -> frozenset[str]:
        """The alarms of the received signal now. Those that are only a consequence are left out: of a lost signal the
        rest, of AIS the lost frame. While the frame is lost the far end is told so (RAI)."""
        status, register = self.read("real_time_status_1"), self.table["real_time_status_1"]
        raised = {name for name in ALARMS if register.get(name.lower(), status)}
        self._tell_far_end(bool(raised & {"LOS", "LOF", "AIS"}))
        if "LOS" in raised:
            raised = {"LOS"}
        elif "AIS" in raised:
            raised.discard("LOF")
        return frozenset(raised)

    def _tell_far_end(self, remote_alarm: bool) -> None:
        if remote_alarm != self._remote_alarm:
            self._remote_alarm = remote_alarm
            self.change("transmit_non_align", rai=int(remote_alarm))

    def loop(self, local: bool = False, outward: bool = False) -> None:
        """Close a loop, or none. `local`: what the framer sends comes back to its receiver, and the line is not
        listened to. `outward`: the line interface sends what it receives, the whole 2048 kbit/s."""
        self.change("receive_control_3", framer_loopback=int(local))
        self.change("liu_maintenance", remote_loopback=int(outward))

    def count(self) -> SpanErrors:
        """Take the chip's counters of the last second, if it has new ones, and the slips. Call every 100 ms or so."""
        register = self.table["latched_status_4"]
        latched = self._read(register)
        seen = latched & register.put(store_full=1, store_empty=1, slip=1, counters=1)
        if seen:
            self._write(register, seen)
        if register.get("slip", latched):
            self.errors.slips += 1
        if register.get("counters", latched):
            self.errors.crc_errors += self._counter("crc_errors")
            self.errors.bipolar_violations += self._counter("line_code_violations")
            self.errors.frame_errors += self._counter("frame_errors")
            self.errors.far_block_errors += self._counter("far_block_errors")
        return self.errors

    def _counter(self, name: str) -> int:
        return self.read(f"{name}_high") << 8 | self.read(f"{name}_low")

    def check(self) -> None:
        """Raises ChipError if the chip has forgotten its set-up (a brown-out) or does not answer any more."""
        self.identify()
        for name, value in self._expected.items():
            if self.read(name) != value:
                raise self.fail("chip_lost_setup")
