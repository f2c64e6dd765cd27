"""openr2 (C) as an exchange for tests: the library itself, its DAHDI calls answered by us, in virtual time.

Debian's libopenr2 speaks only to DAHDI's devices; linked with `--wrap` it finds a channel of two queues instead. It is
a small program, as the library is not made to be loaded; a record goes each way for 10 ms. The package pulls in
kernel sources, so an unpacked one will do: `apt-get download libopenr2-dev`, `dpkg -x`, and LINEBOX_OPENR2 names the
folder. Never part of the box.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from boards.base import Block

BUSY_NUMBER, NETWORK_CONGESTION, UNALLOCATED_NUMBER, NORMAL_CLEARING = 0, 1, 2, 6
"""openr2_call_disconnect_cause_t."""

_SOURCE = r"""
    #include <errno.h>
    #include <stdarg.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/time.h>
    #include <time.h>
    #include <openr2/r2proto.h>
    #include <openr2/r2log.h>
    #include <openr2/r2context.h>
    #include <openr2/r2chan.h>
    #define FD 100000
    #define QUEUE 1600
    typedef struct {
        int rx_bits, tx_bits;
        int calls, offered, accepted, answered, disconnected, ended, errors, blocked, idle;
        int cause, error;
        char ani[96], dnis[96];
    } peer_state;
    static peer_state state;
    static openr2_context_t *context;
    static openr2_chan_t *channel;
    static long long now_ms = 1000000;
    static int event;
    static uint8_t rx[QUEUE], tx[QUEUE];
    static int rx_used, tx_used;

    int __wrap_gettimeofday(struct timeval *tv, void *zone) {
        tv->tv_sec = now_ms / 1000;
        tv->tv_usec = now_ms % 1000 * 1000;
        return 0;
    }
    int __wrap_ioctl(int fd, unsigned long request, ...) {
        va_list list;
        va_start(list, request);
        int *value = va_arg(list, int *);
        va_end(list);
        switch ((unsigned)request) {
        case 0xC088DA05u: case 0x8088DA05u: memset(value, 0, 136); value[3] = 0x8000; return 0;
        case 0x8004DA08u: *value = event; event = 0; return 0;
        case 0xC004DA09u: {
            int wanted = *value & 0xff, ready = 0;
            if (event) ready |= 8;
            if (rx_used >= 160) ready |= 1;
            if (tx_used < 320) ready |= 2;
            *value = wanted & ready;
            return 0;
        }
        case 0x4004DA03u: if (*value & 2) tx_used = 0; if (*value & 1) rx_used = 0; return 0;
        case 0x8004DA2Bu: *value = state.rx_bits; return 0;
        case 0x4004DA2Bu: state.tx_bits = *value; return 0;
        default: return 0;
        }
    }
    ssize_t __wrap_read(int fd, void *buffer, size_t count) {
        if ((int)count > rx_used) count = rx_used;
        memcpy(buffer, rx, count);
        memmove(rx, rx + count, rx_used - count);
        rx_used -= count;
        return count;
    }
    ssize_t __wrap_write(int fd, const void *buffer, size_t count) {
        if (tx_used + (int)count > QUEUE) { errno = EAGAIN; return -1; }
        memcpy(tx + tx_used, buffer, count);
        tx_used += count;
        return count;
    }
    static void on_init(openr2_chan_t *c) { state.calls++; }
    static void on_offered(openr2_chan_t *c, const char *ani, const char *dnis, openr2_calling_party_category_t k) {
        state.offered++;
        snprintf(state.ani, sizeof state.ani, "%s", ani ? ani : "(restricted)");
        snprintf(state.dnis, sizeof state.dnis, "%s", dnis ? dnis : "");
    }
    static void on_accepted(openr2_chan_t *c, openr2_call_mode_t mode) { state.accepted++; }
    static void on_answered(openr2_chan_t *c) { state.answered++; }
    static void on_disconnect(openr2_chan_t *c, openr2_call_disconnect_cause_t k) {
        state.disconnected++;
        state.cause = k;
    }
    static void on_end(openr2_chan_t *c) { state.ended++; }
    static void on_read(openr2_chan_t *c, const unsigned char *b, int n) {}
    static void on_alarm(openr2_chan_t *c, int alarm) {}
    static void on_os_error(openr2_chan_t *c, int code) { state.errors++; }
    static void on_protocol_error(openr2_chan_t *c, openr2_protocol_error_t e) { state.errors++; state.error = e; }
    static void on_blocked(openr2_chan_t *c) { state.blocked++; }
    static void on_idle(openr2_chan_t *c) { state.idle++; }
    static void on_log(openr2_context_t *c, openr2_log_level_t level, const char *fmt, va_list ap) {}
    static void on_chan_log(openr2_chan_t *c, openr2_log_level_t level, const char *fmt, va_list ap) {
        if (getenv("OPENR2_PEER_LOG")) { fprintf(stderr, "%lld ", now_ms); vfprintf(stderr, fmt, ap); }
    }
    static int on_dnis(openr2_chan_t *c, char digit) { return 1; }
    static void on_ani(openr2_chan_t *c, char digit) {}
    static void on_billing(openr2_chan_t *c) {}
    static openr2_event_interface_t events = {
        on_init, on_offered, on_accepted, on_answered, on_disconnect, on_end, on_read, on_alarm, on_os_error,
        on_protocol_error, on_blocked, on_idle, on_log, on_dnis, on_ani, on_billing,
    };
    static void bits(int abcd) {
        if (abcd == state.rx_bits) return;
        state.rx_bits = abcd;
        event = 13;
    }
    typedef struct { uint8_t command, bits, argument, unused; char ani[40], dnis[40]; uint8_t audio[80]; } request;
    int main(int count, char **words) {
        request in;
        uint8_t out[80];
        state.rx_bits = 0xb;
        context = openr2_context_new(NULL, &events, NULL, OR2_VAR_CHINA, atoi(words[1]), atoi(words[2]));
        if (!context) return 1;
        openr2_context_set_ani_first(context, atoi(words[3]));
        channel = openr2_chan_new_from_fd(context, FD, NULL, NULL);
        if (!channel) return 2;
        openr2_chan_set_logging_func(channel, on_chan_log);
        openr2_chan_set_log_level(channel, getenv("OPENR2_PEER_LOG") ? OR2_LOG_ALL : OR2_LOG_NOTHING);
        openr2_chan_set_idle(channel);
        openr2_chan_handle_cas(channel);
        while (fread(&in, sizeof in, 1, stdin) == 1) {
            now_ms += 10;
            bits(in.bits);
            switch (in.command) {
            case 'c': openr2_chan_accept_call(channel, OR2_CALL_WITH_CHARGE); break;
            case 'a': openr2_chan_answer_call(channel); break;
            case 'd': openr2_chan_disconnect_call(channel, in.argument); break;
            case 'm':
                openr2_chan_make_call(channel, in.ani, in.dnis, OR2_CALLING_PARTY_CATEGORY_NATIONAL_SUBSCRIBER);
                break;
            }
            if (rx_used + 80 <= QUEUE) { memcpy(rx + rx_used, in.audio, 80); rx_used += 80; }
            openr2_chan_process_event(channel);
            int n = tx_used < 80 ? tx_used : 80;
            memset(out, 0xD5, 80);
            memcpy(out, tx, n);
            memmove(tx, tx + n, tx_used - n);
            tx_used -= n;
            fwrite(out, 80, 1, stdout);
            fwrite(&state, sizeof state, 1, stdout);
            fflush(stdout);
        }
        return 0;
    }
