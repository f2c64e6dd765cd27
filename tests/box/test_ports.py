"""Choosing network ports."""

from __future__ import annotations

import os
import socket

import pytest

from firmware.box.supervision.ports import choose, holder, is_bound_udp, is_free
from firmware.core.hints import ClearError


def test_a_wanted_port_that_is_taken_is_refused_with_the_name_of_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert f"(process {os.getpid()})" in holder(port)
        with pytest.raises(ClearError, match=rf"port {port} is in use by .* \(process {os.getpid()}\)"):
            choose("--web-port", port, 8080)


def test_the_next_free_port_after_the_preferred_one_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port < choose("--web-port", None, port) <= port + 99


def test_zero_means_any_free_port() -> None:
    port = choose("--web-port", 0, 8080)
    assert is_free(port)
    assert choose("--web-port", port, 8080) == port


def test_udp_and_tcp_are_different_ports() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        port = phone.getsockname()[1]
        assert not is_free(port, udp=True) and is_bound_udp(port)
        assert f"(process {os.getpid()})" in holder(port, udp=True)
        assert choose("--sip-port", None, port, udp=True) > port
    assert not is_bound_udp(port)


@pytest.mark.parametrize("wrong", [-1, 65536])
def test_what_is_no_port_is_refused(wrong: int) -> None:
    with pytest.raises(ClearError, match="is not a port"):
        choose("--web-port", wrong, 8080)
