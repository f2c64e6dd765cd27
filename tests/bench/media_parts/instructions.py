"""How many instructions detection and the whole tick take on a 64-bit ARM processor, beside libspandsp's C on the same.

A Debian arm64 root is unpacked into the user's cache folder once (half a minute, some 200 MB), with the same numpy as
here, and run by qemu's user emulation of a Cortex-A72; a small plugin counts. Counted are two runs of different length:
their difference is what the ticks took, without start and imports. Instructions are not time: caches, memory and how
many instructions a cycle does are not in it, and no real board has been measured.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from firmware.media import codec
from firmware.media.codec import BLOCK, Alaw
from firmware.media.sounds import SoundStore
from firmware.tones.plan import load_plan
from tests.bench.media_parts.audio import dialling, talking
from tests.bench.media_parts.timing import Result, result
from tests.bench.media_parts.whole_tick import GROUP

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
CHANNELS = 128
WHOLE_TICK = f"whole tick, {CHANNELS} channels, Cortex-A72"
SHORT, LONG = 90, 390
"""Ticks of the two runs: whole stretches of fifteen, see firmware/tones/dtmf.py."""
PACKAGES = "python3-minimal,libpython3-stdlib,libspandsp2,libspandsp-dev,libc6-dev,libtiff-dev,libstdc++6"
TOOLS = ("qemu-aarch64", "mmdebstrap", "aarch64-linux-gnu-gcc", "gcc")
A72_MIPS = {"1.5 GHz, 1 instruction a cycle": 1500.0, "1.5 GHz, 1.5 instructions a cycle": 2250.0}
"""What a Cortex-A72 board does; unmeasured."""


def measure() -> list[Result]:
    """The cases, or none (and why is said) if the tools are missing or the root cannot be made."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(
            f"instructions are not counted, {', '.join(missing)} missing: "
            "scripts/setup --system qemu-user mmdebstrap gcc-aarch64-linux-gnu gcc",
            file=sys.stderr,
        )
        return []
    try:
        place = _made()
    except subprocess.CalledProcessError as error:
        print(f"instructions are not counted, {error.cmd[0]} failed: {error.stderr}", file=sys.stderr)
        return []
    store = SoundStore.load(load_plan().samples())
    talk, dial = talking(CHANNELS, LONG, store), dialling(CHANNELS, LONG)
    mixed, busy = talk.copy(), talk.copy()
    mixed[::8] = dial[::8]
    busy[5::GROUP] = dial[5::GROUP]
    results: list[Result] = []
    for name, audio in (("talking", talk), ("one in eight dialling", mixed), ("dialling", dial)):
        with _files(audio) as (codes, whole):
            ours = _counted(place, "python", "dtmf", codes) - _counted(place, "python", "decode", codes)
            peer = _counted(place, "spandsp", "", whole)
        results.append(result(f"dtmf, {CHANNELS} channels {name}, Cortex-A72", "instructions", ours, peer))
    with _files(busy) as (codes, _):
        whole_tick = _counted(place, "python", "tick", codes)
    return [*results, result(WHOLE_TICK, "instructions", whole_tick)]


def meaning(results: list[Result]) -> str:
    """What the counts mean for a board, in words."""
    tick = {line["case"]: float(line["ours"] or 0.0) for line in results}.get(WHOLE_TICK)
    if tick is None:
        return ""
    shares = (f"{tick / mips / 10_000 * 100:.1f} % of a core at {what}" for what, mips in A72_MIPS.items())
    return (
        f"On a Cortex-A72 board the whole tick of {CHANNELS} channels takes {tick / 1e6:.2f} million instructions: "
        f"{', '.join(shares)}. Counted under emulation; how fast a board does them has not been measured."
    )


@contextmanager
def _files(audio: Alaw) -> Iterator[tuple[Path, Path]]:
    """The audio as A-law and as int16, [ticks, channels, 80], in files."""
    blocks = np.ascontiguousarray(audio.reshape(CHANNELS, LONG, BLOCK).transpose(1, 0, 2))
    with tempfile.TemporaryDirectory() as folder:
        codes, whole = (Path(folder) / name for name in ("codes", "whole"))
        blocks.tofile(codes)
        codec.decode(blocks).astype(np.int16).tofile(whole)
        yield codes, whole


def _counted(place: Path, program: str, what: str, audio: Path) -> float:
    """Instructions a tick."""
    counts: list[int] = []
    for ticks in (SHORT, LONG):
        sizes = [str(audio), str(CHANNELS), str(ticks)]
        if program == "python":
            command = [str(place / "root/usr/bin/python3.11"), "-m", "tests.bench.media_parts.arm64_work", what, *sizes]
        else:
            command = [str(place / "spandsp_dtmf"), *sizes]
        environment = {
            "PYTHONPATH": f"{CHECKOUT}:{place / 'site'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.environ["PATH"],
        }
        emulator = ["qemu-aarch64", "-cpu", "cortex-a72", "-L", str(place / "root"), "-plugin", str(place / "count.so")]
        ran = subprocess.run([*emulator, *command], env=environment, check=True, capture_output=True, text=True)
        found = re.search(r"^instructions (\d+)$", ran.stderr, re.MULTILINE)
        assert found is not None, ran.stderr
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (LONG - SHORT)


def _made() -> Path:
    """The folder with the root, our numpy, the plugin and the peer; made at first use."""
    sources = [HERE / "count_instructions.c", HERE / "spandsp_dtmf.c"]
    wheels = [f"{name}=={version(name)}" for name in ("numpy", "msgspec")]
    key = hashlib.sha256("".join([PACKAGES, *wheels, *(source.read_text() for source in sources)]).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox"
    place = cache / f"arm64-{key.hexdigest()[:16]}"
    if place.exists():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="arm64-", dir=cache))
    try:
        root = part / "root"
        bootstrap = ["--architectures=arm64", "--variant=extract", "--skip=check/qemu", f"--include={PACKAGES}"]
        _run("mmdebstrap", *bootstrap, "bookworm", str(root))
        # The wheels of the other processor, of the versions that run here.
        platforms = [f"--platform=manylinux{name}_aarch64" for name in ("2014", "_2_17", "_2_27", "_2_28")]
        foreign = ["--no-deps", "--only-binary=:all:", "--implementation=cp", "--python-version=3.11", *platforms]
        _run(sys.executable, "-m", "pip", "install", "--quiet", *foreign, f"--target={part / 'site'}", *wheels)
        _run("gcc", "-O2", "-shared", "-fPIC", "-o", str(part / "count.so"), str(sources[0]))
        library = root / "usr/lib/aarch64-linux-gnu"
        link = [f"--sysroot={root}", f"-L{library}", "-lspandsp", "-Wl,--allow-shlib-undefined"]
        _run("aarch64-linux-gnu-gcc", "-O2", "-o", str(part / "spandsp_dtmf"), str(sources[1]), *link)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def _run(*command: str) -> None:
    print("arm64:", *command[:3], "...", file=sys.stderr)
    subprocess.run(command, check=True, capture_output=True, text=True)
