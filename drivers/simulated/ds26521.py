"""A simulated DS26521 on a span whose signal, frame, alarms and errors the test decides."""

from __future__ import annotations

from drivers.e1_framer import READ, reversed_bits
from drivers.register_table import Register, register_table
from drivers.simulated.register_chip import RegisterChip

SECOND_MS = 1000
COUNTERS = ("line_code_violations", "crc_errors", "frame_errors", "far_block_errors")


class SimulatedDs26521(RegisterChip):
    """`transfer` on one side; `raised` alarms, `add_errors` and `slip` on the other."""

    def __init__(self) -> None:
        self.raised: set[str] = set()
        """Alarms of the line: `los`, `lof`, `ais`, `rai`."""
        self._pending = dict.fromkeys(COUNTERS, 0)
        self._second_ms = 0.0
        self._bytes: list[int] = []
        super().__init__(register_table("ds26521"))

    def reset(self) -> None:
        super().reset()
        self._bytes.clear()

    # ---- the line ----------------------------------------------------------------------------------------------------

    def add_errors(self, **errors: int) -> None:
        """Errors on the line; the chip tells them at the end of the second."""
        for name, count in errors.items():
            self._pending[name] += count

    def slip(self) -> None:
        """The elastic store repeated a frame."""
        self.set_field("latched_status_4", slip=1, store_empty=1)

    def sends_remote_alarm(self) -> bool:
        return bool(self.get_field("transmit_non_align", "rai"))

    def is_running(self) -> bool:
        return self.get("receive_mode") == self.get("transmit_mode") == 0xC1

    # ---- the chip ----------------------------------------------------------------------------------------------------

    def advance(self, ms: float) -> None:
        super().advance(ms)
        self._second_ms += ms
        if self._second_ms < SECOND_MS:
            return
        self._second_ms -= SECOND_MS
        for name, count in self._pending.items():
            self.set(f"{name}_high", min(count, 0xFFFF) >> 8)
            self.set(f"{name}_low", min(count, 0xFFFF) & 0xFF)
            self._pending[name] = 0
        self.set_field("latched_status_4", counters=1, second=1)

    def read_register(self, address: int) -> int:
        register = self.table["real_time_status_1"]
        if address == register.address:
            # Without a signal there is no frame either; in all ones neither.
            shown = self.raised | ({"lof"} if self.raised & {"los", "ais"} else set())
            return register.put(**dict.fromkeys(shown, 1)) if self.is_running() else 0
        return super().read_register(address)

    def written(self, register: Register, before: int) -> None:
        if register.name == "framer_reset" and self.values[register.address] & 1:
            keep = self.values[register.address]
            super().reset()
            self.values[register.address] = keep

    def _byte(self, byte: int) -> int:
        self._bytes.append(byte)
        if len(self._bytes) < 3:
            return 0
        first, second, data = self._bytes
        self._bytes.clear()
        address = reversed_bits(((first & 0x7F) << 8 | second) >> 1, 14)
        if first & READ:
            return reversed_bits(self.read_register(address), 8)
        self.write_register(address, reversed_bits(data, 8))
        return 0
