"""Register tables of chips, read from `register_tables/*.toml`. Knows names and bits; does not talk to a chip.

A table names its data sheet. `unverified = true` marks an entry whose meaning was written from memory or from a sister
chip's data sheet and has not been compared with the page that `section` names: compare it before connecting hardware.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One register. `access`: `rw`, `r`; `w1c` is cleared by writing ones, `w0c` by writing zeros."""

    name: str
    address: int
    section: str
    access: Literal["rw", "r", "w1c", "w0c"] = "rw"
    reset: int = 0
    width: int = 8
    fields: dict[str, tuple[int, int]] = {}
    """Name → (lowest bit, number of bits)."""
    note: str = ""
    unverified: bool = False

    def get(self, field: str, value: int) -> int:
        """A field's value out of the register's. Raises KeyError."""
        low, bits = self.fields[field]
        return value >> low & (1 << bits) - 1

    def put(self, **values: int) -> int:
        """A register value with these fields set and all others 0. Raises KeyError, ValueError."""
        whole = 0
        for field, value in values.items():
            low, bits = self.fields[field]
            if not 0 <= value < 1 << bits:
                raise ValueError(f"{self.name}.{field} has {bits} bits, {value} does not fit")
            whole |= value << low
        return whole


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that a step of the power-up sequence writes."""

    step: str
    register: str
    value: int
    why: str
    unverified: bool = False


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    chip: str
    datasheet: str
    register: tuple[Register, ...]
    indirect: tuple[Register, ...] = ()
    setting: tuple[Setting, ...] = ()


class RegisterTable:
    """All that is known of one chip's registers. `indirect` ones lie behind an address and a data register."""

    def __init__(self, text: str) -> None:
        """Raises ValueError if the table contradicts itself: doubles, fields outside a register, unknown names."""
        file = msgspec.convert(tomllib.loads(text), _File)
        self.chip = file.chip
        self.datasheet = file.datasheet
        self.registers = file.register
        self.indirect = file.indirect
        self._settings = file.setting
        self._by_name = {one.name: one for one in (*file.register, *file.indirect)}
        self._check()

    def _check(self) -> None:
        for group in (self.registers, self.indirect):
            addresses = [one.address for one in group]
            if len(set(addresses)) != len(addresses):
                raise ValueError(f"{self.chip}: an address stands twice")
        if len(self._by_name) != len(self.registers) + len(self.indirect):
            raise ValueError(f"{self.chip}: a name stands twice")
        for one in self._by_name.values():
            spans = one.fields.items()
            outside = [name for name, (low, bits) in spans if low < 0 or bits < 1 or low + bits > one.width]
            if outside or not 0 <= one.reset < 1 << one.width:
                raise ValueError(f"{self.chip}: {one.name} does not fit its width ({outside or 'reset'})")
        for setting in self._settings:
            if setting.register not in self._by_name or setting.value >= 1 << self._by_name[setting.register].width:
                raise ValueError(f"{self.chip}: step {setting.step} sets {setting.register} wrongly")

    def __getitem__(self, name: str) -> Register:
        """A register by its name. Raises KeyError."""
        return self._by_name[name]

    def settings(self, step: str) -> list[tuple[Register, int]]:
        """What a step of the power-up sequence writes, in order."""
        return [(self[one.register], one.value) for one in self._settings if one.step == step]

    def unverified(self) -> list[str]:
        """Names of the entries that nobody has compared with the data sheet."""
        registers = [one.name for one in (*self.registers, *self.indirect) if one.unverified]
        return registers + [f"{one.step}: {one.register}" for one in self._settings if one.unverified]


@cache
def register_table(chip: str) -> RegisterTable:
    """The shipped table of a chip, e.g. `si3210`. Raises FileNotFoundError, ValueError."""
    return RegisterTable((files("drivers") / "register_tables" / f"{chip}.toml").read_text(encoding="utf-8"))
