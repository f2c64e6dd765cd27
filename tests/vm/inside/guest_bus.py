"""TDM samples through real ALSA (snd-aloop) and GPIO lines of the real kernel (gpio-sim). SPI has no such stand-in."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from drivers.gpio_lines import GpioLine
from drivers.spi_line_chip import ChipError, open_spi
from drivers.tdm_alsa import BLOCK, TdmStream, open_pcms

SLOTS = 32
SIMULATED = Path("/sys/kernel/config/gpio-sim/linebox")


def load(module: str) -> None:
    if subprocess.run(["modprobe", module], check=False, capture_output=True).returncode:
        pytest.skip(f"this kernel has no {module}")


# ---- ALSA ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[TdmStream, TdmStream]]:
    """Two TDM streams, each the other's far end. The loop-back card has no A-law, so slots are 16 bits wide."""
    load("snd-aloop")
    streams = [
        TdmStream(SLOTS, "word", card, partial(open_pcms, card, SLOTS, "word", card))
        for card in ("hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1")
    ]
    yield streams[0], streams[1]
    for stream in streams:
        stream.close()


CYCLE = 241


def counted(block: int) -> np.ndarray:
    """A sawtooth through all blocks, each slot ahead of the one before it."""
    return ((np.arange(block * BLOCK, (block + 1) * BLOCK) + np.arange(SLOTS)[:, None]) % CYCLE).astype(np.uint8)


def test_samples_go_through_the_card_bit_by_bit_in_their_slots_and_in_time(
    ends: tuple[TdmStream, TdmStream],
) -> None:
    near, far = ends
    watcher = select.poll()
    watcher.register(near.descriptor, select.POLLIN)
    near.write_block(counted(0))  # opening the second stream took longer than the first's cushion lasts
    near.read_blocks(), far.read_blocks()
    before = near.counters.underruns, near.counters.overruns
    came: list[np.ndarray] = []
    sent = 0
    began = time.monotonic()
    while len(came) < 300:
        assert watcher.poll(1000), "the card's descriptor does not become readable"
        for _ in near.read_blocks():
            sent += 1
            assert near.write_block(counted(sent))
        came += far.read_blocks()
    lasted = time.monotonic() - began

    heard = np.concatenate(came[-250:], axis=1).astype(int)
    begin = heard[0, 0]
    wanted = (begin + np.arange(heard.shape[1]) + np.arange(SLOTS)[:, None]) % CYCLE
    assert np.array_equal(heard, wanted)
    assert (near.counters.underruns, near.counters.overruns) == before
    assert 2.8 < lasted < 3.3  # 300 blocks of 10 ms by the card's clock


def test_a_stall_is_counted_on_both_sides_and_the_stream_goes_on(ends: tuple[TdmStream, TdmStream]) -> None:
    near, far = ends
    for _ in range(10):
        select.select([near.descriptor], [], [], 1)
        for _ in near.read_blocks():
            near.write_block(counted(0))
        far.read_blocks()
    time.sleep(0.3)

    deadline = time.monotonic() + 2
    blocks = 0
    while blocks < 20 and time.monotonic() < deadline:
        select.select([near.descriptor], [], [], 0.1)
        got = near.read_blocks()
        blocks += len(got)
        for _ in got:
            near.write_block(counted(0))

    assert blocks >= 20
    assert near.counters.overruns >= 1
    assert near.counters.underruns >= 1


def test_a_card_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(ChipError, match="arecord -l"):
        open_pcms("hw:CARD=nothing", SLOTS, "word", "board x")


# ---- GPIO ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def chip() -> Iterator[tuple[str, Path]]:
    """A chip of four lines: its device, and the folder where the world outside pulls them."""
    load("gpio-sim")
    subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"], check=False, capture_output=True)
    bank = SIMULATED / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text("4")
    (SIMULATED / "live").write_text("1")
    name = (bank / "chip_name").read_text().strip()
    device = (SIMULATED / "dev_name").read_text().strip()
    yield f"/dev/{name}", Path(f"/sys/devices/platform/{device}/{name}")
    (SIMULATED / "live").write_text("0")
    bank.rmdir()
    SIMULATED.rmdir()


def test_reset_and_interrupt_lines_are_driven_and_read(chip: tuple[str, Path]) -> None:
    device, outside = chip
    reset = GpioLine(f"{device}:1", "out", "board x")
    interrupt = GpioLine(f"{device}:2", "in", "board x")
    value, pull = outside / "sim_gpio1" / "value", outside / "sim_gpio2" / "pull"

    assert value.read_text().strip() == "1"  # low when active, and not active
    reset.set(True)
    assert value.read_text().strip() == "0"
    pull.write_text("pull-up")
    assert not interrupt.active()
    pull.write_text("pull-down")
    assert interrupt.active()
    reset.close()
    interrupt.close()


def test_a_line_in_use_is_an_error_that_says_what_to_do(chip: tuple[str, Path]) -> None:
    device, _ = chip
    first = GpioLine(f"{device}:1", "out", "board x")

    with pytest.raises(ChipError, match="gpioinfo"):
        GpioLine(f"{device}:1", "out", "board x")
    first.close()


def test_an_spi_device_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(ChipError, match="boot configuration"):
        open_spi("/dev/spidev0.0", "board x")
