"""A card of line chips in the guest: its TDM bus is the kernel's loop-back sound card (snd-aloop), so that samples go
through the real ALSA; its chips are the register-accurate simulated ones, in the guest's time. SPI has no stand-in.
"""

from __future__ import annotations

import importlib
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from boards.base import ALAW_SILENCE, Block
from boards.framer_e1 import SIGNALLING_SLOT
from boards.tdm_board import Buses
from drivers.cas_slot import CasSlot
from drivers.simulated.line_card import CHIPS
from drivers.simulated.register_chip import RegisterChip
from drivers.spi_line_chip import ChipError, SpiBus
from drivers.tdm_alsa import TdmStream, open_pcms
from firmware.core.faults import fault
from tests.vm.inside.far_line import quiet, random_blocks

SLOTS = 32
NEAR, FAR = "hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1"
KERNEL_DRIVER, DEVICE = Path("/sys/bus/platform/drivers/snd_aloop"), "snd_aloop.0"
PULLED_SECONDS = 5.0


def load_loop() -> None:
    """Have the module loaded; skips the test in a kernel that has none. What Python reads from the disk when it is used
    first is read now: while the guest waits for its disk its clock runs ahead, and the sound card over."""
    if subprocess.run(["modprobe", "snd-aloop"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel has no snd-aloop")
    importlib.import_module("alsaaudio")
    random_blocks(0, 1)


class ChipInTime:
    """A simulated chip for which as much time passes as for the machine."""

    def __init__(self, chip: RegisterChip) -> None:
        self.chip = chip
        self._looked = time.monotonic()

    def transfer(self, data: list[int]) -> list[int]:
        now = time.monotonic()
        self.chip.advance((now - self._looked) * 1000)
        self._looked = now
        return self.chip.transfer(data)

    def close(self) -> None:
        self.chip.close()


class LoopCard:
    """The place where the card is plugged in or not: what the board's buses are opened with."""

    def __init__(self, kinds: Sequence[str], devices: Sequence[str]) -> None:
        """Not plugged yet. Chips of these kinds are behind these SPI devices."""
        load_loop()
        self.chips = [CHIPS[kind]() for kind in kinds]
        self._devices = list(devices)
        self._pulling: subprocess.Popen[bytes] | None = None
        self._bind("unbind")

    @property
    def plugged(self) -> bool:
        return (KERNEL_DRIVER / DEVICE).exists()

    def buses(self) -> Buses:
        return Buses(self._spi, partial(open_pcms, NEAR, SLOTS, "word", NEAR))

    def _spi(self, path: str, where: str) -> SpiBus:
        if not self.plugged:
            raise ChipError(fault("spi_absent", device=path, error="pulled"), where)
        return ChipInTime(self.chips[self._devices.index(path)])

    def plug(self) -> None:
        """Put the card in; after a pull everybody must have closed it."""
        if self._pulling is not None:
            assert self._pulling.wait(PULLED_SECONDS) == 0
            self._pulling = None
        self._bind("bind")

    def pull(self) -> None:
        """Take it out whoever has it open. The kernel says that it is done when all have closed it."""
        self._pulling = subprocess.Popen(["sh", "-c", f"echo {DEVICE} >{KERNEL_DRIVER}/unbind"])

    def unplug(self) -> None:
        """Take it out; nobody has it open any more."""
        if self._pulling is not None:
            self._pulling.wait(PULLED_SECONDS)
        self._bind("unbind")

    def _bind(self, how: str) -> None:
        if self.plugged != (how == "bind"):
            (KERNEL_DRIVER / how).write_text(DEVICE)


class FarSlots:
    """The other side of the sound card: plays blocks to the slots of a board's channels and keeps what comes there."""

    def __init__(self, slots: Sequence[int]) -> None:
        self.heard: list[Block] = []
        self.to_play: list[Block] = []
        self._slots = np.array(slots)
        self._frame = np.full((SLOTS, 80), ALAW_SILENCE, np.uint8)
        self._stream: TdmStream | None = None
        self.open()

    def open(self) -> None:
        self._stream = TdmStream(SLOTS, "word", "far end", partial(open_pcms, FAR, SLOTS, "word", FAR))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def fileno(self) -> int:
        assert self._stream is not None
        return self._stream.descriptor

    def look(self) -> int:
        """Take what has come and play a block for each, of `to_play` or silence. How many blocks came; none if the
        card was pulled."""
        assert self._stream is not None
        try:
            frames = self._stream.read_blocks()
            for frame in frames:
                self.heard.append(frame[self._slots])
                self._take_frame(frame)
                self._frame[self._slots] = self.to_play.pop(0) if self.to_play else quiet(len(self._slots))
                self._make_frame(self._frame)
                self._stream.write_block(self._frame)
        except ChipError:
            return 0
        return len(frames)

    def _take_frame(self, frame: Block) -> None:
        """What else came than speech."""

    def _make_frame(self, frame: Block) -> None:
        """Put in what else goes out."""


class FarSpan(FarSlots):
    """With line bits in slot 16, as an exchange has."""

    def __init__(self, slots: Sequence[int]) -> None:
        self.cas = CasSlot()
        self.bits: dict[int, int] = {}
        """What came, by channel."""
        super().__init__(slots)

    def _take_frame(self, frame: Block) -> None:
        self.bits.update(self.cas.receive(frame[SIGNALLING_SLOT]))

    def _make_frame(self, frame: Block) -> None:
        frame[SIGNALLING_SLOT] = self.cas.block()
