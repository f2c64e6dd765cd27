"""The front panel of the box: what its lamps show, and what its two buttons do, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from boards.signals import ChannelKind
from firmware.calls.messages import BoxAlarm, BoxState, ContactView, SeatView
from firmware.calls.model import ContactState
from firmware.calls.panel import NOT_UP, BoxSeen, ButtonIs, FrontPanel, Lamp, PanelButton, Sign, box_seen
from firmware.calls.troubles import OUT_OF_SERVICE, Trouble, troubles
from firmware.core.clock import VirtualClock
from firmware.core.fault_gravity import GRAVITY
from firmware.core.fault_texts import FAULT_TEXTS
from firmware.core.faults import Fault, fault
from firmware.lines.messages import BoardState, ChannelState

NOW = VirtualClock(utc_us=0, mono_us=0).now()
E1 = fault("LOS").at("span 1")
DISK = {"alarms": (BoxAlarm.DISK_LOW,)}
RUNS = {"supervisor": "running", "gateway": "running", "web": "running"}


def trunk(number: int, state: str = "idle", kind: ChannelKind = ChannelKind.TRUNK) -> ChannelState:
    return ChannelState(number, "e1", f"E1-1/{number}", kind, state)


def board(*faults: Fault) -> BoardState:
    return BoardState("e1", True, faults)


def box(**fields: Any) -> BoxState:
    """A box in which all is well, but for `fields`."""
    well = {
        "gateway_connected": True,
        "recorder_connected": True,
        "channels": (trunk(0), trunk(1)),
        "boards": (board(),),
    }
    return BoxState(**{"number": 1, "at": NOW, "box_id": "b", **well, **fields})


def contact(state: str) -> ContactView:
    return ContactView(contact=1, state=state, calling="", called="12345", service="", arrived=NOW, since=NOW)


class Office:
    """The panel at a box that is seen every 0.1 s, and a finger."""

    def __init__(self, **fields: Any) -> None:
        self.now_ms = 1_000_000
        self.panel = FrontPanel()
        self.stops = 0
        self.state: BoxState | None = box(**fields)
        self.processes = RUNS
        self.sees = True
        for button in PanelButton:
            self.set(button, False)
        self.wait(0.1)

    def set(self, button: PanelButton, pressed: bool | None) -> None:
        self.stops += self.panel.handle(ButtonIs(button, pressed), self.now_ms).stop

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now_ms += 100
            if self.sees:
                self.stops += self.panel.handle(box_seen(self.state, self.processes), self.now_ms).stop
            self.stops += self.panel.advance(self.now_ms).stop

    def hold(self, button: PanelButton, seconds: float) -> None:
        self.set(button, True)
        self.wait(seconds)
        self.set(button, False)

    def acknowledge(self) -> None:
        self.hold(PanelButton.ACKNOWLEDGE, 0.2)

    def becomes(self, **fields: Any) -> None:
        self.state = box(**fields)
        self.wait(0.1)

    @property
    def shown(self) -> tuple[Sign, Sign, Sign]:
        """Service, alarm, call."""
        signs = self.panel.advance(self.now_ms).signs
        return signs[Lamp.SERVICE], signs[Lamp.ALARM], signs[Lamp.CALL]

    @property
    def alarm(self) -> Sign:
        return self.shown[1]


# ---- lamps -----------------------------------------------------------------------------------------------------------


def test_a_box_in_order_shows_that_calls_can_be_taken_and_no_alarm() -> None:
    assert Office().shown == (Sign.STEADY, Sign.DARK, Sign.DARK)


def test_while_the_box_starts_service_blinks_slowly_and_nothing_alarms() -> None:
    office = Office(gateway_connected=False)
    office.processes = {**RUNS, "supervisor": "starting", "web": "starting"}
    for office.state in (None, box(gateway_connected=False), box(boards=(board(fault("not_started")),), channels=())):
        office.wait(0.1)
        assert office.shown == (Sign.SLOW, Sign.DARK, Sign.DARK)

    office.becomes()
    assert office.shown == (Sign.STEADY, Sign.DARK, Sign.DARK)


def test_before_anything_is_known_nothing_is_claimed() -> None:
    panel = FrontPanel()

    assert set(panel.advance(0).signs.values()) == {Sign.SLOW, Sign.DARK}
    assert panel.advance(6_000).signs[Lamp.ALARM] is Sign.QUICK


@pytest.mark.parametrize(
    "fields",
    [
        {"gateway_connected": False},
        {"channels": (trunk(0, "blocked"), trunk(1, "out_of_service"))},
        {"channels": (trunk(0, "testing"), trunk(1, "testing"))},
        {"channels": (trunk(0, "out_of_service"), trunk(1, "idle", ChannelKind.EXTENSION))},
        {"channels": ()},
    ],
)
def test_when_no_call_can_be_taken_the_alarm_blinks_quickly_and_service_slowly(fields: dict[str, Any]) -> None:
    assert Office(**fields).shown == (Sign.SLOW, Sign.QUICK, Sign.DARK)


@pytest.mark.parametrize(
    "fields",
    [
        {"boards": (board(E1),), "channels": (trunk(0, "out_of_service"), trunk(1))},
        {"boards": (BoardState("second", False, (fault("dahdi_gone", doing="reading"),)),)},
        {"channels": (trunk(0, "blocked"), trunk(1, "idle", ChannelKind.EXCHANGE_LINE))},
        {"channels": (trunk(0, "blocked"), trunk(1, "up", ChannelKind.CAS))},
        {"recorder_connected": False},
        DISK,
        {"seats": (SeatView(seat="1", extension="FXS-1", display_fault=fault("display_serial", error="gone")),)},
        {"panel_faults": (fault("gpio_taken", error="busy").at("call /dev/gpiochip0:5"),)},
    ],
)
def test_what_is_wrong_while_calls_are_taken_lights_the_alarm_and_leaves_service_on(fields: dict[str, Any]) -> None:
    # One of two trunks that is out of service is, by itself, told by its board.
    is_wrong = any(key != "channels" for key in fields)
    assert Office(**fields).shown == (Sign.STEADY, Sign.STEADY if is_wrong else Sign.DARK, Sign.DARK)


def test_a_process_that_does_not_run_is_an_alarm_and_one_that_comes_up_is_none() -> None:
    office = Office()
    for state, alarm in (("restarting", Sign.STEADY), ("waiting", Sign.STEADY), ("starting", Sign.DARK)):
        office.processes = {**RUNS, "web": state}
        office.wait(0.1)
        assert office.shown == (Sign.STEADY, alarm, Sign.DARK)


@pytest.mark.parametrize("code", ["RECOVERING", "starting", "not_started"])
def test_what_goes_by_itself_is_no_alarm(code: str) -> None:
    assert Office(boards=(board(fault(code)),)).alarm is Sign.DARK


@pytest.mark.parametrize("state", list(ContactState))
def test_the_call_lamp_is_lit_while_a_citizen_is_on_the_line(state: ContactState) -> None:
    office = Office(contacts=(contact(str(state)),))
    assert office.shown[2] is (Sign.DARK if state in NOT_UP else Sign.STEADY)

    office.becomes()
    assert office.shown[2] is Sign.DARK


def test_nothing_old_is_shown_when_the_state_is_not_known_any_more() -> None:
    office = Office(contacts=(contact("talking"),))
    office.state = None  # the callserver is away
    office.wait(0.1)
    assert office.shown == (Sign.SLOW, Sign.QUICK, Sign.DARK)

    office.becomes(contacts=(contact("talking"),))
    assert office.shown == (Sign.STEADY, Sign.DARK, Sign.STEADY)
    office.sees = False  # the display process itself stands still
    office.wait(4.9)
    assert office.shown == (Sign.STEADY, Sign.DARK, Sign.STEADY)
    office.wait(0.2)
    assert office.shown == (Sign.SLOW, Sign.QUICK, Sign.DARK)


# ---- acknowledging ---------------------------------------------------------------------------------------------------


def test_a_known_fault_alarms_no_more_until_a_new_one_comes() -> None:
    office = Office(**DISK)
    office.acknowledge()
    assert office.alarm is Sign.DARK

    office.becomes(**DISK, recorder_connected=False)
    assert office.alarm is Sign.STEADY
    office.acknowledge()
    office.becomes(recorder_connected=False)
    assert office.alarm is Sign.DARK


def test_an_outage_that_is_known_stays_visible_and_a_new_outage_blinks_again() -> None:
    office = Office(boards=(board(E1),), channels=(trunk(0, "out_of_service"),))
    assert office.alarm is Sign.QUICK
    office.acknowledge()
    assert office.shown == (Sign.SLOW, Sign.STEADY, Sign.DARK)

    office.becomes(gateway_connected=False)
    assert office.alarm is Sign.QUICK


def test_the_same_fault_elsewhere_is_a_new_one_and_in_other_words_it_is_not() -> None:
    office = Office(boards=(board(fault("tdm_failed", error="first").at("TDM")),))
    office.acknowledge()
    office.becomes(boards=(board(fault("tdm_failed", error="second").at("TDM")),))
    assert office.alarm is Sign.DARK

    office.becomes(boards=(board(fault("tdm_failed", error="second").at("other")),))
    assert office.alarm is Sign.STEADY


def test_a_fault_that_flaps_is_acknowledged_once_and_one_that_comes_back_later_is_new() -> None:
    office = Office(**DISK)
    office.acknowledge()
    for _ in range(5):
        office.becomes()
        office.wait(30)
        office.becomes(**DISK)
        assert office.alarm is Sign.DARK

    office.becomes()
    office.wait(61)
    office.becomes(**DISK)
    assert office.alarm is Sign.STEADY


def test_what_was_acknowledged_before_the_callserver_went_is_known_when_it_is_back() -> None:
    office = Office(**DISK)
    office.acknowledge()
    office.state = None
    office.wait(120)
    office.becomes(**DISK)

    assert office.alarm is Sign.DARK


def test_the_acknowledge_button_held_tests_all_lamps_and_acknowledges_nothing() -> None:
    office = Office(**DISK)
    office.set(PanelButton.ACKNOWLEDGE, True)
    office.wait(2.9)
    assert office.shown == (Sign.STEADY, Sign.STEADY, Sign.DARK)
    office.wait(0.1)
    assert office.shown == (Sign.STEADY,) * 3
    office.set(PanelButton.ACKNOWLEDGE, False)

    assert office.shown == (Sign.STEADY, Sign.STEADY, Sign.DARK)


# ---- shutting down ---------------------------------------------------------------------------------------------------


def test_the_shut_down_button_held_for_five_seconds_stops_the_box_once_and_the_lamps_say_how_far_it_is() -> None:
    office = Office(contacts=(contact("talking"),))
    office.set(PanelButton.SHUT_DOWN, True)
    assert office.shown[0] is Sign.QUICK
    office.wait(4.9)
    assert office.stops == 0
    assert office.shown == (Sign.QUICK, Sign.DARK, Sign.STEADY)
    office.wait(0.1)
    assert office.stops == 1
    assert office.shown == (Sign.STEADY,) * 3
    office.wait(9)

    assert office.stops == 1
    assert office.shown == (Sign.STEADY,) * 3


def test_let_go_too_early_nothing_is_stopped() -> None:
    office = Office()
    for _ in range(3):
        office.hold(PanelButton.SHUT_DOWN, 4.9)
        assert office.shown == (Sign.STEADY, Sign.DARK, Sign.DARK)

    assert office.stops == 0


def test_a_box_that_does_not_stop_is_shown_as_it_is_again_and_may_be_stopped_again() -> None:
    office = Office()
    office.set(PanelButton.SHUT_DOWN, True)
    office.wait(15.1)
    assert office.shown == (Sign.STEADY, Sign.DARK, Sign.DARK)
    office.wait(60)
    assert office.stops == 1, "a button that is only held on orders nothing more"
    office.set(PanelButton.SHUT_DOWN, False)
    office.hold(PanelButton.SHUT_DOWN, 5)

    assert office.stops == 2


def test_a_button_that_is_pressed_when_the_box_starts_is_a_wiring_fault_and_stops_nothing() -> None:
    panel = FrontPanel()
    effects = panel.handle(ButtonIs(PanelButton.SHUT_DOWN, True), 0)
    assert effects.stuck == {PanelButton.SHUT_DOWN}
    assert effects.signs[Lamp.SERVICE] is not Sign.QUICK
    assert not any(panel.advance(now_ms).stop for now_ms in range(0, 60_000, 100))

    assert panel.handle(ButtonIs(PanelButton.SHUT_DOWN, False), 60_000).stuck == set()
    panel.handle(ButtonIs(PanelButton.SHUT_DOWN, True), 61_000)
    assert [panel.advance(now_ms).stop for now_ms in (65_900, 66_000)] == [False, True]


def test_a_line_that_fails_while_its_button_is_held_has_not_been_held() -> None:
    office = Office()
    office.set(PanelButton.SHUT_DOWN, True)
    office.wait(4)
    office.set(PanelButton.SHUT_DOWN, None)
    office.wait(1)
    office.set(PanelButton.SHUT_DOWN, True)  # it works again, and is pressed: or shorted
    office.wait(20)

    assert office.stops == 0


def test_a_line_that_fails_while_its_button_is_pressed_acknowledges_nothing() -> None:
    office = Office(**DISK)
    office.set(PanelButton.ACKNOWLEDGE, True)
    office.set(PanelButton.ACKNOWLEDGE, None)
    office.set(PanelButton.ACKNOWLEDGE, False)

    assert office.alarm is Sign.STEADY


# ---- what counts as wrong --------------------------------------------------------------------------------------------


def test_boards_are_not_judged_by_what_they_were_before_the_gateway_went() -> None:
    state = box(gateway_connected=False, boards=(board(E1),), channels=(trunk(0, "out_of_service"),))

    assert troubles(state, {}) == {Trouble("gateway_away")}


def test_each_trouble_has_its_place() -> None:
    state = box(
        boards=(board(E1, fault("D-channel")),),
        seats=(SeatView(seat="2", extension="FXS-2", display_fault=fault("display_serial", error="x").at("/dev/x")),),
        panel_faults=(fault("button_stuck").at("shut_down /dev/gpiochip0:5"),),
    )

    assert troubles(state, {"web": "restarting"}) == {
        Trouble("LOS", "board e1 span 1"),
        Trouble("D-channel", "board e1"),
        Trouble("display_serial", "seat 2 /dev/x"),
        Trouble("button_stuck", "panel shut_down /dev/gpiochip0:5"),
        Trouble("process_missing", "web"),
    }


def test_the_table_of_gravities_names_only_what_there_is() -> None:
    ours = {"callserver_away", "gateway_away", "no_trunk"}

    assert GRAVITY.keys() <= {*FAULT_TEXTS, *BoxAlarm, *ours}
    assert {"blocked", "testing", "out_of_service"} == set(OUT_OF_SERVICE)


def test_a_box_seen_says_whether_it_starts() -> None:
    assert box_seen(box(), {"supervisor": "starting"}) == BoxSeen(frozenset(), starting=True)
