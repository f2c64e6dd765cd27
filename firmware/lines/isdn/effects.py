"""What ISDN lines want done: signals for the gateway, commands for the stack, the end of the gateway's link. Data."""

from __future__ import annotations

import msgspec

from boards.signals import FromBoard
from drivers.pri_stack import PriCommand


class DropGateway(msgspec.Struct, frozen=True):
    """The gateway hangs; close its link."""

    why: str


Effect = FromBoard | PriCommand | DropGateway
