"""Reading and writing the registers of line chips over SPI. What a register means is in the chips' own files.

A bus is anything with python-periphery's `SPI.transfer()`, so a simulated chip (`drivers/simulated/`) stands behind the
same call. All calls here take as long as the transfer, some 50 microseconds; none waits for the chip: a power-up
sequence is a generator that says how long to wait (`Step`), and whoever runs it lets the time pass.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from drivers.register_table import Register, RegisterTable
from firmware.core.faults import FaultError, fault

SPI_HZ = 1_000_000
"""Both families allow more; a ribbon cable to a line card does not always."""
SPI_MODE = 3
"""Clock idles high, data taken at the rising edge."""

Framing = Literal["byte", "whole"]
"""Whether chip select is released after each byte or after the whole access. The chips count bytes either way."""

Termination = Literal["china", "600_ohm"]
"""What an analogue line looks like at voice frequencies: a step of that name in the chip's table sets it. A line that
is terminated otherwise than it is gives its own signal back as echo."""


class ChipError(FaultError):
    """A chip or its bus does not do what it should. `where` names the port and the device."""


class SpiBus(Protocol):
    """One chip select of an SPI bus. python-periphery's `SPI` is one; `transfer` raises OSError."""

    def transfer(self, data: list[int]) -> Sequence[int]:
        """Send bytes and give back as many that came at the same time. python-periphery takes no tuple."""
        ...

    def close(self) -> None: ...


def open_spi(path: str, where: str) -> SpiBus:
    """The SPI device `path`, e.g. `/dev/spidev0.0`. Raises ChipError if it is not there or may not be used."""
    try:
        from periphery import SPI, SPIError
    except ImportError as error:
        raise ChipError(fault("periphery_missing", error=error), where) from error
    try:
        bus: SpiBus = SPI(path, SPI_MODE, SPI_HZ)
    except SPIError as error:
        raise ChipError(fault("spi_absent", device=path, error=error), where) from error
    return bus


@dataclass(frozen=True)
class Step:
    """What a power-up sequence is at, and how long it wants to be left alone."""

    name: str
    wait_ms: int


PowerUp = Generator[Step, None, None]
"""Runs to its end when the chip works; raises ChipError when it will not."""


class LineChip:
    """Registers of one chip by name. Subclasses know how an access looks on the wire."""

    table: RegisterTable

    def __init__(self, bus: SpiBus, where: str, framing: Framing = "byte") -> None:
        """`where`: as errors shall name the port, e.g. `board lines FXS-3 (/dev/spidev0.2)`."""
        self.where = where
        self._bus = bus
        self._framing = framing

    def read(self, name: str) -> int:
        """A register's value. Raises ChipError if the bus fails."""
        return self._read(self.table[name])

    def write(self, name: str, value: int) -> None:
        """Write a whole register. Raises ChipError if the bus fails."""
        self._write(self.table[name], value)

    def change(self, name: str, **fields: int) -> None:
        """Write some fields of a register and leave the others."""
        register = self.table[name]
        mask = register.put(**{field: (1 << register.fields[field][1]) - 1 for field in fields})
        self._write(register, self._read(register) & ~mask | register.put(**fields))

    def field(self, name: str, field: str) -> int:
        """One field of a register."""
        register = self.table[name]
        return register.get(field, self._read(register))

    def apply(self, step: str) -> None:
        """Write the settings that the table has for a step of the power-up sequence."""
        for register, value in self.table.settings(step):
            self._write(register, value)

    def fail(self, code: str, **arguments: object) -> ChipError:
        """The error to raise, by the code of its fault."""
        return ChipError(fault(code, **arguments), self.where)

    def _read(self, register: Register) -> int:
        raise NotImplementedError

    def _write(self, register: Register, value: int) -> None:
        raise NotImplementedError

    def _exchange(self, *data: int) -> int:
        """One access on the wire; the last byte that came. Raises ChipError."""
        try:
            if self._framing == "whole":
                return self._bus.transfer(list(data))[-1]
            came = 0
            for byte in data:
                came = self._bus.transfer([byte])[-1]
            return came
        except OSError as error:
            raise self.fail("spi_failed", error=error) from error

    def _set_slot(self, slot: int) -> None:
        """Put the chip's samples into a slot of the TDM stream, 8 clock cycles each."""
        for way in ("transmit", "receive"):
            self.write(f"{way}_start_low", slot * 8 & 0xFF)
            self.write(f"{way}_start_high", slot * 8 >> 8)
