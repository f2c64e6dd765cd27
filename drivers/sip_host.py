"""What the SIP stack asks of the machine that it should not wait for or should not do: names, and words on the console.

For drivers/sip_pjsua2.py; changes the whole process. No SIP here.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import logging
import os
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)


def look_up_names_only_here() -> None:
    """Let the C library look host names up in /etc/hosts only, in this process.

    pjsip looks up the names in session descriptions and some headers by the C library and waits for the answer: a
    stranger's name whose server does not answer stopped the audio of all calls for 20 s. Names where calls must be
    signalled to are looked up by pjsip's own resolver, which does not wait.
    """
    try:
        ctypes.CDLL(None).__nss_configure_lookup(b"hosts", b"files")
    except AttributeError:
        _log.warning("this C library always asks name servers: a slow one can stop the audio of SIP calls")


def name_servers() -> list[str]:
    """IPv4 addresses of this machine's name servers."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/etc/resolv.conf").read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                with contextlib.suppress(ValueError):
                    found.append(str(ipaddress.IPv4Address(words[1])))
    return found[:3]


@contextlib.contextmanager
def quiet_standard_output() -> Iterator[None]:
    """Before it can be told not to, pjlib prints some lines."""
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
