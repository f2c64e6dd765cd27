"""The Si3050 voice DAA with its line side: uses one exchange line as a telephone would. Knows nothing of calls.

Registers and their values are in `register_tables/si3050.toml`. Times of rings, tones and caller identity are the line
machine's business; this file tells what the line does now.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.register_table import Register, register_table
from drivers.spi_line_chip import LineChip, PowerUp, Step, Termination

WRITE, READ = 0x20, 0x60
"""First byte of an access to the first chip of a chain (bits 3 to 0: which one); then the address, then the data."""
RESET_MS = 100
LINK_MS = 2000
POLL_MS = 10
LEAST_VOLTS = 3
"""Below this the chip reads 0: no line."""
SI3018 = 1
"""The line side that has four terminations only."""


@dataclass(frozen=True)
class FxoStatus:
    """The line at this moment, and what happened since the last look."""

    ringing: bool
    """Ringing current, half wave by half wave: count it over tens of milliseconds."""
    volts: int
    """Tip to ring, signed, 1 V steps; 0: no line, or less than 3 V."""
    loop_milliamperes: float
    """Only of meaning off hook."""
    polarity_changed: bool
    drop_out: bool
    """The line side has lost the line's feed while off hook."""
    interrupts: int


class Si3050(LineChip):
    """One chip, the first of its chain."""

    table = register_table("si3050")

    def _read(self, register: Register) -> int:
        return self._exchange(READ, register.address, 0)

    def _write(self, register: Register, value: int) -> None:
        self._exchange(WRITE, register.address, value)

    # ---- start -------------------------------------------------------------------------------------------------------

    def power_up(self, slot: int, line: Termination = "china") -> PowerUp:
        """From any state to on hook and listening, with samples in `slot` and the line terminated as `line` says.
        Raises ChipError when the chip will not."""
        self.identify(fresh=False)
        self.apply("reset")
        yield Step("reset", RESET_MS)
        self.identify(fresh=True)
        self._set_slot(slot)
        self.apply("power")
        yield from self._wait_for_line_side()
        self.apply("line")
        self.apply(line)
        if self.field("revision", "line_side") == SI3018:
            self.apply(f"{line}, si3018")
        self.write("pcm_mode", self.table["pcm_mode"].put(enable=1, law=0))
        self.apply("listen")
        self.set_hook(False)

    def identify(self, fresh: bool) -> None:
        """Raises ChipError if nothing or something else answers. `fresh`: it has just been reset."""
        revision, control = self.read("revision"), self.read("control_2")
        if revision == control and revision in (0x00, 0xFF):
            stuck = "low" if revision == 0 else "high"
            raise self.fail("chip_silent", level=stuck)
        register = self.table["revision"]
        wrong = not register.get("system", revision) or (fresh and control != self.table["control_2"].reset)
        if wrong or register.get("line_side", revision) not in (0, 1, 3):
            raise self.fail("chip_wrong", chip="Si3050", values=f"revision {revision:#04x}, control {control:#04x}")

    def _wait_for_line_side(self) -> PowerUp:
        for _ in range(LINK_MS // POLL_MS):
            if self.field("revision", "line_side") and self.field("line_status", "link"):
                return
            yield Step("line side", POLL_MS)
        raise self.fail("line_side_absent", seconds=LINK_MS // 1000)

    # ---- work --------------------------------------------------------------------------------------------------------

    def set_hook(self, off_hook: bool) -> None:
        """Take the line, or give it up. On hook the line is still listened to (caller identity)."""
        register = self.table["daa_control_1"]
        if off_hook:
            self._write(register, 0)  # the monitor off first, as the data sheet wants it
            self._write(register, register.put(off_hook=1))
        else:
            self._write(register, register.put(on_hook_monitor=1))

    def pulse(self, closed: bool) -> None:
        """Break the closed loop for a dial pulse, or close it again, with the shortest off-hook count (8 ms)."""
        self.change("daa_control_3", off_hook_time=3)
        register = self.table["daa_control_1"]
        self._write(register, register.put(off_hook=int(closed)))

    def off_hook(self) -> bool:
        return bool(self.field("daa_control_1", "off_hook"))

    def look(self) -> FxoStatus:
        """The line now; interrupts that there were are cleared. Raises ChipError also where nothing answers and it
        would look like ringing."""
        source = self.table["interrupt_source"]
        interrupts = self._read(source)
        if interrupts:
            self._write(source, ~interrupts & 0xFF)
        control = self.read("daa_control_1")
        if control == 0xFF:
            self.identify(fresh=False)
        register = self.table["daa_control_1"]
        volts = self.read("line_voltage")
        return FxoStatus(
            ringing=bool(register.get("ring_positive", control) or register.get("ring_negative", control)),
            volts=volts - 256 if volts & 0x80 else volts,
            loop_milliamperes=self.read("loop_current") * 1.1,
            polarity_changed=bool(source.get("polarity", interrupts)),
            drop_out=bool(source.get("drop_out", interrupts)),
            interrupts=interrupts,
        )

    def check(self) -> None:
        """Raises ChipError if the chip has forgotten its set-up, lost its line side or does not answer any more."""
        mode, control = self.read("pcm_mode"), self.read("control_2")
        if mode == control and mode in (0x00, 0xFF):
            self.identify(fresh=False)
        if not self.table["pcm_mode"].get("enable", mode) or control == self.table["control_2"].reset:
            raise self.fail("chip_lost_setup")
        if not self.field("line_status", "link"):
            raise self.fail("line_side_lost")
