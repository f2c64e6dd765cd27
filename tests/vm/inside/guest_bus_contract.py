"""Both boards on a bus keep the whole Board contract with samples that go through the real ALSA (snd-aloop).

Their chips are simulated; the far end is the other side of the sound card.
"""

from __future__ import annotations

from boards.base import Board
from boards.framer_e1 import SLOTS, FramerE1Board
from boards.signals import Bits, FromBoard, HookChange, Ring, RingDetected
from boards.spi_analogue import SpiAnalogueBoard
from boards.tdm_board import Buses
from drivers.cas_slot import BLOCKED
from drivers.si3210 import LineFeed
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from firmware.core.line_schemas import AnalogueLines, FramerSpan, LinePort, TdmBus
from tests.contract.alsa_contract import AlsaBoardContract
from tests.vm.inside.far_line import BoardEnd, StreamEnd, run
from tests.vm.inside.loop_card import FarSlots, FarSpan

BUS = TdmBus(card="the test gives it", samples="word")


class TestSpiAnalogueBoard(AlsaBoardContract):
    channels = 4
    kinds = ("si3210", "si3210", "si3050", "si3050")
    slots = (0, 1, 5, 9)

    def bus_board(self, buses: Buses) -> Board:
        chips = zip(self.kinds, self.devices, self.slots, strict=True)
        ports = tuple(LinePort(chip=kind, spi=device, slot=slot) for kind, device, slot in chips)  # type: ignore[arg-type]
        return SpiAnalogueBoard("card", AnalogueLines(ports=ports, tdm=BUS), buses)

    def far_slots(self) -> FarSlots:
        return FarSlots(self.slots)

    @property
    def phones(self) -> list[SimulatedSi3210]:
        return [chip for chip in self.card.chips if isinstance(chip, SimulatedSi3210)]

    @property
    def exchange(self) -> list[SimulatedSi3050]:
        return [chip for chip in self.card.chips if isinstance(chip, SimulatedSi3050)]

    def happen(self, far: StreamEnd) -> None:
        self.phones[0].lift()

    def happened(self) -> FromBoard:
        return HookChange(0, True)

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: FarSlots) -> None:  # type: ignore[override]
        end = BoardEnd(opened)
        self.phones[1].lift()
        self.exchange[0].ring(True)
        run([end, far], 0.3)
        self.exchange[0].ring(False)
        self.phones[1].put_down()
        run([end, far], 1.0)

        course = {channel: [signal for signal in end.signals if signal.channel == channel] for channel in range(4)}
        assert course == {
            0: [],
            1: [HookChange(1, True), HookChange(1, False)],
            2: [RingDetected(2, True), RingDetected(2, False)],
            3: [],
        }

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: FarSlots) -> None:  # type: ignore[override]
        opened.send_signal(Ring(1, True))
        run([BoardEnd(opened), far], 0.05)
        assert [chip.rings for chip in self.phones] == [False, True]
        opened.send_signal(Ring(1, False))
        run([BoardEnd(opened), far], 0.05)
        assert self.phones[1].feed() is LineFeed.FORWARD_ON_HOOK_TRANSMISSION


class TestFramerE1Board(AlsaBoardContract):
    channels = 30
    kinds = ("ds26521",)

    def bus_board(self, buses: Buses) -> Board:
        return FramerE1Board("span", FramerSpan(spi=self.devices[0], tdm=BUS), buses)

    def far_slots(self) -> FarSlots:
        return FarSpan(SLOTS)

    def in_service(self, end: BoardEnd) -> bool:
        told = {signal.channel for signal in end.signals if isinstance(signal, Bits)}
        return super().in_service(end) and len(told) == 30

    def happen(self, far: StreamEnd) -> None:
        assert isinstance(far, FarSpan)
        far.cas.set(0, 0b0001)

    def happened(self) -> FromBoard:
        return Bits(0, 0b0001)

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: FarSpan) -> None:  # type: ignore[override]
        for channel in (0, 29):
            for bits in (0b0001, 0b1101, 0b0101):
                end = BoardEnd(opened)
                far.cas.set(channel, bits)
                assert run([end, far], 2, lambda: end.signals), f"channel {channel} bits {bits:04b}"  # noqa: B023
                assert end.signals == [Bits(channel, bits)]

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: FarSpan) -> None:  # type: ignore[override]
        run([BoardEnd(opened), far], 0.1)
        assert far.bits == dict.fromkeys(range(30), BLOCKED)
        for channel, bits in ((0, 0b0001), (29, 0b0101), (0, 0b1001)):
            opened.send_signal(Bits(channel, bits))
            assert run([BoardEnd(opened), far], 2, lambda c=channel, b=bits: far.bits[c] == b)
        assert far.bits == {**dict.fromkeys(range(30), BLOCKED), 0: 0b1001, 29: 0b0101}
