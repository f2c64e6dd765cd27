"""An exchange, its E1, our worker's lines and a gateway, for the tests of ISDN lines. No tests here."""

from __future__ import annotations

from typing import Any

from boards.signals import Connect, FromBoard, Proceeding, Release, Setup, ToBoard
from drivers.pri_stack import TIME_SLOTS, Incoming, PlaceCall, PriSettings
from firmware.lines.isdn.channels import PriLines
from tests.lines.isdn import Box, Exchange, IsdnLine

SLOT_17 = TIME_SLOTS.index(17)


def release_back(signal: FromBoard) -> list[ToBoard]:
    """What a gateway's line machine says at once."""
    match signal:
        case Setup():
            return [Proceeding(signal.channel)]
        case Release():
            return [Release(signal.channel)]
    return []


class Town:
    """An exchange, its E1, our worker and a gateway."""

    def __init__(
        self,
        network: bool = False,
        overlap: bool = False,
        numbers: tuple[str, ...] = (),
        exchange: type[Exchange] = Exchange,
        **settings: Any,
    ) -> None:
        """`network`: our side is the network side. `settings`: our stack's."""
        self.box = Box(
            PriLines(network=network, overlap_receiving=overlap, numbers=numbers, restart_at_start=()),
            PriSettings(network=network, **settings),
        )
        self.exchange = exchange(PriSettings(network=not network, overlap=overlap))
        ends = (self.box, self.exchange) if network else (self.exchange, self.box)
        self.line = IsdnLine(*ends)
        self.line.run(1)
        self.box.answers = release_back
        self.box.attach()
        self.exchange.said()
        self._calls = 0

    def call(self, slot: int = 17, **fields: object) -> int:
        """The exchange's name of a call that it places."""
        self._calls -= 1
        fields = {"called": "12345", "calling": "13800138000", **fields}
        self.exchange.do(PlaceCall(call=self._calls, slot=slot, **fields))  # type: ignore[arg-type]
        self.line.run()
        return self._calls

    def say(self, *signals: ToBoard) -> None:
        self.box.say(*signals)
        self.line.run()

    def tell(self, *commands: object) -> None:
        for command in commands:
            self.exchange.do(command)  # type: ignore[arg-type]
        self.line.run()

    def up(self, slot: int = 17) -> int:
        call = self.call(slot)
        self.say(Connect(TIME_SLOTS.index(slot)))
        self.box.heard()
        self.exchange.said()
        return call

    def place(self, channel: int = SLOT_17, called: str = "057181234567") -> Incoming:
        self.say(Setup(channel, called, calling="12345"))
        (incoming,) = self.exchange.said()
        assert isinstance(incoming, Incoming)
        return incoming

    def assert_idle(self) -> None:
        """Nothing is left at either end."""
        self.assert_box_idle()
        assert self.exchange.stack.calls == 0

    def assert_box_idle(self) -> None:
        assert self.box.lines.calls == self.box.stack.calls == 0
        assert all(line.is_free and not line.has_gateway for line in self.box.lines.lines)
