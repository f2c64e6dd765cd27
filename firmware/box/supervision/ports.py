"""Network ports of this machine: which are free, and who holds those that are not."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

import psutil

from firmware.core.hints import ClearError

ADDRESS = "127.0.0.1"


def is_free(port: int, *, udp: bool = False, address: str = ADDRESS) -> bool:
    """True if this process could listen at the port. Raises OSError for other reasons than that somebody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        if not udp:  # a server may listen while old connections of the port linger
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            if not udp:
                probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def is_bound_udp(port: int) -> bool:
    """True if somebody has the UDP port; read from the kernel's table, so that the port is not touched."""
    rows = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") for row in rows)


def holder(port: int, *, udp: bool = False) -> str:
    """Who listens at a port, as `name (process 123)`; empty if nobody does, or it belongs to another user."""
    with contextlib.suppress(psutil.AccessDenied, OSError):
        for connection in psutil.net_connections("udp4" if udp else "tcp4"):
            if not connection.laddr or connection.laddr.port != port or connection.pid is None:
                continue
            if not udp and connection.status != psutil.CONN_LISTEN:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def choose(option: str, wanted: int | None, preferred: int, *, udp: bool = False) -> int:
    """A port to listen at: the wanted one; any free one for 0; for None the preferred one or the next free after it.

    Raises ClearError if the wanted one is taken or not a port.
    """
    if wanted == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
            probe.bind((ADDRESS, 0))
            port: int = probe.getsockname()[1]
            return port
    if wanted is not None:
        if not 0 < wanted < 65536:
            raise ClearError(f"{option} {wanted} is not a port", f"{option} takes 1 to 65535, or 0 for any free one")
        try:
            free = is_free(wanted, udp=udp)
        except PermissionError:
            remedy = f"take one above 1023, or leave {option} out"
            raise ClearError(f"this user may not listen at port {wanted}", remedy) from None
        if not free:
            by = holder(wanted, udp=udp) or "another program"
            raise ClearError(
                f"port {wanted} is in use by {by}", f"stop it, or choose another port with {option} (0: any)"
            )
        return wanted
    for port in range(preferred, preferred + 100):
        if is_free(port, udp=udp):
            return port
    raise ClearError(f"no port from {preferred} to {preferred + 99} is free", f"choose one with {option}")
