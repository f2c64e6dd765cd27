"""Which machine drives which kind of channel, and takes which signals of it. The machines themselves: trunk.py,
extension.py, r2/line.py, exchange_line.py."""

from __future__ import annotations

from boards.signals import (
    Alerting,
    Bits,
    Blocked,
    ChannelKind,
    Connect,
    Flash,
    FromBoard,
    HookChange,
    LoopCurrent,
    Polarity,
    Proceeding,
    Release,
    RingDetected,
    Setup,
)
from firmware.core.clock import Stamp
from firmware.core.line_schemas import ExchangeLineSettings
from firmware.lines.exchange_line import ExchangeLine
from firmware.lines.extension import ExtensionLine
from firmware.lines.line import Effect
from firmware.lines.phone_limits import load_phone_limits
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import R2Plan
from firmware.lines.trunk import TrunkLine

AnyLine = TrunkLine | ExtensionLine | R2Line | ExchangeLine


def new_line(kind: ChannelKind, channel: int, boot: str, r2_plan: R2Plan) -> AnyLine:
    """The machine for a channel of this kind, at rest and not yet in service."""
    match kind:
        case ChannelKind.TRUNK:
            return TrunkLine(channel=channel, boot=boot)
        case ChannelKind.EXTENSION:
            return ExtensionLine(channel=channel, boot=boot, limits=load_phone_limits())
        case ChannelKind.CAS:
            return R2Line(channel=channel, boot=boot, plan=r2_plan)
        case ChannelKind.EXCHANGE_LINE:
            return ExchangeLine(channel=channel, boot=boot, settings=ExchangeLineSettings())


def take_signal(line: AnyLine, signal: FromBoard, now: Stamp) -> list[Effect]:
    """What follows from a signal of the line's channel. One that the kind of line does not have is passed over."""
    match signal, line:
        case Setup(), TrunkLine():
            return line.setup(signal, now)
        case Release(), TrunkLine():
            return line.release(signal, now)
        case Blocked(), TrunkLine():
            return line.block_far(signal.blocked)
        case ((Proceeding() | Alerting() | Connect()), TrunkLine()):
            return line.progress(signal, now)
        case HookChange(), ExtensionLine():
            return line.hook(signal.off_hook, now)
        case Flash(), ExtensionLine():
            return line.flash(now)
        case ((RingDetected() | LoopCurrent() | Polarity()), ExchangeLine()):
            return line.handle(signal, now)
        case Bits(), R2Line():
            return line.handle(signal, now)
        case _:
            return []
