"""The lamps and buttons of the box's front panel on their GPIO lines. What they mean is `firmware/calls/panel.py`.

Each line stands for itself: one that is missing, taken or fails is told and tried again, and the others go on. A thread
of its own looks at the buttons, so that a slow GPIO chip holds up no display.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from drivers.gpio_lines import Button, GpioLine, Lamp, OpenLine, periphery_line
from drivers.spi_line_chip import ChipError
from firmware.calls import panel
from firmware.calls.panel import BoxSeen, ButtonIs, PanelButton, PanelEffects, Sign
from firmware.core.faults import Fault, fault
from firmware.core.schemas import Panel

LOOK_SECONDS = 0.02
"""Between looks at the buttons: a press of 0.06 s is seen, a bounce of 0.04 s is not."""
RETRY_MS = 2_000
"""A line that failed is tried again so often."""
STOP_SECONDS = 3.0
BLINK_MS = {Sign.DARK: 0, Sign.STEADY: 0, Sign.SLOW: 2_000, Sign.QUICK: 400}
"""Periods."""

_log = logging.getLogger("linebox.displays")


@dataclass(slots=True)
class _Place:
    """One line."""

    key: str
    """Its field in `panel` of box.json."""
    name: str
    line: GpioLine | None = None
    lamp: Lamp | None = None
    button: Button = field(default_factory=Button)
    fault: Fault | None = None
    next_ms: int = 0
    """When to try it again."""

    @property
    def where(self) -> str:
        return f"{self.key} {self.name}"

    def drop(self) -> None:
        line, self.line, self.lamp, self.button = self.line, None, None, Button()
        if line is not None:
            line.close()


class PanelLines:
    """The lines and the policy behind them; no thread, no clock: `look` has to be called every LOOK_SECONDS."""

    def __init__(self, entry: Panel, open_line: OpenLine = periphery_line) -> None:
        self._open_line = open_line
        self._panel = panel.FrontPanel()
        self._lamps = {one: _Place(one, name) for one in panel.Lamp if (name := getattr(entry, one))}
        self._buttons = {one: _Place(one, name) for one in PanelButton if (name := getattr(entry, one))}
        self._stuck: frozenset[PanelButton] = frozenset()
        self.stop_wanted = False
        """The shut-down button was held long enough; whoever obeys takes it back."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with lines now, each with field and line as its place."""
        found = [place.fault for place in (*self._lamps.values(), *self._buttons.values()) if place.fault]
        stuck = [fault("button_stuck").at(place.where) for one, place in self._buttons.items() if one in self._stuck]
        return (*found, *stuck)

    def see(self, seen: BoxSeen, now_ms: int) -> None:
        """How the box is now."""
        self._take(self._panel.handle(seen, now_ms))

    def look(self, now_ms: int) -> None:
        """Read the buttons, drive the lamps."""
        for button, place in self._buttons.items():
            before = place.button.pressed
            self._on_line(place, now_ms, partial(self._look_at, place))
            if place.button.pressed is not before:
                self._take(self._panel.handle(ButtonIs(button, place.button.pressed), now_ms))
        effects = self._panel.advance(now_ms)
        self._take(effects)
        for lamp, place in self._lamps.items():
            sign = effects.signs[lamp]
            self._on_line(place, now_ms, partial(self._light, place, sign, now_ms))

    def close(self) -> None:
        """All dark: nobody drives the lamps from now on."""
        for place in self._lamps.values():
            if place.line is not None:
                try:
                    place.line.set(False)
                except ChipError:
                    pass  # told when it failed, or too late to tell
        for place in (*self._lamps.values(), *self._buttons.values()):
            place.drop()

    def _take(self, effects: PanelEffects) -> None:
        self._stuck = effects.stuck
        self.stop_wanted |= effects.stop

    def _look_at(self, place: _Place) -> None:
        if place.line is None:
            place.line = GpioLine(place.name, "button", "panel", open_line=self._open_line)
        place.button.look(place.line.active())

    def _light(self, place: _Place, sign: Sign, now_ms: int) -> None:
        if place.line is None or place.lamp is None:
            place.line = GpioLine(place.name, "out", "panel", active_low=False, open_line=self._open_line)
            place.lamp = Lamp(place.line)
        place.lamp.on, place.lamp.blink_ms = sign is not Sign.DARK, BLINK_MS[sign]
        place.lamp.show(now_ms)

    @staticmethod
    def _on_line(place: _Place, now_ms: int, do: Callable[[], None]) -> None:
        """Do it if the line works or may be tried again."""
        if place.fault is not None and now_ms < place.next_ms:
            return
        try:
            do()
        except ChipError as error:
            place.drop()
            place.fault, place.next_ms = error.fault.at(place.where), now_ms + RETRY_MS
        else:
            place.fault = None


class RunningPanel:
    """The panel in its thread."""

    def __init__(self, entry: Panel, changed: Callable[[], None], open_line: OpenLine = periphery_line) -> None:
        """`changed` is called in the thread when `faults` are others, or when the box shall stop."""
        self.entry = entry
        self.faults: tuple[Fault, ...] = ()
        self._open_line = open_line
        self._changed = changed
        self._seen: BoxSeen | None = None
        self._stop_wanted = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="front panel", daemon=True)
        self._thread.start()

    def see(self, seen: BoxSeen) -> None:
        """How the box is now; to be told at least every second."""
        self._seen = seen

    def take_stop(self) -> bool:
        """True once for each time that the shut-down button was held long enough."""
        if not self._stop_wanted.is_set():
            return False
        self._stop_wanted.clear()
        return True

    def finish(self) -> None:
        """Let the lamps go dark; `stop` waits for it."""
        self._ending.set()

    def stop(self) -> None:
        """The same, and wait until it is so. A chip that hangs is left behind, and ends with the process."""
        self.finish()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._ending.is_set():
            lines = PanelLines(self.entry, self._open_line)
            try:
                while not self._ending.wait(LOOK_SECONDS):
                    self._turn(lines, time.monotonic_ns() // 1_000_000)
            except Exception as error:  # a defect of ours: the panel is dark, the displays are not
                _log.exception("the front panel")
                self._tell((fault("display_defect", error=repr(error)).at("panel"),))
                self._ending.wait(RETRY_MS / 1000)
            finally:
                lines.close()

    def _turn(self, lines: PanelLines, now_ms: int) -> None:
        seen, self._seen = self._seen, None
        if seen is not None:
            lines.see(seen, now_ms)
        lines.look(now_ms)
        self._tell(lines.faults)
        if lines.stop_wanted:
            lines.stop_wanted = False
            self._stop_wanted.set()
            self._changed()

    def _tell(self, faults: tuple[Fault, ...]) -> None:
        if faults != self.faults:
            self.faults = faults
            self._changed()
