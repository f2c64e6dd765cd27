"""Runs a job in the test guest: checkout and script in, verdict and result files out. Not what a job does.

QEMU translates (TCG) with a virtual clock (icount): a second of the guest is a billion instructions, whatever else the
host does, and idle time passes at once. What is measured inside is repeatable; what is measured outside means little.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.vm.guest import CHECKOUT, Guest, GuestError

MEMORY_MIB = 768
RESULTS_MIB = 64
PURE_PYTHON = ("periphery", "tinydb")
"""Packages that Debian has too old or not here: taken from the checkout's environment, as they are only Python."""
COMPILED = "compiled"
"""Folder of job, results and cached guest: what the guest compiled (bindings, byte code), kept from run to run."""
_KEEPING = threading.Lock()
# While the guest waits for its disk its clock runs ahead, by seconds on a busy host. What is used is in memory then.
# Not for benchmarks: who wants memory that is full of it pays for that, a gateway of 124 channels a fifth more.
READ_AHEAD = r"""{
    echo 2048 >/sys/block/vda/queue/read_ahead_kb
    ls -lR /usr/lib/python3*
    cat /usr/lib/modules/*/modules.* /usr/share/alsa/*.conf /usr/bin/python3 /usr/bin/kmod /bin/busybox
    find /usr/lib/python3* /usr/lib/x86_64-linux-gnu -type f -name '*.so*' -size -11M ! -name 'lib*san.so*' \
        -exec cat {} +
    find /usr/lib/modules/*/extra /usr/lib/modules/*/kernel/sound/core /usr/lib/modules/*/kernel/sound/drivers \
        /usr/lib/modules/*/kernel/drivers/i2c -type f -exec cat {} +
} >/dev/null 2>&1 || true
"""
LOAD_DRIVER = f"""\
modprobe dahdi auto_assign_spans=1  # Debian's own default, 0, makes every span invisible
modprobe dahdi_dynamic
modprobe dahdi_dynamic_loc
modprobe dahdi_echocan_mg2
[ ! -d {COMPILED} ] || cp -r {COMPILED} /results/
export XDG_CACHE_HOME=/results/{COMPILED} PYTHONPYCACHEPREFIX=/results/{COMPILED}/bytecode
export PYTHONPATH=/job/packages OPENBLAS_NUM_THREADS=1
"""
"""How a script begins that has to do with the driver and with Python."""
CHECKOUT_PARTS = ("firmware", "drivers", "boards", "tests", "pyproject.toml")


@dataclass
class JobResult:
    """How a job ended. `code` is None if it never said a verdict (crashed guest, time over)."""

    code: int | None
    log: str
    seconds: float
    files: dict[str, bytes] = field(default_factory=dict)


def checkout_tar(script: str, compiled: Path, files: Mapping[str, bytes]) -> bytes:
    """The checkout's Python, what is `compiled` already, further `files`, and `script` as `run-job`, as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for part in CHECKOUT_PARTS:
            archive.add(CHECKOUT / part, part, filter=_wanted)
        for package in PURE_PYTHON:
            module = __import__(package)
            assert module.__file__ is not None
            archive.add(Path(module.__file__).parent, f"packages/{package}", filter=_wanted)
        if compiled.is_dir():
            archive.add(compiled, COMPILED)
        for name, content in {**files, "run-job": script.encode()}.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return buffer.getvalue()


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def run_job(
    guest: Guest,
    script: str,
    seconds: float,
    log: Path | None = None,
    *,
    drives: Sequence[str] = (),
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> JobResult:
    """Boot, run `script` (sh, stops at its first error; results go to /results), end. At most `seconds` of the host.

    `drives`: QEMU's words for further virtio disks, /dev/vdd and on; `files`: what else lies in /job.
    The log of the serial line also goes to `log` while the job runs. Raises GuestError if QEMU cannot start at all.
    """
    nonce = secrets.token_hex(8)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linebox-vm-") as name:
        folder = Path(name)
        job, results = folder / "job.tar", folder / "results.tar"
        content = checkout_tar(script, guest.folder / COMPILED, files)
        job.write_bytes(content + b"\0" * (-len(content) % 512))
        with open(results, "wb") as file:
            file.truncate(RESULTS_MIB << 20)
        output = log or folder / "serial.log"
        with open(output, "wb") as serial:
            try:
                machine = subprocess.Popen(
                    _command(guest, job, results, nonce, drives),
                    stdin=subprocess.DEVNULL,
                    stdout=serial,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "TMPDIR": str(folder)},  # where QEMU keeps what the guest writes to its root
                )
            except OSError as error:
                raise GuestError(f"QEMU does not start: {error}") from error
            try:
                machine.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
            finally:
                if machine.poll() is None:
                    os.killpg(machine.pid, signal.SIGKILL)
                machine.wait()
        text = output.read_bytes().decode(errors="replace").replace("\r", "")
        found = re.search(rf"^VERDICT {nonce} (\d+)$", text, re.MULTILINE)
        result = JobResult(int(found.group(1)) if found else None, text, time.monotonic() - started)
        if found:
            with tarfile.open(results) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    if file is not None:
                        result.files[member.name.removeprefix("./")] = file.read()
            _keep_compiled(guest, result.files)
        return result


def _keep_compiled(guest: Guest, files: dict[str, bytes]) -> None:
    """Take what the job compiled out of its results and put it beside the guest. Of two runs the later counts."""
    made = {name: files.pop(name) for name in list(files) if name.startswith(f"{COMPILED}/")}
    if not made:
        return
    with tempfile.TemporaryDirectory(prefix="compiled-", dir=guest.folder) as name:
        for path, content in made.items():
            target = Path(name, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        kept = guest.folder / COMPILED
        with _KEEPING:
            if kept.exists():
                os.rename(kept, Path(name, "before"))
            os.rename(Path(name, COMPILED), kept)


def _command(guest: Guest, job: Path, results: Path, nonce: str, more_drives: Sequence[str]) -> list[str]:
    # -avx2: QEMU 7.2 miscomputes some of its gathers, and numpy uses them.
    machine = "-accel tcg,thread=single -icount shift=0,sleep=off -rtc clock=vm -cpu max,-avx2 -smp 1".split()
    plain = "-nodefaults -no-user-config -display none -serial stdio -no-reboot".split()
    kernel = f"console=ttyS0 quiet panic=-1 nokaslr mitigations=off reboot=t linebox.nonce={nonce}"
    drives = [
        f"file={guest.disk},format=raw,if=virtio,snapshot=on",
        f"file={job},format=raw,if=virtio,readonly=on",
        f"file={results},format=raw,if=virtio,cache=unsafe",
        *more_drives,
    ]
    return [
        *("nice", "-n", "15", "qemu-system-x86_64", *machine, *plain, "-m", str(MEMORY_MIB)),
        *("-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", kernel),
        *(part for drive in drives for part in ("-drive", drive)),
    ]
