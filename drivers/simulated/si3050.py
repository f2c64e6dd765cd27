"""A simulated Si3050 on an exchange line that rings, feeds, reverses and is cut."""

from __future__ import annotations

from drivers.register_table import Register, register_table
from drivers.si3050 import READ, WRITE
from drivers.simulated.register_chip import RegisterChip

SI3019 = 3
LINK_MS = 250
ON_HOOK_VOLTS, OFF_HOOK_VOLTS = 48, 8
LOOP_STEPS = 22
"""24 mA in steps of 1.1 mA."""


class SimulatedSi3050(RegisterChip):
    """`transfer` on one side, the exchange on the other."""

    def __init__(self) -> None:
        self.ringing = False
        self.reversed = False
        self.cut = False
        """No exchange at the other end of the wires."""
        self.storm = False
        self.restless = False
        """The ring bits show something off hook, where they mean nothing."""
        self.no_line_side = False
        self.line_side = SI3019
        self.link_ms = 0.0
        self._bytes: list[int] = []
        super().__init__(register_table("si3050"))

    def reset(self) -> None:
        super().reset()
        self._bytes.clear()
        self.link_ms = 0.0
        self.set_field("revision", line_side=0)

    # ---- the exchange ------------------------------------------------------------------------------------------------

    def ring(self, on: bool) -> None:
        self.ringing = on
        self._line()
        if on:
            self.set_field("interrupt_source", ring=1)

    def reverse(self) -> None:
        """The exchange swaps the wires: answer supervision, or clearing."""
        self.reversed = not self.reversed
        self._line()

    def cut_line(self, cut: bool = True) -> None:
        self.cut = cut
        self._line()

    def off_hook(self) -> bool:
        return bool(self.get_field("daa_control_1", "off_hook"))

    # ---- the chip ----------------------------------------------------------------------------------------------------

    def advance(self, ms: float) -> None:
        super().advance(ms)
        if not self.get_field("daa_control_2", "line_side_down") and not self.no_line_side:
            self.link_ms += ms
            if self.link_ms >= LINK_MS:
                self.set_field("revision", line_side=self.line_side)
                self.set_field("line_status", link=1)
        if self.get_field("control_1", "reset"):
            self.reset()
        if self.storm:
            self.set_field("interrupt_source", ring=1)
        self._line()

    def _line(self) -> None:
        """The registers that follow the line."""
        up = bool(self.get_field("line_status", "link"))
        off_hook, feed = self.off_hook(), up and not self.cut
        ringing = int(feed and (self.restless if off_hook else self.ringing))
        self.set_field("daa_control_1", ring_positive=ringing, ring=ringing)
        volts = (OFF_HOOK_VOLTS if off_hook else ON_HOOK_VOLTS) if feed else 0
        shown = (-volts if self.reversed else volts) & 0xFF
        if (shown ^ self.get("line_voltage")) & 0x80:
            self.set_field("interrupt_source", polarity=1)
        self.set("line_voltage", shown)
        current = LOOP_STEPS if feed and off_hook else 0
        if off_hook and up and self.cut and self.get("loop_current"):
            self.set_field("interrupt_source", drop_out=1)
        self.set("loop_current", current)
        self.set_field("line_status", loop_current=min(31, current // 3))

    def interrupt(self) -> bool:
        enabled = self.get_field("control_2", "interrupt_enable")
        return bool(enabled and self.get("interrupt_source") & self.get("interrupt_mask"))

    def _byte(self, byte: int) -> int:
        self._bytes.append(byte)
        if len(self._bytes) < 3:
            return 0
        control, address, data = self._bytes
        self._bytes.clear()
        if control == READ:
            return self.read_register(address)
        if control == WRITE:
            self.write_register(address, data)
        return 0

    def written(self, register: Register, before: int) -> None:
        if register.name == "control_1" and self.get_field("control_1", "reset"):
            link = self.link_ms
            self.reset()
            self.link_ms = min(link, 0.0)
        elif register.name == "daa_control_1":
            self._line()
        elif register.name == "interrupt_source" and self.storm:
            self.set_field("interrupt_source", ring=1)
