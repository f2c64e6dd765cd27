"""Every board of the DAHDI driver keeps the whole Board contract (tests/contract/driver_contract.py).

The far end is the peer span: the exchange's bearers, its line bits, or phones and an exchange's port.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boards.base import Board
from boards.dahdi_analogue import DahdiAnalogueBoard
from boards.dahdi_e1 import DahdiE1Board
from boards.pri_link import ALARM
from boards.signals import (
    Alarm,
    Alerting,
    Bits,
    Blocked,
    Cause,
    Connect,
    DialPulses,
    Digit,
    Flash,
    FromBoard,
    HookChange,
    Loop,
    LoopCurrent,
    Proceeding,
    Release,
    Ring,
    RingDetected,
    Setup,
    ToBoard,
)
from drivers.dahdi_control import Control
from drivers.dahdi_numbers import PULSEDIGIT, Event, Hook, Signalling
from firmware.core.line_schemas import DahdiE1, DahdiPorts
from firmware.core.paths import BoxPaths
from tests.contract.driver_contract import DriverBoardContract
from tests.contract.suite import cannot_apply
from tests.vm.inside.far_line import BoardEnd, FarLine, run
from tests.vm.inside.scripted_worker import ScriptedWorker
from tests.vm.inside.spans import DynamicSpan

ALL = tuple(range(30))
AT_REST_SECONDS = 2.0
"""So long after opening the driver tells no ringing, and may not tell that a phone is lifted."""


class TestIsdnBoard(DriverBoardContract):
    channels = 30

    def driver_board(self, span: int, paths: BoxPaths) -> Board:
        return DahdiE1Board("e1", DahdiE1(span=span), paths)

    def far_line(self, span: DynamicSpan) -> FarLine:
        return FarLine(span)

    @pytest.fixture
    def worker(self, board: Board, paths: BoxPaths) -> Iterator[ScriptedWorker]:
        worker = ScriptedWorker(board.channels, paths.pri_socket(1))
        yield worker
        worker.close()

    @pytest.fixture
    def opened(self, board: Board, far: FarLine, worker: ScriptedWorker) -> Board:  # type: ignore[override]
        board.open()
        end = BoardEnd(board)
        assert run([end, far], 3, lambda: worker.accept() and Alarm(ALARM, False, ALL) in end.signals)
        self.worker_at_work = worker
        return board

    def happen(self, far: FarLine) -> None:
        self.worker_at_work.say(Setup(0, "12345"))

    def happened(self) -> FromBoard:
        return Setup(0, "12345")

    def test_signals_come_in_as_they_were_said(  # type: ignore[override]
        self, opened: Board, far: FarLine, worker: ScriptedWorker
    ) -> None:
        said: list[FromBoard] = [Alarm("D-channel", True), Alarm("D-channel", False)]
        for channel in (0, 29):
            said += [
                Setup(channel, "12345", "13800138000", "张三", "restricted"),
                Digit(channel, "5"),
                Release(channel, Cause.BUSY),
                Blocked(channel, True),
            ]
        worker.say(*said)
        end = BoardEnd(opened)
        run([end, far], 1, lambda: len(end.signals) >= len(said))

        assert end.signals == said

    def test_signals_go_out_as_they_were_said(  # type: ignore[override]
        self, opened: Board, far: FarLine, worker: ScriptedWorker
    ) -> None:
        worker.say(Setup(0, "12345"), Setup(29, "12345"))
        run([BoardEnd(opened), far], 0.1)
        said: list[ToBoard] = []
        for channel in (0, 29):
            said += [Proceeding(channel), Alerting(channel), Connect(channel), Release(channel), Blocked(channel, True)]
        for signal in said:
            opened.send_signal(signal)
        worker.look()

        assert worker.signals == said

    def test_nonsense_from_the_far_end_is_an_error_that_says_what(  # type: ignore[override]
        self, opened: Board, far: FarLine, worker: ScriptedWorker
    ) -> None:
        """It costs the link to the signalling process, and an alarm says so; the audio of the span goes on."""
        for body in (b"", b"\xff\xfe", b'{"type":"nonsense"}', b'{"type":"setup","channel":99,"called":"1"}'):
            worker.raw(body)
            end = BoardEnd(opened)
            assert run([end, far], 1, lambda: Alarm(ALARM, True, ALL) in end.signals), body  # noqa: B023
            worker.hang_up()
            assert run([end, far], 3, lambda: worker.accept() and Alarm(ALARM, False, ALL) in end.signals)  # noqa: B023
            assert end.heard


class TestLineBitsBoard(DriverBoardContract):
    channels = 30

    def driver_board(self, span: int, paths: BoxPaths) -> Board:
        return DahdiE1Board("e1", DahdiE1(span=span, signalling="cas"), paths)

    def far_line(self, span: DynamicSpan) -> FarLine:
        line = FarLine(span, Signalling.CAS)
        for channel in line.channels:
            channel.send_bits(0b1001)
        return line

    def happen(self, far: FarLine) -> None:
        far.channels[0].send_bits(0b0001)

    def happened(self) -> FromBoard:
        return Bits(0, 0b0001)

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: FarLine) -> None:  # type: ignore[override]
        for channel in (0, 29):
            for bits in (0b0001, 0b1101, 0b0101):
                end = BoardEnd(opened)
                far.channels[channel].send_bits(bits)
                assert run([end, far], 2, lambda: end.signals), f"channel {channel} bits {bits:04b}"  # noqa: B023
                assert end.signals == [Bits(channel, bits)]

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: FarLine) -> None:  # type: ignore[override]
        for channel, bits in ((0, 0b0001), (29, 0b1101), (0, 0b0101)):
            opened.send_signal(Bits(channel, bits))
            assert run([BoardEnd(opened), far], 2, lambda c=channel, b=bits: far.channels[c].receive_bits() == b)

    def test_nonsense_from_the_far_end_is_an_error_that_says_what(  # type: ignore[override]
        self, opened: Board, far: FarLine
    ) -> None:
        """Four bits can say nothing that is not one of sixteen: each is told as it is, the line's machine judges."""
        end = BoardEnd(opened)
        for bits in range(16):
            far.channels[3].send_bits(bits)
            assert run([end, far], 2, lambda: Bits(3, bits) in end.signals), f"{bits:04b}"  # noqa: B023

        assert [signal for signal in end.signals if signal.channel == 3] == [Bits(3, bits) for bits in range(16)]


