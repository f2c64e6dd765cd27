"""Fifty power cuts of a disk that loses what was not flushed, while calls are recorded on it, in the test guest.

The disk is `losing_disk.py`, the work and the judging `inside/power_cuts.py`. That the disk really lost something is
asserted here. It takes two minutes of processor time at most: 20 s are the guest's start, the rest some 20,000 requests
to the disk, for each of which the guest's virtual time waits.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firmware.records.database import open_database
from tests.vm.guest import CHECKOUT, make_guest
from tests.vm.job import run_job
from tests.vm.losing_disk import DiskServer, LosingDisk

CUTS = 50
SEED = 20261122
DISK_MIB = 96
HOST_SECONDS = 700
SCRIPT = """\
export PYTHONPYCACHEPREFIX=/job/compiled/bytecode PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=/job/packages OPENBLAS_NUM_THREADS=1
echo 1 >/proc/sys/kernel/printk  # of the errors of a disk without power
python3 -m tests.vm.inside.power_cuts {cuts} {seed} /job/template.db
"""


@contextmanager
def served(disk: LosingDisk, folder: Path) -> Iterator[Path]:
    path = folder / "disk.sock"
    server = DiskServer(path, disk)
    try:
        yield path
    finally:
        server.close()


def formatted(folder: Path) -> bytes:
    """An empty ext4, as a box's data partition."""
    image = folder / "data.ext4"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0", image, f"{DISK_MIB}M"], check=True)
    return image.read_bytes()


def cut_power(disk: LosingDisk, folder: Path, cuts: int) -> dict[str, Any]:
    """The guest's report."""
    open_database(folder / "template.db").dispose()  # so that the guest need not load what makes tables
    files = {"template.db": (folder / "template.db").read_bytes()}
    (CHECKOUT / "test-results").mkdir(exist_ok=True)
    with served(disk, folder) as path:
        drives = [f"file=nbd+unix:///{name}?socket={path},format=raw,if=virtio" for name in ("disk", "control")]
        result = run_job(
            make_guest(),
            SCRIPT.format(cuts=cuts, seed=SEED),
            HOST_SECONDS,
            CHECKOUT / "test-results" / "vm-power-cuts.log",
            drives=drives,
            files=files,
        )
    assert result.code == 0, f"the job ended with {result.code}:\n{result.log[-4000:]}"
    report: dict[str, Any] = json.loads(result.files["cuts.json"])
    return report


def test_after_each_of_fifty_power_cuts_nothing_acknowledged_is_missing(tmp_path: Path) -> None:
    disk = LosingDisk(formatted(tmp_path), SEED)

    report = cut_power(disk, tmp_path, CUTS)

    assert report["wrong"] == []
    assert report["cuts"] == CUTS and report["promises"] > 3 * CUTS and report["recordings"] > CUTS
    assert report["tampered"] == report["named"] == CUTS // 5
    # The disk did lose something, and kept other things that it need not have kept. Chance has it so in about six cuts
    # of ten; in no more than two of ten it would once in a hundred million runs.
    assert len(disk.dropped) == CUTS
    assert sum(dropped > 0 for dropped in disk.dropped) > CUTS * 0.2, disk.dropped
    assert sum(disk.dropped) > CUTS, disk.dropped
    assert sum(disk.kept) > 0, disk.kept
