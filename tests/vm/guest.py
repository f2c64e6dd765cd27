"""The test guest: a Debian machine with the real DAHDI driver, built once and kept in the cache. Not the box's image.

Debian 13 amd64: everything is unpacked, configured and compiled natively in a chroot (arm64 boots a little faster, but
needs cross-made modules and a half-configured root). All comes from the Debian archive by mmdebstrap, from the mirror
that this machine's own apt uses, checked against the Debian archive keyring.

The key of the cache covers the recipe (this file, `recipe/`, the package list); the versions that the archive gave are
in `versions.txt` beside the image. A warm cache needs no network. To build anew, delete the folder.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import lzma
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RECIPE = Path(__file__).resolve().parent / "recipe"
CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox" / "vm"
KEYRINGS = [Path("/usr/share/keyrings") / f"debian-archive-keyring.{suffix}" for suffix in ("gpg", "pgp")]

SUITE = "trixie"
HOST_PACKAGES = ("qemu-system-x86", "mmdebstrap", "debian-archive-keyring", "e2fsprogs")
GUEST_PACKAGES = (
    # the kernel and what builds its modules; the generic kernel has ALSA, GPIO and I2C test modules, the cloud one not
    *("linux-image-amd64", "linux-headers-amd64", "dahdi-source", "gcc", "make", "kmod", "busybox-static"),
    # the line side's peers and libraries
    *("dahdi", "libpri-dev", "libopenr2-dev", "libspandsp-dev", "minimodem"),
    # what our code and its tests import
    *("python3", "python3-dev", "python3-cffi", "python3-numpy", "python3-msgspec", "python3-psutil"),
    *(
        "python3-sqlalchemy",
        "python3-alembic",
        "python3-argon2",
        "python3-soundfile",
        "python3-bottle",
        "python3-gevent",
    ),
    *("python3-pytest", "python3-hypothesis", "python3-serial", "python3-alsaaudio", "procps"),
)
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*")
BOOT_MODULES = ("crc32c_generic", "virtio_pci", "virtio_blk", "ext4")
"""What mounts the root disk. ext4 asks for crc32c by name; its file names no dependency."""
SPARE_MIB = 300
BUILD_SECONDS = 900


class GuestError(Exception):
    """The guest cannot be built or run; the text says why and what to do."""


@dataclass(frozen=True)
class Guest:
    """A finished guest in the cache."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        return self.folder / "root.ext4"

    @property
    def versions(self) -> dict[str, str]:
        """Installed packages and their versions."""
        lines = (self.folder / "versions.txt").read_text().splitlines()
        return dict(line.split(" ", 1) for line in lines)


def cache_key() -> str:
    """Names the recipe: the same key gives the same guest but for the archive's versions of the day."""
    parts = [Path(__file__).read_bytes(), *(path.read_bytes() for path in sorted(RECIPE.iterdir()))]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def make_guest() -> Guest:
    """The guest of this recipe, from the cache or built now (two to four minutes). Raises GuestError."""
    key = cache_key()
    guest = Guest(CACHE / key)
    _install_host_packages()
    if guest.folder.is_dir():
        return guest
    if os.geteuid() != 0:
        raise GuestError("only root can build the test guest (it unpacks a Debian system). Run: sudo scripts/test vm")
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(CACHE / "lock"):
        if not guest.folder.is_dir():
            _build(guest.folder)
    return guest


