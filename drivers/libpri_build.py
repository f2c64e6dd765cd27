"""Builds the binding to libpri (the C file beside this, through cffi in API mode) into a cache outside the checkout.

`python -m drivers.libpri_build` builds it if needed and prints where it is; with a folder after it, puts it there: an
image, where no compiler is, keeps it in /usr/lib/linebox. Not used by anything but drivers/libpri.py, which also builds
when it finds nothing (a second) and a C compiler is there. The compiler is called directly: no setuptools.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

SOURCE = Path(__file__).with_name("libpri_span.c")
HEADER = Path("/usr/include/libpri.h")
INSTALLED = Path("/usr/lib/linebox")
"""Where an image keeps the binding that was built for it."""
REMEDY = "scripts/setup --system gcc libc6-dev libpri-dev python3-dev"
LINK_OPTIONS = ["-Wl,--wrap=gettimeofday", "-Wl,--wrap=free", "-l:libpri.a"]
COMPILE_OPTIONS = ["-O2", "-g0", "-fPIC", "-shared", "-fvisibility=hidden", "-w"]

STRUCTURES = """
struct span_event {
    int kind;
    unsigned call;
    int channel;
    int cause;
    int flexible;
    int complete;
    int capability;
    int calling_valid;
    int calling_plan;
    int calling_presentation;
    int called_plan;
    int name_presentation;
    char calling[64];
    char calling_name[64];
    char called[256];
    char digits[64];
    char text[256];
};
struct span_setup {
    int channel;
    int exclusive;
    int complete;
    int calling_valid;
    int calling_plan;
    int calling_presentation;
    int called_plan;
    char calling[64];
    char calling_name[64];
    char called[64];
};
"""
DECLARATIONS = (
    STRUCTURES
    + """
struct span;
struct span *span_open(int network, int64_t now_us, int overlap, int t309_ms);
void span_close(struct span *span);
int span_receive(struct span *span, int64_t now_us, const uint8_t *frame, int octets, struct span_event *event);
int span_run_timers(struct span *span, int64_t now_us, struct span_event *event);
int64_t span_next_us(struct span *span);
int span_frames_waiting(struct span *span);
int span_take_frames(struct span *span, uint8_t *target, int room);
int span_take_gone(struct span *span, unsigned *target, int room);
int span_calls(struct span *span);
int span_is_known(struct span *span, unsigned call);
unsigned span_complaints(struct span *span);
const char *span_complaint(struct span *span);
int span_out_of_memory(struct span *span);
unsigned span_setup(struct span *span, int64_t now_us, const struct span_setup *wanted);
enum { DO_SETUP_ACK, DO_PROCEEDING, DO_ALERTING, DO_CONNECT, DO_HANGUP, DO_DESTROY, DO_ASK, DO_DIGIT };
int span_do(struct span *span, int64_t now_us, unsigned call, int what, int value);
int span_restart(struct span *span, int64_t now_us, int channel);
const char *pri_get_version(void);
"""
)


class LibpriMissing(Exception):
    """libpri or what is needed to bind it is not there. The message names the remedy."""


def _key() -> str:
    what = [SOURCE.read_bytes(), DECLARATIONS.encode(), " ".join(COMPILE_OPTIONS + LINK_OPTIONS).encode()]
    what.append(f"{sysconfig.get_config_var('EXT_SUFFIX')} {platform.machine()}".encode())
    return hashlib.sha256(b"\0".join(what)).hexdigest()[:16]


def _name() -> str:
    return f"linebox_libpri_{_key()}"


def _file(name: str) -> str:
    return name + str(sysconfig.get_config_var("EXT_SUFFIX"))


def _cached(name: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox" / "libpri"
    return cache / _file(name)


def _is_newer_than(target: Path) -> bool:
    """libpri was installed or renewed after the binding was made."""
    return HEADER.exists() and HEADER.stat().st_ctime > target.stat().st_ctime


def can_be_bound() -> bool:
    """The binding is there, or all that it takes to build it."""
    if (INSTALLED / _file(_name())).exists() or _cached(_name()).exists():
        return True
    return HEADER.exists() and _compiler() is not None and (Path(sysconfig.get_path("include")) / "Python.h").exists()


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path | None = None) -> Path:
    """The binding of the image or the cache, or in `folder`; built now if it is not there. Raises LibpriMissing."""
    name = _name()
    installed = INSTALLED / _file(name)
    if folder is None and installed.exists():
        return installed
    target = _cached(name) if folder is None else folder / _file(name)
    if target.exists() and not _is_newer_than(target):
        return target
    compiler = _compiler()
    include = sysconfig.get_path("include")
    if not HEADER.exists() or compiler is None or not (Path(include) / "Python.h").exists():
        raise LibpriMissing(f"libpri cannot be bound: its header, a C compiler or Python.h is missing. {REMEDY}")
    import cffi

    builder = cffi.FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source(name, f"#include <stdint.h>\n{STRUCTURES}\n{SOURCE.read_text(encoding='utf-8')}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            source, product = Path(work) / f"{name}.c", Path(work) / target.name
            with contextlib.redirect_stdout(sys.stderr):  # it says which file it makes
                builder.emit_c_code(str(source))
            command = [compiler, *COMPILE_OPTIONS, f"-I{include}", str(source), "-o", str(product), *LINK_OPTIONS]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
            os.replace(product, target)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise LibpriMissing(f"libpri could not be bound: {said.strip()[-500:]}. {REMEDY}") from error
    return target


def load() -> ModuleType:
    """The binding as a module with `ffi` and `lib`. Raises LibpriMissing."""
    path = build()
    name = path.name.split(".")[0]
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except ImportError as error:
        raise LibpriMissing(f"the binding to libpri cannot be loaded ({error}). Delete {path}") from error
    return module


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    except LibpriMissing as missing:
        sys.exit(str(missing))