"""


class OpenR2Missing(Exception):
    """libopenr2 or a C compiler is not there. The first lines of this file say what to do."""


_REQUEST = struct.Struct("BBBx40s40s80s")
_ANSWER = struct.Struct("80s13i96s96s")


def _program() -> Path:
    """The peer's program, compiled at first use into the user's cache folder. Raises OpenR2Missing."""
    root = Path(os.environ.get("LINEBOX_OPENR2", "/"))
    archive = next(iter(sorted(root.glob("usr/lib/*/libopenr2.a"))), None)
    compiler = shutil.which("gcc")
    if archive is None or compiler is None:
        raise OpenR2Missing(f"gcc or, in {root}, libopenr2-dev is not there")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linebox" / "openr2"
    program = cache / f"peer_{hashlib.sha256(_SOURCE.encode()).hexdigest()[:16]}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            source, made = Path(folder) / "peer.c", Path(folder) / "peer"
            source.write_text(_SOURCE)
            wraps = [f"-Wl,--wrap={call}" for call in ("ioctl", "read", "write", "gettimeofday")]
            include = f"-I{root / 'usr/include'}"
            command = [compiler, "-O2", "-w", "-no-pie", include, str(source), str(archive), *wraps, "-lm", "-lpthread"]
            run = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
            if run.returncode:
                raise OpenR2Missing(f"libopenr2 could not be linked: {run.stderr[-800:]}")
            os.replace(made, program)
    return program


class Answer(NamedTuple):
    """What openr2 shows and how often it told what, so far."""

    rx_bits: int
    tx_bits: int
    calls: int
    offered: int
    accepted: int
    answered: int
    disconnected: int
    ended: int
    errors: int
    blocked: int
    idle: int
    cause: int
    error: int
    calling: str
    called: str


class OpenR2:
    """One openr2 channel of the variant China. Raises OpenR2Missing."""

    def __init__(self, max_ani: int = 20, max_dnis: int = 5, *, ani_first: bool = False) -> None:
        words = [str(_program()), str(max_ani), str(max_dnis), str(int(ani_first))]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._orders: list[tuple[str, int, str, str]] = []
        self.bits = 0b1011
        """What the box shows."""
        self.state = Answer(*([0] * 13), "", "")

    def tick(self, received: Block) -> Block:
        """Ten milliseconds: [1, 80] A-law in and out."""
        command, argument, calling, called = self._orders.pop(0) if self._orders else ("-", 0, "", "")
        assert self._process.stdin is not None and self._process.stdout is not None
        audio = received[0].tobytes()
        self._process.stdin.write(
            _REQUEST.pack(ord(command), self.bits, argument, calling.encode(), called.encode(), audio)
        )
        self._process.stdin.flush()
        sent, *numbers, calling_seen, called_seen = _ANSWER.unpack(self._process.stdout.read(_ANSWER.size))
        texts = [text.split(b"\0")[0].decode() for text in (calling_seen, called_seen)]
        self.state = Answer(*numbers, *texts)
        return np.frombuffer(sent, dtype=np.uint8)[None]

    def accept(self) -> None:
        self._orders.append(("c", 0, "", ""))

    def answer(self) -> None:
        self._orders.append(("a", 0, "", ""))

    def disconnect(self, cause: int = NORMAL_CLEARING) -> None:
        self._orders.append(("d", cause, "", ""))

    def call(self, called: str, calling: str) -> None:
        self._orders.append(("m", 0, calling, called))

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()