def _install_host_packages() -> None:
    if all(shutil.which(tool) for tool in ("qemu-system-x86_64", "mmdebstrap", "mke2fs")):
        return
    command = [CHECKOUT / "scripts" / "setup", "--system", *HOST_PACKAGES]
    if subprocess.run(command, check=False).returncode != 0:
        raise GuestError(f"these packages are needed: {' '.join(HOST_PACKAGES)}. Install them as root")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock; the kernel lets it go when the process ends in whatever way."""
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(target: Path) -> None:
    """Build beside the target and rename when it is whole, so that an interrupted build leaves nothing that counts."""
    for leftover in CACHE.glob("building-*"):  # the lock is ours: nobody else builds
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="building-", dir=CACHE))
    log = CACHE / "build.log"
    log.write_bytes(b"")
    try:
        root = folder / "root"
        _bootstrap(root, folder, log)
        finished = folder / "finished"
        finished.mkdir()
        shutil.move(root / "versions.txt", finished / "versions.txt")
        kernel = next((root / "boot").glob("vmlinuz-*"))
        shutil.copy(kernel, finished / "vmlinuz")
        (finished / "initrd").write_bytes(_initrd(root, kernel.name.removeprefix("vmlinuz-")))
        size_kib = int(subprocess.check_output(["du", "-sk", root]).split()[0]) + SPARE_MIB * 1024
        make = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root, finished / "root.ext4"]
        _run([*make, f"{size_kib}k"], log)
        shutil.rmtree(root)
        for old in CACHE.iterdir():  # a guest of another recipe is of no use any more, and large
            if old.is_dir() and old not in (folder, target):
                shutil.rmtree(old, ignore_errors=True)
        os.rename(finished, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bootstrap(root: Path, folder: Path, log: Path) -> None:
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        raise GuestError(
            "the keys of the Debian archive are missing. Run as root: apt-get install debian-archive-keyring"
        )
    mirrors = _configured_mirrors(folder)
    if not mirrors:
        raise GuestError("this machine's apt knows no Debian mirror. See: apt-get indextargets")
    sources = "\n".join(f"deb [signed-by={keyring}] {mirror} {SUITE} main" for mirror in mirrors[:1])
    command = ["mmdebstrap", "--variant=apt", "--mode=root", f"--include={','.join(GUEST_PACKAGES)}"]
    command += ['--aptopt=Acquire::Check-Valid-Until "false"']  # mirrors lag
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += ["--dpkgopt=force-confold"]  # the initramfs-tools configuration that is written below stays
    # No initrd of Debian's: ours is smaller and made without running anything.
    command += ['--essential-hook=mkdir -p "$1/etc/initramfs-tools"']
    command += ['--essential-hook=echo update_initramfs=no >"$1/etc/initramfs-tools/update-initramfs.conf"']
    command += [f'--customize-hook="{RECIPE}/finish_root" "$1"', SUITE, str(root), sources]
    _run(command, log)


def _configured_mirrors(folder: Path) -> list[str]:
    """The archives in this machine's apt configuration that hold Debian releases, in their order."""
    lists = folder / "no-lists"  # empty, so that apt tells what it would fetch on a machine that never updated, too
    (lists / "partial").mkdir(parents=True)
    command = ["apt-get", "-o", f"Dir::State::lists={lists}", "update", "--print-uris"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^'(\S+/)dists/([^/']+)/InRelease'", answer, re.MULTILINE)
    own = _own_release()
    return list(dict.fromkeys(uri for uri, release in found if release == own))


def _own_release() -> str:
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\S+)$", text, re.MULTILINE)
    return found.group(1) if found else SUITE


def _run(command: list[str | Path], log: Path) -> None:
    """Run a tool of the build in a session of its own; when we are interrupted it goes along."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            status = process.wait(BUILD_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise GuestError(f"building the guest failed: {command[0]} ended with {status}; the end of {log}:\n{tail}")


def _initrd(root: Path, release: str) -> bytes:
    """A gzipped newc archive: busybox, the modules that mount the root disk, and `recipe/initrd_init`."""
    files = {"init": (RECIPE / "initrd_init").read_bytes(), "busybox": (root / "bin" / "busybox").read_bytes()}
    names = _boot_modules(root / "usr/lib/modules" / release)
    for number, path in enumerate(names):
        content = path.read_bytes()
        files[f"modules/{number:02d}-{path.name.removesuffix('.xz')}"] = (
            lzma.decompress(content) if path.suffix == ".xz" else content
        )
    archive = b""
    for number, (name, mode, content) in enumerate(
        [
            *((folder, 0o040755, b"") for folder in ("modules", "proc", "dev", "new")),
            *((name, 0o100755, content) for name, content in files.items()),
            ("TRAILER!!!", 0, b""),
        ]
    ):
        fields = (number + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += b"\0" * (-len(archive) % 4) + content
        archive += b"\0" * (-len(archive) % 4)
    return gzip.compress(archive, 6, mtime=0)


def _boot_modules(folder: Path) -> list[Path]:
    """Files of BOOT_MODULES and what they need, in the order of loading; built-in ones are left out."""
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
        by_name[Path(path).name.split(".")[0].replace("-", "_")] = path
    order: list[str] = []

    def add(path: str) -> None:
        for other in reversed(needs[path]):
            add(other)
        if path not in order:
            order.append(path)

    for name in BOOT_MODULES:
        if name in by_name:
            add(by_name[name])
    return [folder / path for path in order]
