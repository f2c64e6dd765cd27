"""What all simulated chips share: registers with their access rules, time from outside, and faults of the bus."""

from __future__ import annotations

import errno
from enum import StrEnum

from drivers.register_table import Register, RegisterTable


class Fault(StrEnum):
    """What can be wrong between box and chip."""

    NONE = "none"
    STUCK_HIGH = "stuck_high"
    """Nothing drives the data line, and it is pulled up: all bytes read 0xFF."""
    STUCK_LOW = "stuck_low"
    """The same, pulled down or shorted: all bytes read 0."""
    GONE = "gone"
    """The bus device itself fails: the board was pulled."""


class RegisterChip:
    """One chip. `transfer` is python-periphery's; subclasses say how bytes become accesses."""

    def __init__(self, table: RegisterTable) -> None:
        self.table = table
        self.fault = Fault.NONE
        self.now_ms = 0.0
        self.values: dict[int, int] = {}
        self.indirect: dict[int, int] = {}
        self.writes: list[tuple[str, int]] = []
        """Every write by name, in order."""
        self.closed = False
        self._registers = {one.address: one for one in table.registers}
        self.reset()

    def reset(self) -> None:
        """All registers as after power-on."""
        self.values = {one.address: one.reset for one in self.table.registers}
        self.indirect = {one.address: one.reset for one in self.table.indirect}

    def advance(self, ms: float) -> None:
        """Let time pass for the chip."""
        self.now_ms += ms

    # ---- the pins ----------------------------------------------------------------------------------------------------

    def transfer(self, data: list[int]) -> list[int]:
        """As python-periphery's `SPI.transfer`. Raises OSError when the board is gone."""
        if not isinstance(data, list | bytes | bytearray):
            raise TypeError("Invalid data type, should be bytes, bytearray, or list.")
        if self.fault is Fault.GONE:
            raise OSError(errno.ENODEV, "No such device")
        came = [self._byte(byte) for byte in data]
        if self.fault is Fault.STUCK_HIGH:
            return [0xFF] * len(came)
        return [0] * len(came) if self.fault is Fault.STUCK_LOW else came

    def close(self) -> None:
        self.closed = True

    def interrupt(self) -> bool:
        """True while the chip pulls its interrupt line."""
        return False

    def _byte(self, byte: int) -> int:
        raise NotImplementedError

    # ---- registers ---------------------------------------------------------------------------------------------------

    def get(self, name: str) -> int:
        return self.values[self.table[name].address]

    def set(self, name: str, value: int) -> None:
        """Change a register from the inside of the chip."""
        self.values[self.table[name].address] = value

    def get_field(self, name: str, field: str) -> int:
        return self.table[name].get(field, self.get(name))

    def set_field(self, name: str, **fields: int) -> None:
        register = self.table[name]
        mask = register.put(**{field: (1 << register.fields[field][1]) - 1 for field in fields})
        self.set(name, self.get(name) & ~mask | register.put(**fields))

    def read_register(self, address: int) -> int:
        """A reading access; unknown addresses read 0."""
        return self.values.get(address, 0)

    def write_register(self, address: int, value: int) -> None:
        """A writing access, by the register's rule."""
        register = self._registers.get(address)
        if register is None:
            return
        self.writes.append((register.name, value))
        before = self.values[address]
        match register.access:
            case "rw":
                self.values[address] = value
            case "w1c":
                self.values[address] = before & ~value
            case "w0c":
                self.values[address] = before & value
        self.written(register, before)

    def written(self, register: Register, before: int) -> None:
        """What a write sets off in the chip."""
