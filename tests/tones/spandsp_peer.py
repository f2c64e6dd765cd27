"""libspandsp's DTMF detector (C) as a peer for tests and benchmarks, through cffi in API mode. Never part of the box.

The small binding is compiled at first use into the user's cache folder and kept there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

# The C structures stay opaque, and the compiler reads the installed header: its types differ from version to version.
_DECLARATIONS = """
    typedef struct dtmf_rx_state_s dtmf_rx_state_t;
    dtmf_rx_state_t *peer_open(void);
    void peer_close(dtmf_rx_state_t *s);
    void peer_many(dtmf_rx_state_t **states, int channels, const int16_t *audio, int samples);
    int dtmf_rx(dtmf_rx_state_t *s, const int16_t amp[], int samples);
    size_t dtmf_rx_get(dtmf_rx_state_t *s, char *digits, int max);
"""
_SOURCE = """
    #include <stdint.h>
    #include <stdlib.h>
    #include <spandsp.h>
    static dtmf_rx_state_t *peer_open(void) { return dtmf_rx_init(NULL, NULL, NULL); }
    static void peer_close(dtmf_rx_state_t *s) { dtmf_rx_free(s); }
    static void peer_many(dtmf_rx_state_t **states, int channels, const int16_t *audio, int samples) {
        for (int channel = 0; channel < channels; channel++)
            dtmf_rx(states[channel], audio + channel * samples, samples);
    }
"""


class PeerMissing(Exception):
    """libspandsp or a C compiler is not there. `scripts/setup --system gcc libspandsp-dev` installs both."""


def library(part: str, declarations: str, source: str) -> ModuleType:
    """The compiled binding of a part of libspandsp (`ffi`, `lib`). Raises PeerMissing."""
    import cffi

    key = hashlib.sha256((declarations + source + sys.version).encode()).hexdigest()[:16]
    name = f"linebox_spandsp_{part}_{key}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox" / "spandsp"
    target = cache / (name + str(sysconfig.get_config_var("EXT_SUFFIX")))
    if not target.exists():
        builder = cffi.FFI()
        builder.cdef(declarations)
        builder.set_source(name, source, libraries=["spandsp"], extra_compile_args=["-O2"])
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                os.replace(builder.compile(tmpdir=folder), target)
            except Exception as error:
                raise PeerMissing(f"libspandsp could not be bound: {error}") from error
    specification = importlib.util.spec_from_file_location(name, target)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class SpandspDtmf:
    """One detector a channel. Raises PeerMissing."""

    def __init__(self, channels: int) -> None:
        module = library("dtmf", _DECLARATIONS, _SOURCE)
        self._ffi, self._lib = module.ffi, module.lib
        self._states = [self._lib.peer_open() for _ in range(channels)]
        self._array = self._ffi.new("dtmf_rx_state_t *[]", self._states)

    def process(self, audio: NDArray[np.int16]) -> None:
        """`audio` [channels, samples], contiguous, 16-bit scale: all channels, one after the other, in C."""
        pointer = self._ffi.from_buffer("int16_t[]", audio)
        self._lib.peer_many(self._array, len(self._states), pointer, audio.shape[1])

    def digits(self, channel: int = 0) -> str:
        """Digits since the last call."""
        buffer = self._ffi.new("char[]", 256)
        self._lib.dtmf_rx_get(self._states[channel], buffer, 255)
        return bytes(self._ffi.string(buffer)).decode()

    def close(self) -> None:
        for state in self._states:
            self._lib.peer_close(state)
        self._states = []
