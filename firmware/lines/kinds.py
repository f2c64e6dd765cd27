"""Which machine drives which kind of channel. The machines themselves: trunk.py, extension.py, r2.py."""

from __future__ import annotations

from boards.signals import ChannelKind
from firmware.lines.extension import ExtensionLine
from firmware.lines.r2 import R2Line
from firmware.lines.r2_plan import R2Plan
from firmware.lines.trunk import TrunkLine

AnyLine = TrunkLine | ExtensionLine | R2Line


def new_line(kind: ChannelKind, channel: int, boot: str, r2_plan: R2Plan) -> AnyLine:
    """The machine for a channel of this kind, at rest and not yet in service."""
    match kind:
        case ChannelKind.TRUNK:
            return TrunkLine(channel=channel, boot=boot)
        case ChannelKind.EXTENSION:
            return ExtensionLine(channel=channel, boot=boot)
        case ChannelKind.CAS:
            return R2Line(channel=channel, boot=boot, plan=r2_plan)
        case ChannelKind.EXCHANGE_LINE:
            raise ValueError(f"channel {channel}: there is no machine for analogue trunks")
