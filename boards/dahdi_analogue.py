"""Analogue ports of a DAHDI card as a board: extension ports (FXS) with a phone, exchange lines (FXO). It is a clock.

Also a channel bank on an E1, whose ports speak the same signalling in line bits. The driver counts pulse digits and
measures hooks; cadences of ringing are the line machines' business.
"""

from __future__ import annotations

from collections.abc import Sequence

from boards.base import ALAW_SILENCE, Block, Board, BoardError, ChannelPlace
from boards.dahdi_card import DahdiCard
from boards.loop_decoder import FLASH_MOST_MS
from boards.mu_law import ALAW_OF_MU, MU_LAW_SILENCE, MU_OF_ALAW
from boards.signals import (
    Alarm,
    ChannelKind,
    DialPulses,
    Digit,
    Flash,
    FromBoard,
    HookChange,
    Loop,
    LoopCurrent,
    OnHookData,
    Polarity,
    Ring,
    RingDetected,
    ToBoard,
)
from drivers.dahdi import ChannelState
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import (
    FLUSH_WRITE,
    LAW_ALAW,
    LAW_DEFAULT,
    LAW_MULAW,
    PULSEDIGIT,
    Event,
    Hook,
    Signalling,
)
from firmware.core.faults import fault
from firmware.core.line_schemas import BoardEntry, DahdiPorts
from firmware.core.paths import BoxPaths

E1_SLOTS, SIGNALLING_SLOT = 31, 16
"""A channel bank's E1 carries the line bits of its ports in slot 16, which is no port."""
RINGING_MS = (60_000, 1)
"""Cadence given to the driver: on until we end it."""
DEBOUNCE_BLOCKS = 65
"""For the driver a loop is closed 600 ms after it was closed (DAHDI_DEFAULT_DEBOUNCETIME); a pulse sooner is lost."""
SIGNALLING_OF = {"fxs": Signalling.FXOKS, "fxo": Signalling.FXSKS}
KIND_OF = {"fxs": ChannelKind.EXTENSION, "fxo": ChannelKind.EXCHANGE_LINE}


def channels(ports: Sequence[str]) -> tuple[ChannelPlace, ...]:
    """The channels of a card with these ports, numbered for each kind by itself."""
    numbers = dict.fromkeys(KIND_OF, 0)
    places = []
    for port in ports:
        numbers[port] += 1
        places.append(ChannelPlace(KIND_OF[port], f"{port.upper()}-{numbers[port]}"))
    return tuple(places)


