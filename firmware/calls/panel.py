"""What the lamps of the box's front panel show and what its buttons do, in virtual time. GPIO lines are the business of
`firmware/box/displays/front_panel.py`; what is wrong with the box, of `troubles.py`.

| lamp    | dark                    | steady                  | slow blinking        | quick blinking              |
|---------|-------------------------|-------------------------|----------------------|-----------------------------|
| service | the box is off or dead  | calls can be taken      | they cannot (yet)    | the shut-down button is held|
| alarm   | all well, or known (1)  | something is wrong (2)  |                      | no call can be taken        |
| call    | no call                 | a call is up            |                      |                             |

(1) Acknowledged. (2) Or no call can be taken, and that is acknowledged: nobody shall forget it.
All steady: lamp test; or the shut-down has begun, and the button may be let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from firmware.calls.messages import BoxState
from firmware.calls.troubles import Trouble, troubles
from firmware.core.fault_gravity import Gravity, gravity

FRESH_MS = 5_000
"""What was seen longer ago is not known any more. It is told anew every second."""
SHUT_DOWN_MS = 5_000
"""The shut-down button must be held so long: nobody leans on it by accident for that time."""
LAMP_TEST_MS = 3_000
"""The acknowledge button held so long tests the lamps; a shorter press acknowledges."""
PATIENCE_MS = 10_000
"""A box that has not stopped by then does not: the lamps show again what is so, and the button may be tried again."""
FORGET_MS = 60_000
"""An acknowledged trouble that comes back within this time is no new one: it flaps."""


class Lamp(StrEnum):
    """By their fields in `schemas.Panel`."""

    SERVICE = "service"
    ALARM = "alarm"
    CALL = "call"


class PanelButton(StrEnum):
    """By their fields in `schemas.Panel`."""

    ACKNOWLEDGE = "acknowledge"
    SHUT_DOWN = "shut_down"


class Sign(StrEnum):
    """What a lamp shows."""

    DARK = "dark"
    STEADY = "steady"
    SLOW = "slow"
    QUICK = "quick"


@dataclass(frozen=True, slots=True)
class BoxSeen:
    """How the box is now. To be told at least every second, or it counts as not known."""

    troubles: frozenset[Trouble]
    calls_up: bool = False
    starting: bool = False
    """The box is being started: that a part is not there yet is no alarm."""


@dataclass(frozen=True, slots=True)
class ButtonIs:
    """A button is now pressed or not, without bounces; None: its line failed. To be told when it changes."""

    button: PanelButton
    pressed: bool | None


@dataclass(frozen=True, slots=True)
class PanelEffects:
    """What shall be so from now on."""

    signs: Mapping[Lamp, Sign]
    stop: bool = False
    """Once, when the shut-down button was held long enough: end the box in order."""
    stuck: frozenset[PanelButton] = frozenset()
    """Buttons that count as pressed since their line was opened: a wiring fault, and not obeyed."""


NOT_UP = ("arriving", "calling", "ending")
"""States of a contact (`calls/model.py`) in which nobody hears the citizen yet, or any more."""
UNKNOWN = frozenset({Trouble("callserver_away")})


def box_seen(state: BoxState | None, processes: Mapping[str, str]) -> BoxSeen:
    """`state`: None while nobody knows it; `processes`: name → state of the table that the supervisor writes."""
    calls_up = state is not None and any(contact.state not in NOT_UP for contact in state.contacts)
    return BoxSeen(troubles(state, processes), calls_up, processes.get("supervisor") == "starting")


@dataclass(slots=True)
class _Press:
    """One button. It must have been seen released before a press counts: a short at the line stops no box."""

    was_released: bool = False
    since_ms: int | None = None
    """Since when it is pressed."""
    stuck: bool = False

    def held_ms(self, now_ms: int) -> int:
        return 0 if self.since_ms is None else now_ms - self.since_ms


@dataclass(slots=True)
class FrontPanel:
    """Moments are monotonic milliseconds."""

    _seen: BoxSeen = BoxSeen(UNKNOWN, starting=True)
    _seen_ms: int | None = None
    _acknowledged: dict[Trouble, int] = field(default_factory=dict)
    """→ when it was there last."""
    _presses: dict[PanelButton, _Press] = field(default_factory=lambda: {one: _Press() for one in PanelButton})
    _stop_ms: int | None = None
    """When the stop was ordered."""

    def handle(self, event: BoxSeen | ButtonIs, now_ms: int) -> PanelEffects:
        """Something is seen, or a button was moved."""
        if isinstance(event, BoxSeen):
            self._seen, self._seen_ms = event, now_ms
        else:
            self._move(event, now_ms)
        return self.advance(now_ms)

    def advance(self, now_ms: int) -> PanelEffects:
        """Time has passed. To be called some times a second."""
        if self._seen_ms is None:
            self._seen_ms = now_ms
        if now_ms - self._seen_ms > FRESH_MS:
            self._seen = BoxSeen(UNKNOWN)
        self._forget(now_ms)
        shut_down = self._presses[PanelButton.SHUT_DOWN]
        stop = shut_down.held_ms(now_ms) >= SHUT_DOWN_MS
        if stop:
            self._stop_ms = now_ms
            shut_down.since_ms = None  # held on, it orders nothing more
        elif self._stop_ms is not None and now_ms - self._stop_ms >= PATIENCE_MS:
            self._stop_ms = None
        stuck = frozenset(button for button, press in self._presses.items() if press.stuck)
        return PanelEffects(self._signs(now_ms), stop, stuck)

    def _move(self, event: ButtonIs, now_ms: int) -> None:
        press = self._presses[event.button]
        held_ms, was_pressed = press.held_ms(now_ms), press.since_ms is not None
        press.since_ms = now_ms if event.pressed and press.was_released else None
        press.was_released = event.pressed is False or (event.pressed is True and press.was_released)
        press.stuck = event.pressed is True and not press.was_released
        released = was_pressed and event.pressed is False
        if released and event.button is PanelButton.ACKNOWLEDGE and held_ms < LAMP_TEST_MS:
            self._acknowledged |= dict.fromkeys(self._seen.troubles, now_ms)

    def _forget(self, now_ms: int) -> None:
        """Troubles that have gone for good are new ones when they come again."""
        for one, last_ms in list(self._acknowledged.items()):
            if one in self._seen.troubles or self._seen.troubles & UNKNOWN:
                self._acknowledged[one] = now_ms
            elif now_ms - last_ms > FORGET_MS:
                del self._acknowledged[one]

    # ---- lamps -------------------------------------------------------------------------------------------------------

    def _signs(self, now_ms: int) -> Mapping[Lamp, Sign]:
        is_test = self._presses[PanelButton.ACKNOWLEDGE].held_ms(now_ms) >= LAMP_TEST_MS
        if is_test or self._stop_ms is not None:
            return dict.fromkeys(Lamp, Sign.STEADY)
        works = self._gravest(self._seen.troubles) < Gravity.GRAVE
        is_held = self._presses[PanelButton.SHUT_DOWN].since_ms is not None
        return {
            Lamp.SERVICE: Sign.QUICK if is_held else Sign.STEADY if works else Sign.SLOW,
            Lamp.ALARM: self._alarm(),
            Lamp.CALL: Sign.STEADY if self._seen.calls_up else Sign.DARK,
        }

    def _alarm(self) -> Sign:
        if self._seen.starting:
            return Sign.DARK
        new = self._gravest(self._seen.troubles - self._acknowledged.keys())
        if new is Gravity.GRAVE:
            return Sign.QUICK
        is_wrong = new is Gravity.MINOR or self._gravest(self._seen.troubles) is Gravity.GRAVE
        return Sign.STEADY if is_wrong else Sign.DARK

    @staticmethod
    def _gravest(of: frozenset[Trouble]) -> Gravity:
        return max((gravity(one.code) for one in of), default=Gravity.PASSING)