class FarPorts(FarLine):
    """Two phones and a port of the exchange, on the first three slots."""

    def __init__(self, span: DynamicSpan) -> None:
        with Control() as control:
            control.load_ringing_zone()
        for slot, signalling in enumerate((Signalling.FXSKS, Signalling.FXSKS, Signalling.FXOKS), 1):
            span.configure(signalling, (slot,))
        super().__init__(span, None, (1, 2, 3))
        self.channels[2].set_cadence(60_000, 1)

    def hook(self, channel: int, command: Hook) -> None:
        assert self.channels[channel].hook(command)


class TestAnaloguePorts(DriverBoardContract):
    """Extension ports (FXS) and an exchange line (FXO) on one board."""

    channels = 3

    def driver_board(self, span: int, paths: BoxPaths) -> Board:
        return DahdiAnalogueBoard("phones", DahdiPorts(span=span, ports=("fxs", "fxs", "fxo")))

    def far_line(self, span: DynamicSpan) -> FarLine:
        return FarPorts(span)

    def come_to_rest(self, board: Board, far: FarLine) -> None:
        run([BoardEnd(board), far], AT_REST_SECONDS)

    def happen(self, far: FarLine) -> None:
        far.channels[0].hook(Hook.OFFHOOK)

    def happened(self) -> FromBoard:
        return HookChange(0, True)

    def test_signals_come_in_as_they_were_said(self, opened: Board, far: FarPorts) -> None:  # type: ignore[override]
        self.come_to_rest(opened, far)
        end = BoardEnd(opened)
        ends = [end, far]
        far.hook(0, Hook.OFFHOOK)
        far.hook(2, Hook.RING)
        run(ends, 0.8)
        far.hook(0, Hook.FLASH)
        far.hook(2, Hook.RINGOFF)
        run(ends, 1.2)
        far.stream.pause(0)
        far.channels[0].dial("P2")
        run(ends, 1.5)
        far.hook(0, Hook.ONHOOK)
        run(ends, 1.6)

        course = {channel: [signal for signal in end.signals if signal.channel == channel] for channel in range(3)}
        assert course == {
            0: [HookChange(0, True), Flash(0), Digit(0, "2"), HookChange(0, False)],
            1: [],
            2: [RingDetected(2, True), RingDetected(2, False)],
        }

    def test_signals_go_out_as_they_were_said(self, opened: Board, far: FarPorts) -> None:  # type: ignore[override]
        self.come_to_rest(opened, far)
        far.events.clear()
        end = BoardEnd(opened)
        opened.send_signal(Ring(1, True))
        opened.send_signal(Loop(2, True))
        opened.send_signal(DialPulses(2, "12"))
        run([end, far], 0.5)
        opened.send_signal(Ring(1, False))
        run([end, far], 2.5)
        opened.send_signal(Loop(2, False))
        run([end, far], 1.6)

        heard = {channel: [event for index, event in far.events if index == channel] for channel in range(3)}
        assert heard[0] == []
        assert heard[1].count(Event.RINGBEGIN) == 1
        assert [chr(event & 0xFF) for event in heard[2] if event & PULSEDIGIT] == ["1", "2"]
        assert [event for event in heard[2] if event in (Event.RINGOFFHOOK, Event.ONHOOK)] == [
            Event.RINGOFFHOOK,
            Event.ONHOOK,
        ]
        assert end.signals == [LoopCurrent(2, True)]

    test_nonsense_from_the_far_end_is_an_error_that_says_what = cannot_apply(
        "a pair of wires carries current, polarity and sound, and the driver tells events of its own list: no nonsense"
    )