class DahdiAnalogueBoard(DahdiCard):
    """Implements `boards.base.Board`."""

    def __init__(self, name: str, settings: DahdiPorts) -> None:
        self._ports = settings.ports
        self._law_setting = settings.law
        self._law = LAW_DEFAULT
        self._is_mu_law = False
        super().__init__(name, settings.span, channels(settings.ports), settings.echo_canceller)
        self._lifted: list[bool] = []
        self._to_ring: set[int] = set()
        """Ports that shall ring and whose line is not yet at rest after the last call."""
        self._closed: set[int] = set()
        self._closed_at: list[int] = [0] * len(settings.ports)
        """When the loop of each port was closed, in blocks received."""
        self._to_dial: dict[int, str] = {}
        """Pulses that wait for a loop that was closed just now."""
        self._reversed: set[int] = set()
        self._unfed: set[int] = set()
        """Ports with a closed loop whose feed the exchange has taken away; that it is back no event tells."""

    def _settings(self, states: Sequence[ChannelState]) -> tuple[list[ChannelSetting], list[ChannelState]]:
        is_e1 = len(states) == E1_SLOTS
        ours = [state for state in states if not (is_e1 and state.position == SIGNALLING_SLOT)][: len(self._ports)]
        # An E1 carries A-law, whatever the driver says: of dynamic spans it says mu-law always. A card is asked.
        of_card = LAW_ALAW if is_e1 else LAW_DEFAULT
        self._law = {"card": of_card, "a": LAW_ALAW, "mu": LAW_MULAW}[self._law_setting]
        settings = [
            ChannelSetting(state.number, SIGNALLING_OF[port], self._echo_canceller, self._law)
            for state, port in zip(ours, self._ports, strict=True)
        ]
        return settings, ours

    def _before_opening(self, control: Control) -> None:
        control.load_ringing_zone()  # a channel that was opened before there was a zone never rings

    def _choose_law(self) -> None:
        for line in self._lines:
            line.set_law(self._law)
        self._is_mu_law = self._lines[0].state().law == LAW_MULAW
        self._silence = MU_LAW_SILENCE if self._is_mu_law else ALAW_SILENCE

    def receive(self) -> tuple[list[Block], list[FromBoard]]:
        blocks, signals = super().receive()
        return [ALAW_OF_MU[block] for block in blocks] if self._is_mu_law else blocks, signals

    def send_block(self, block: Block) -> None:
        super().send_block(MU_OF_ALAW[block] if self._is_mu_law else block)

    def _opened(self) -> None:
        self._to_ring.clear()
        self._to_dial.clear()
        self._closed_at = [0] * len(self._lines)
        self._closed.clear()
        self._reversed.clear()
        self._unfed.clear()
        self._lifted = [False] * len(self._lines)
        for index, line in enumerate(self._lines):
            if self._ports[index] == "fxs":
                line.set_cadence(*RINGING_MS)
                line.set_longest_flash(FLASH_MOST_MS)
                if line.state().off_hook:
                    self._lift(index, True)
            elif line.state().alarmed:
                self._no_line(index, True)

    def _each_block(self) -> None:
        self._dial_due()
        for index in list(self._to_ring):
            if self._lines[index].hook(Hook.RING):
                self._to_ring.discard(index)
        for index in list(self._unfed):
            if self._lines[index].state().fed:
                self._unfed.discard(index)
                self._tell(LoopCurrent(index, True))

    # ---- what the lines say ------------------------------------------------------------------------------------------

    def _event(self, index: int, event: int) -> None:
        if event == Event.DIALCOMPLETE:
            assert self._stream is not None
            self._stream.resume(index)
        elif self._ports[index] == "fxs":
            self._phone(index, event)
        else:
            self._exchange(index, event)

    def _phone(self, index: int, event: int) -> None:
        if event == Event.RINGOFFHOOK:
            self._lift(index, True)
        elif event == Event.ONHOOK:
            self._lift(index, False)
        elif event == Event.WINKFLASH:
            self._tell(Flash(index))
        elif event & PULSEDIGIT:
            self._tell(Digit(index, chr(event & 0xFF)))

    def _lift(self, index: int, off_hook: bool) -> None:
        if self._lifted[index] == off_hook:
            return
        self._lifted[index] = off_hook
        if off_hook:
            self._to_ring.discard(index)
            self._cancel_echo(index)
        # Our side follows: it ends the ringing, and makes the port ready to ring again.
        self._lines[index].hook(Hook.OFFHOOK if off_hook else Hook.ONHOOK)
        self._tell(HookChange(index, off_hook))

    def _exchange(self, index: int, event: int) -> None:
        if event == Event.RINGBEGIN:
            self._tell(RingDetected(index, True))
        elif event == Event.RINGOFFHOOK:
            self._tell(RingDetected(index, False))
        elif event == Event.ONHOOK:
            self._tell(LoopCurrent(index, False))
            self._unfed |= {index} & self._closed
        elif event == Event.POLARITY:
            self._reversed ^= {index}
            self._tell(Polarity(index, index in self._reversed))
        elif event in (Event.ALARM, Event.NOALARM):
            self._no_line(index, event == Event.ALARM)

    def _no_line(self, index: int, raised: bool) -> None:
        """Battery lost, or back."""
        self._tell(Alarm("NO_LINE", raised, (index,)))

    # ---- what the gateway says ---------------------------------------------------------------------------------------

    def _signal(self, signal: ToBoard) -> None:
        line = self._lines[signal.channel]
        if isinstance(signal, Ring):
            self._ring(signal.channel, signal.on)
        elif isinstance(signal, OnHookData):
            if not self._lifted[signal.channel]:
                line.carry_on_hook(signal.milliseconds)
        elif isinstance(signal, Loop):
            assert self._stream is not None
            self._stream.resume(signal.channel)  # a hook ends what is being dialled
            self._to_dial.pop(signal.channel, None)
            self._unfed.discard(signal.channel)
            line.hook(Hook.OFFHOOK if signal.closed else Hook.ONHOOK)
            self._closed_at[signal.channel] = self.counters.blocks_received
            if signal.closed != (signal.channel in self._closed):
                self._closed ^= {signal.channel}
                if signal.closed:
                    self._cancel_echo(signal.channel)
                    self._tell(LoopCurrent(signal.channel, True))
        elif isinstance(signal, DialPulses):
            self._to_dial[signal.channel] = signal.digits
            self._dial_due()

    def _dial_due(self) -> None:
        for index in list(self._to_dial):
            if self.counters.blocks_received - self._closed_at[index] >= DEBOUNCE_BLOCKS:
                self._dial(index, self._to_dial.pop(index))

    def _dial(self, index: int, digits: str) -> None:
        assert self._stream is not None
        self._stream.pause(index)
        self._lines[index].flush(FLUSH_WRITE)
        self._lines[index].dial(f"P{digits}")

    def _ring(self, index: int, on: bool) -> None:
        if self._lifted[index]:
            return
        if not on:
            if index not in self._to_ring:
                self._lines[index].hook(Hook.RINGOFF)
            self._to_ring.discard(index)
        elif not self._lines[index].hook(Hook.RING):
            self._to_ring.add(index)


def open_board(entry: BoardEntry, paths: BoxPaths) -> Board:
    """The board of a configuration entry of kind `dahdi_analogue`; not started yet. BoardError: it has no `ports`."""
    if entry.ports is None:
        raise BoardError(fault("ports_missing"), entry.board, "boards.json")
    return DahdiAnalogueBoard(entry.board, entry.ports)
