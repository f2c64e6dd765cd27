"""ISDN calls through the whole line side: exchange, libpri, the span's lines, and the gateway's own line machines."""

from __future__ import annotations

import pytest

from boards.pri_link import pri_channels
from boards.signals import Alarm, Cause, FromBoard, ToBoard
from drivers.pri_stack import TIME_SLOTS, Clear, Cleared, Gone, LayerTwo, Progress, Progressed, Restart, Restarted
from firmware.core.clock import Stamp
from firmware.lines.gateway import Gateway
from firmware.lines.line import FAILURE_HOLD_US
from firmware.lines.line_commands import AlertLeg, AnswerLeg, AnyLineCommand, Attach, ClearLeg, ConfigureLines
from firmware.lines.messages import AnyLineEvent, IncomingCall, LegCleared
from firmware.media.sounds import SoundStore
from tests.lines.isdn_town import SLOT_17, Town


class Centre(Town):
    """A town whose gateway is the real one, without audio, with or without a callserver."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[AnyLineEvent] = []
        self.start_gateway("b00t")

    def start_gateway(self, boot: str) -> None:
        self.box.leave()
        self.gateway = Gateway([("e1", pri_channels(1))], SoundStore({}), boot=boot, machine_boot="machine")
        self.gateway.board_opened("e1", self.now())
        self.events.clear()
        self.box.answers = self._answer
        self.box.attach()
        self.gateway.attach(Attach("", 0), self.now())
        self.line.run()

    def now(self) -> Stamp:
        return Stamp(self.line.now_us, self.line.now_us)

    def _answer(self, signal: FromBoard) -> list[ToBoard]:
        self.gateway.handle_signal("e1", signal, self.now())
        return self._taken()

    def _taken(self) -> list[ToBoard]:
        last = self.events[-1].number if self.events else 0
        self.events += self.gateway.events_after(last)
        return [signal for _, signal in self.gateway.take_signals()]

    def command(self, *commands: AnyLineCommand) -> None:
        for command in commands:
            self.gateway.handle_command(command, self.now())
        self.say(*self._taken())

    def wait(self, seconds: float) -> None:
        """Let time pass for the gateway too, in steps of 100 ms."""
        for _ in range(round(seconds * 10)):
            self.line.run(0.1)
            self.gateway.advance(self.now())
            self.say(*self._taken())

    def leg(self) -> str:
        return [event.leg for event in self.events if isinstance(event, IncomingCall)][-1]

    def answered(self, slot: int = 17) -> int:
        call = self.call(slot)
        self.command(AnswerLeg(self.leg()))
        assert Progressed(call, Progress.ANSWERED, slot) in self.exchange.said()
        return call

    def assert_gateway_idle(self) -> None:
        assert {line.display_state() for line in self.gateway.lines} == {"idle"}


@pytest.fixture
def centre() -> Centre:
    return Centre()


def test_a_citizen_calls_and_hangs_up(centre: Centre) -> None:
    call = centre.call(calling_type="national", calling_plan="isdn", presentation="restricted")
    centre.command(AlertLeg(centre.leg()), AnswerLeg(centre.leg()))
    (arrived,) = [event for event in centre.events if isinstance(event, IncomingCall)]

    assert (arrived.calling, arrived.calling_type, arrived.calling_plan) == ("13800138000", "national", "isdn")
    assert arrived.presentation == "restricted"
    centre.tell(Clear(call, 16))
    (cleared,) = [event for event in centre.events if isinstance(event, LegCleared)]
    assert (cleared.by, cleared.cause) == ("line", Cause.NORMAL)
    centre.assert_idle()
    centre.assert_gateway_idle()


def test_the_box_ends_the_call(centre: Centre) -> None:
    call = centre.answered()

    centre.command(ClearLeg(centre.leg(), Cause.BUSY))

    assert centre.exchange.said() == [Cleared(call, 17), Gone(call)]
    centre.assert_idle()
    centre.assert_gateway_idle()


def test_the_death_of_the_callserver_is_not_seen_by_the_exchange(centre: Centre) -> None:
    centre.answered(1)
    centre.call(2)
    centre.exchange.said()

    centre.gateway.detach(centre.now())
    third = centre.call(3)
    centre.wait(3)

    events = centre.exchange.said()
    assert not [event for event in events if isinstance(event, Cleared | LayerTwo)]
    assert Progressed(third, Progress.ALERTING, 3) in events
    centre.gateway.attach(Attach(centre.gateway.boot, 0), centre.now())
    centre.command(AnswerLeg(centre.leg()))
    assert Progressed(third, Progress.ANSWERED, 3) in centre.exchange.said()


def test_the_death_of_the_gateway_clears_its_calls_and_another_takes_over(centre: Centre) -> None:
    calls = [centre.answered(slot) for slot in TIME_SLOTS]

    centre.start_gateway("b002")

    events = centre.exchange.said()
    assert all(Cleared(call, 41) in events for call in calls)
    assert LayerTwo(False) not in events
    centre.assert_idle()
    centre.assert_gateway_idle()
    centre.answered(17)


def test_a_channel_that_is_blocked_by_hand_takes_no_call(centre: Centre) -> None:
    centre.command(ConfigureLines(blocked=("E1-1/17",)))

    call = centre.call(17)

    assert Cleared(call, 44) in centre.exchange.said()
    centre.command(ConfigureLines())
    centre.answered(17)


def test_a_span_that_is_restarted_in_mid_call_is_idle_at_both_ends(centre: Centre) -> None:
    for slot in TIME_SLOTS[:5]:
        centre.answered(slot)

    centre.tell(*(Restart(slot) for slot in TIME_SLOTS[:5]))

    assert len([event for event in centre.events if isinstance(event, LegCleared)]) == 5
    centre.assert_gateway_idle()


def test_a_long_loss_of_layer_two_puts_the_channels_out_of_service_and_back(centre: Centre) -> None:
    centre.answered()
    centre.line.is_cut = True
    centre.wait(80)
    assert centre.gateway.lines[SLOT_17].display_state() == "up"

    centre.wait(40)
    assert {line.display_state() for line in centre.gateway.lines} == {"out_of_service"}
    assert len([event for event in centre.events if isinstance(event, LegCleared)]) == 1

    centre.line.is_cut = False
    centre.wait(20)
    centre.assert_gateway_idle()


@pytest.mark.parametrize("seconds", [1.5, 10, 60, 120])
def test_what_both_ends_see_of_a_cut_line(centre: Centre, seconds: float) -> None:
    """Audio and D channel are gone together; T309 would keep the call for 90 s."""
    goes_on = seconds < FAILURE_HOLD_US / 1e6
    centre.answered()
    centre.exchange.said()
    centre.line.is_cut = True
    centre.gateway.handle_signal("e1", Alarm("LOS", True), centre.now())
    centre.wait(seconds)

    cleared = [(event.by, event.cause) for event in centre.events if isinstance(event, LegCleared)]
    assert cleared == ([] if goes_on else [("line", Cause.FAILURE)]), "given up after two seconds"
    ends = [event for event in centre.exchange.said() if isinstance(event, Cleared)]
    assert bool(ends) == (seconds > 90), "the exchange is told nothing while the line is cut, and has its own T309"
    centre.line.is_cut = False
    centre.gateway.handle_signal("e1", Alarm("LOS", False), centre.now())
    centre.wait(60)

    said = centre.exchange.said()
    if goes_on:
        assert not [event for event in said if isinstance(event, Cleared | Restarted)]
        assert centre.gateway.lines[SLOT_17].display_state() == "up"
    else:
        assert Restarted(17) in said, "whatever the exchange still has there ends"
        assert [event.slot for event in said if isinstance(event, Restarted)] == [17], "and nothing else"
        centre.assert_gateway_idle()
