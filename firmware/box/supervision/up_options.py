"""What `linebox up` takes. Apart from up.py, so that `linebox --help` need not import what runs the box."""

from __future__ import annotations

import argparse
from pathlib import Path

WEB_PORT = 8080
SIP_PORT = 15060
"""Not 5060: a telephone program on the same machine has that one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--web-port", type=int, metavar="N", help=f"port of the pages (default {WEB_PORT} or next free)"
    )
    parser.add_argument("--sip-port", type=int, metavar="N", help=f"port of SIP (default {SIP_PORT} or next free)")
    parser.add_argument("--quiet", action="store_true", help="no simulated citizens call by themselves")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="what the simulated citizens and agents do")
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the simulator writes what it heard")
    parser.add_argument("--seed", type=int, metavar="N", help="random numbers of the simulator")
    parser.add_argument("--no-simulator", action="store_true", help="no simulated lines, citizens and agents")
