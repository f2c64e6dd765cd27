"""One display at a seat, in a thread of its own, so that one that is slow, dead or missing holds up no other.

It is given rows and sees to it that they are shown: again after a failure, and from time to time, in case the display
lost its power meanwhile. Which rows is not known here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from drivers.lcd_hd44780 import open_lcd
from drivers.lcd_serial import SerialDisplay
from drivers.seat_display import DisplayError, SeatDisplay
from firmware.core.faults import Fault, fault
from firmware.core.schemas import Display

RETRY_SECONDS = 2.0
"""A display that failed is tried again so often."""
RENEW_SECONDS = 60.0
"""A display that lost its power and got it back is right again after this at the latest."""
STOP_SECONDS = 3.0

_log = logging.getLogger("linebox.displays")


def open_display(entry: Display) -> SeatDisplay:
    """The driver of a display. Raises DisplayError."""
    if entry.kind == "hd44780":
        return open_lcd(entry.device, columns=entry.columns, rows=entry.rows, address=entry.address)
    return SerialDisplay(entry.device, columns=entry.columns, rows=entry.rows, baud_rate=entry.baud)


class Screen:
    """The thread and what it shall show."""

    def __init__(
        self,
        seat: str,
        entry: Display,
        changed: Callable[[], None],
        open_it: Callable[[Display], SeatDisplay] = open_display,
    ) -> None:
        """`changed` is called in the thread when `fault` is another one."""
        self.seat = seat
        self.entry = entry
        self.fault: Fault | None = None
        """Why the display shows nothing; None while it works."""
        self._changed = changed
        self._open_it = open_it
        self._display: SeatDisplay | None = None
        self._wanted: tuple[str, ...] = ()
        self._shown: tuple[str, ...] = ()
        self._next = 0.0
        """Monotonic seconds of the next try or renewal."""
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"display of seat {seat}", daemon=True)
        self._thread.start()

    @property
    def chinese(self) -> bool:
        return self.entry.kind == "serial"

    def show(self, rows: Sequence[str]) -> None:
        """From now on these rows; does not wait until they are seen."""
        with self._wake:
            self._wanted = tuple(rows)
            self._wake.notify()

    def finish(self) -> None:
        """Show what was given last, then end; `stop` waits for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def stop(self) -> None:
        """The same, and wait until it is so. A display that hangs is left behind, and ends with the process."""
        self.finish()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._may_rest():
                    self._wake.wait(max(0.0, self._next - time.monotonic()))
                wanted, is_last = self._wanted, self._stopping
            self._show(wanted)
            if is_last:
                self._close()
                return

    def _may_rest(self) -> bool:
        if self._stopping or time.monotonic() >= self._next:
            return False
        return self.fault is not None or self._wanted == self._shown

    def _show(self, rows: tuple[str, ...]) -> None:
        try:
            if self._display is None:
                self._display = self._open_it(self.entry)
            elif time.monotonic() >= self._next:
                self._display.renew()
            if rows:
                self._display.show(rows)
        except DisplayError as error:
            self._fail(error.fault)
        except Exception as error:  # a defect of ours: this display is dark, the others are not
            _log.exception("the display of seat %s", self.seat)
            self._fail(fault("display_defect", error=repr(error)))
        else:
            self._shown = rows
            self._next = time.monotonic() + RENEW_SECONDS
            self._tell(None)

    def _fail(self, fault: Fault) -> None:
        self._close()
        self._shown = ()
        self._next = time.monotonic() + RETRY_SECONDS
        self._tell(fault.at(self.entry.device))

    def _tell(self, fault: Fault | None) -> None:
        if fault != self.fault:
            self.fault = fault
            self._changed()

    def _close(self) -> None:
        display, self._display = self._display, None
        if display is not None:
            display.close()
