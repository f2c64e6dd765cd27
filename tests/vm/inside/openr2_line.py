"""openr2 (C) as the exchange at the far end of a span: the library on a channel of the real driver, in its own process.

tests/lines/openr2_peer.py has the same library in virtual time, with its driver calls answered by the test; here they
reach the driver. Compiled in the guest from Debian's libopenr2-dev. Never part of the box.
"""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
from pathlib import Path

_SOURCE = r"""
    #include <poll.h>
    #include <stdarg.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <openr2/r2proto.h>
    #include <openr2/r2log.h>
    #include <openr2/r2context.h>
    #include <openr2/r2chan.h>
    static void on_init(openr2_chan_t *c) { puts("call"); }
    static void on_offered(openr2_chan_t *c, const char *ani, const char *dnis, openr2_calling_party_category_t k) {
        printf("offered %s %s\n", dnis ? dnis : "", ani ? ani : "(restricted)");
    }
    static void on_accepted(openr2_chan_t *c, openr2_call_mode_t mode) { puts("accepted"); }
    static void on_answered(openr2_chan_t *c) { puts("answered"); }
    static void on_disconnect(openr2_chan_t *c, openr2_call_disconnect_cause_t k) { printf("disconnected %d\n", k); }
    static void on_end(openr2_chan_t *c) { puts("ended"); }
    static void on_read(openr2_chan_t *c, const unsigned char *b, int n) {}
    static void on_alarm(openr2_chan_t *c, int alarm) {}
    static void on_os_error(openr2_chan_t *c, int code) { printf("error of the system %d\n", code); }
    static void on_protocol_error(openr2_chan_t *c, openr2_protocol_error_t e) { printf("error of protocol %d\n", e); }
    static void on_blocked(openr2_chan_t *c) {}
    static void on_idle(openr2_chan_t *c) { puts("idle"); }
    static void on_log(openr2_context_t *c, openr2_log_level_t level, const char *fmt, va_list ap) {}
    static void on_chan_log(openr2_chan_t *c, openr2_log_level_t level, const char *fmt, va_list ap) {
        if (getenv("OPENR2_LINE_LOG")) vfprintf(stderr, fmt, ap);
    }
    static int on_dnis(openr2_chan_t *c, char digit) { return 1; }
    static void on_ani(openr2_chan_t *c, char digit) {}
    static void on_billing(openr2_chan_t *c) {}
    static openr2_event_interface_t events = {
        on_init, on_offered, on_accepted, on_answered, on_disconnect, on_end, on_read, on_alarm, on_os_error,
        on_protocol_error, on_blocked, on_idle, on_log, on_dnis, on_ani, on_billing,
    };
    int main(int count, char **words) {
        char line[128], called[64], calling[64];
        openr2_context_t *context = openr2_context_new(NULL, &events, NULL, OR2_VAR_CHINA, 20, 5);
        openr2_chan_t *channel = context ? openr2_chan_new(context, atoi(words[1]), NULL, NULL) : NULL;
        setvbuf(stdout, NULL, _IOLBF, 0);
        setvbuf(stdin, NULL, _IONBF, 0);
        if (!channel) { puts("error of opening"); return 1; }
        openr2_chan_set_logging_func(channel, on_chan_log);
        openr2_chan_set_log_level(channel, getenv("OPENR2_LINE_LOG") ? OR2_LOG_ALL : OR2_LOG_NOTHING);
        openr2_chan_set_idle(channel);
        openr2_chan_handle_cas(channel);
        puts("ready");
        for (;;) {
            struct pollfd orders = { 0, POLLIN, 0 };
            if (poll(&orders, 1, 5) > 0) {
                if (!fgets(line, sizeof line, stdin)) return 0;
                if (line[0] == 'c') openr2_chan_accept_call(channel, OR2_CALL_WITH_CHARGE);
                if (line[0] == 'a') openr2_chan_answer_call(channel);
                if (line[0] == 'd') openr2_chan_disconnect_call(channel, atoi(line + 1));
                if (sscanf(line, "m %63s %63s", called, calling) == 2)
                    openr2_chan_make_call(channel, calling, called, OR2_CALLING_PARTY_CATEGORY_NATIONAL_SUBSCRIBER);
            }
            openr2_chan_process_event(channel);
        }
    }
"""
NORMAL_CLEARING = 6
"""openr2_call_disconnect_cause_t."""


def openr2_program() -> Path:
    """The program; compiled in three seconds once for all runs, into the folder that the guest's cache keeps."""
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "linebox" / "openr2"
    program = folder / f"line_{hashlib.sha256(_SOURCE.encode()).hexdigest()[:16]}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = program.with_suffix(".c")
        source.write_text(_SOURCE)
        subprocess.run(["gcc", "-w", "-o", program, source, "-lopenr2"], check=True)
    program.chmod(0o755)  # the cache keeps contents only
    return program


class OpenR2Line:
    """One openr2 channel of the variant China on a DAHDI channel. `told` is what it said so far, a line each."""

    def __init__(self, program: Path, channel: int) -> None:
        command: list[str | Path] = [program, str(channel)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.told: list[str] = []
        self._rest = ""

    def look(self) -> list[str]:
        """Read what it has said; all of it so far."""
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], 0)[0]:
            said = os.read(self._process.stdout.fileno(), 4096).decode()
            if not said:
                break
            *lines, self._rest = (self._rest + said).split("\n")
            self.told += lines
        return self.told

    def has_said(self, beginning: str) -> bool:
        return any(line.startswith(beginning) for line in self.look())

    def _say(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())

    def accept(self) -> None:
        self._say("c")

    def answer(self) -> None:
        self._say("a")

    def disconnect(self, cause: int = NORMAL_CLEARING) -> None:
        self._say(f"d{cause}")

    def call(self, called: str, calling: str) -> None:
        self._say(f"m {called} {calling}")

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()
