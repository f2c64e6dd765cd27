"""A simulated Si3210 with a telephone at its two wires. The telephone is lifted, put down and hears ringing."""

from __future__ import annotations

from drivers.register_table import Register, register_table
from drivers.si3210 import READ, LineFeed
from drivers.simulated.register_chip import RegisterChip

BATTERY_MS = 60
CALIBRATION_MS = 120
RING_TRIP_MS = 100
"""From lifting the ringing phone until the chip has found it."""
LOOP_LIVE = (LineFeed.FORWARD_ACTIVE, LineFeed.FORWARD_ON_HOOK_TRANSMISSION, LineFeed.REVERSE_ACTIVE)


class SimulatedSi3210(RegisterChip):
    """`transfer` on one side, `lift`, `put_down` and `rings` on the other."""

    def __init__(self) -> None:
        self.lifted = False
        self.never_calibrates = False
        self.storm = False
        """An interrupt that comes back as soon as it is cleared."""
        self.shorted = False
        """The supply cannot bring the battery up."""
        self.battery_ms = 0.0
        self.calibration_ms = 0.0
        self.trip_ms = 0.0
        self._command: int | None = None
        super().__init__(register_table("si3210"))

    def reset(self) -> None:
        """Power-on, and what a brown-out does: the line is open, the supply off."""
        super().reset()
        self._command = None
        self.battery_ms = self.calibration_ms = self.trip_ms = 0.0

    # ---- the telephone -----------------------------------------------------------------------------------------------

    def lift(self) -> None:
        self.lifted = True
        self._hook_changed()

    def put_down(self) -> None:
        self.lifted = False
        self.trip_ms = 0.0
        self._hook_changed()

    @property
    def rings(self) -> bool:
        """The telephone's bell sounds."""
        return self.feed() is LineFeed.RINGING and not self.lifted

    def feed(self) -> LineFeed:
        return LineFeed(self.get_field("line_feed", "shadow"))

    def _hook_changed(self) -> None:
        if self.feed() in LOOP_LIVE:
            self._show_hook()

    def _show_hook(self) -> None:
        shown = int(self.lifted and self.feed() in LOOP_LIVE)
        if self.get_field("loop_status", "loop_closed") != shown:
            self.set_field("loop_status", loop_closed=shown, unfiltered=shown)
            self.set_field("interrupt_status_2", loop_closure=1)

    # ---- the chip ----------------------------------------------------------------------------------------------------

    def advance(self, ms: float) -> None:
        super().advance(ms)
        if not self.get_field("power_down_1", "dcdc_off"):
            self.battery_ms += ms
            if self.battery_ms >= BATTERY_MS and not self.shorted:
                self.set("battery_voltage", 0xC8)
        if self.get_field("calibration_1", "start") and not self.never_calibrates:
            self.calibration_ms += ms
            if self.calibration_ms >= CALIBRATION_MS:
                self.set("calibration_1", 0)
        if self.feed() is LineFeed.RINGING and self.lifted:
            self.trip_ms += ms
            if self.trip_ms >= RING_TRIP_MS:
                self.set_field("line_feed", shadow=LineFeed.FORWARD_ACTIVE, state=LineFeed.FORWARD_ACTIVE)
                self.set_field("interrupt_status_2", ring_trip=1)
                self._show_hook()
        if self.storm:
            self.set_field("interrupt_status_2", loop_closure=1)

    def interrupt(self) -> bool:
        return bool(self.get("interrupt_status_2") & self.get("interrupt_enable_2"))

    def _byte(self, byte: int) -> int:
        if self._command is None:
            self._command = byte
            return 0
        command, self._command = self._command, None
        if command & READ:
            return self.read_register(command & 0x7F)
        self.write_register(command, byte)
        return 0

    def written(self, register: Register, before: int) -> None:
        match register.name:
            case "line_feed":
                state = LineFeed(self.get_field("line_feed", "state"))
                # Without battery the line stays open, whatever is asked for.
                shadow = state if self.get("battery_voltage") else LineFeed.OPEN
                self.set_field("line_feed", shadow=shadow)
                self.trip_ms = 0.0
                if shadow in LOOP_LIVE:
                    self._show_hook()
                elif shadow is LineFeed.OPEN:
                    self.set_field("loop_status", loop_closed=0, unfiltered=0)
            case "power_down_1" if self.get_field("power_down_1", "dcdc_off"):
                self.battery_ms = 0.0
                self.set("battery_voltage", 0)
            case "calibration_1":
                self.calibration_ms = 0.0
            case "interrupt_status_2" if self.storm:
                self.set_field("interrupt_status_2", loop_closure=1)
            case "indirect_address":
                address = self.get("indirect_address")
                if self._has_data:
                    value = self.get("indirect_data_low") | self.get("indirect_data_high") << 8
                    self.indirect[address] = value
                    self._has_data = False
                else:
                    value = self.indirect.get(address, 0)
                    self.set("indirect_data_low", value & 0xFF)
                    self.set("indirect_data_high", value >> 8)
            case "indirect_data_low" | "indirect_data_high":
                self._has_data = True

    _has_data = False
    """An indirect access writes if data was given before the address, and reads if not."""
