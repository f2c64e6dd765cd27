"""Spans of the real driver without hardware, for the tests inside the guest: E1 in pairs, connected crosswise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.dahdi import Channel
from drivers.dahdi_control import ChannelSetting, Control
from drivers.dahdi_numbers import DYNAMIC, DYNAMIC_CREATE, DYNAMIC_DESTROY, LineConfig, Signalling

SLOTS = 31
SIGNALLING_SLOT = 16
BEARERS = tuple(slot for slot in range(1, SLOTS + 1) if slot != SIGNALLING_SLOT)


@dataclass(frozen=True)
class DynamicSpan:
    """One span of the driver `dahdi_dynamic_loc`; the two ends of a key are each other's line."""

    key: int
    end: int
    number: int
    slots: int = SLOTS

    def channel(self, slot: int) -> int:
        """DAHDI's number of the channel in a slot."""
        with Control() as control:
            return control.channels_of(self.number)[slot - 1].number

    def configure(self, signalling: Signalling, slots: tuple[int, ...] = BEARERS) -> None:
        """Make the channels of these slots what they shall be; slot 16 a D channel beside clear ones."""
        with Control() as control:
            control.configure_span(self.number, LineConfig(0), 0)
            channels = control.channels_of(self.number)
            settings = [ChannelSetting(channels[slot - 1].number, signalling) for slot in slots]
            if signalling is Signalling.CLEAR and SIGNALLING_SLOT not in slots:
                settings.append(ChannelSetting(channels[SIGNALLING_SLOT - 1].number, Signalling.HDLCFCS))
            control.configure_channels(settings)

    def open(self, slot: int) -> Channel:
        return Channel(self.channel(slot), f"span {self.number} slot {slot}")

    def destroy(self) -> None:
        with Control() as control:
            control.ask(DYNAMIC_DESTROY, self._packed(), "destroying", f"span {self.number}")

    def pull(self) -> Path:
        """Take the card away though its channels are open (the driver destroys no span in use). What brings it back."""
        device = (Path("/sys/bus/dahdi_spans/devices") / f"span-{self.number}").resolve().parent
        (device / "unassign_span").write_text("1")
        return device

    def put_back(self, device: Path) -> None:
        """Put a pulled card back where it was. Its channels have to be configured again, and those that were open when
        it was pulled must be opened once more before the span is destroyed: the driver still holds their files."""
        (device / "auto_assign").write_text("1")

    def create_again(self) -> DynamicSpan:
        return create(self.key, self.end, self.slots)

    def _packed(self) -> bytes:
        return DYNAMIC.pack(b"loc", f"{self.key:x}:{self.end:x}".encode(), self.slots, 0, 0)


def create(key: int, end: int, slots: int = SLOTS) -> DynamicSpan:
    """One end of a pair; the driver gives it the lowest free span number."""
    packed = DYNAMIC.pack(b"loc", f"{key:x}:{end:x}".encode(), slots, 0, 0)
    with Control() as control:
        answer = control.ask(DYNAMIC_CREATE, packed, "creating", f"dynamic span {key}:{end}")
    return DynamicSpan(key, end, DYNAMIC.unpack(answer)[4], slots)


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Seconds (of the guest's clock) until the condition held. Fails when the time is over."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"within {seconds} s not: {what}"
        time.sleep(0.002)
    return time.monotonic() - started
