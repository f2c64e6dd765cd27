"""What a phone does with its loop, from the loop's state every 10 ms: lifted, put down, flash, dial pulses. No chip.

A break shorter than a flash is a dial pulse (10 a second, break to make 1.6 to 1, so 61 ms each); a break of 100 to
800 ms is a flash; a longer one means that the phone was put down. Times are media time in milliseconds.
"""

from __future__ import annotations

from enum import StrEnum

from boards.signals import Digit, Flash, FromBoard, HookChange

PULSE_LEAST_MS = 20
FLASH_LEAST_MS = 100
FLASH_MOST_MS = 800
BOUNCE_MS = 150
"""After the hook switch has moved (lifted, flash) its contacts bounce: a short break that begins so soon is no dial
pulse, nobody dials that quickly. Ours."""
DIGIT_END_MS = 200
"""A closed loop for this long ends a pulsed digit; between pulses it is closed for 39 ms."""


class LoopState(StrEnum):
    ON_HOOK = "on_hook"
    OFF_HOOK = "off_hook"
    BREAK = "break"
    """Open, and not yet known for how long."""


class LoopDecoder:
    """One port. `look` takes what the loop is now and gives what the phone has done."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._state = LoopState.ON_HOOK
        self._since_ms = 0
        self._pulses = 0
        self._pulse_ms = 0
        self._steady_ms = 0
        """Until then the hook switch may bounce."""

    @property
    def off_hook(self) -> bool:
        """As it was told last."""
        return self._state is not LoopState.ON_HOOK

    def _set_state(self, state: LoopState, now_ms: int) -> None:
        self._state = state
        self._since_ms = now_ms

    def look(self, closed: bool, now_ms: int) -> list[FromBoard]:
        """`closed`: current flows in the loop."""
        lasted = now_ms - self._since_ms
        match self._state, closed:
            case LoopState.ON_HOOK, True:
                self._pulses = 0
                self._steady_ms = now_ms + BOUNCE_MS
                self._set_state(LoopState.OFF_HOOK, now_ms)
                return [HookChange(self._channel, True)]
            case LoopState.OFF_HOOK, False:
                self._set_state(LoopState.BREAK, now_ms)
            case LoopState.OFF_HOOK, True:
                return self._digit(now_ms)
            case LoopState.BREAK, True:
                self._set_state(LoopState.OFF_HOOK, now_ms)
                return self._closed_again(lasted, now_ms)
            case LoopState.BREAK, False if lasted > FLASH_MOST_MS:
                self._pulses = 0
                self._set_state(LoopState.ON_HOOK, now_ms)
                return [HookChange(self._channel, False)]
        return []

    def _closed_again(self, lasted: int, now_ms: int) -> list[FromBoard]:
        if lasted < PULSE_LEAST_MS or (lasted < FLASH_LEAST_MS and now_ms - lasted < self._steady_ms):
            return []
        if lasted < FLASH_LEAST_MS:
            self._pulses += 1
            self._pulse_ms = lasted
            return []
        self._pulses = 0
        self._steady_ms = now_ms + BOUNCE_MS
        return [Flash(self._channel)]

    def _digit(self, now_ms: int) -> list[FromBoard]:
        if not self._pulses or now_ms - self._since_ms < DIGIT_END_MS:
            return []
        pulses, self._pulses = self._pulses, 0
        return [Digit(self._channel, str(pulses % 10), self._pulse_ms * pulses)] if pulses <= 10 else []
