"""What the configuration says of lines is in force at once: caller ID kind, number, busy tones, dialling, R2."""

from __future__ import annotations

import numpy as np
import pytest

from boards.base import ALAW_SILENCE
from boards.signals import Cause, Loop, LoopCurrent, Polarity
from firmware.core import line_schemas, schemas
from firmware.core.line_schemas import BusyTone, ExchangeLineEntry, R2Settings
from firmware.lines.line_commands import ConfigureLines, PlaceCall
from firmware.lines.line_settings import line_settings
from firmware.lines.messages import IncomingCall
from firmware.lines.r2.line import R2Line
from firmware.lines.r2.plan import load_r2_plan
from firmware.media import codec
from firmware.tones.generate import dtmf, pause, sine
from tests.contacts.scripted_lines import office_configuration
from tests.lines.exchange_bench import FIRST, SECOND, ExchangeBench
from tests.lines.r2_bench import R2Bench
from tests.lines.test_exchange_line import caller_by_fsk

ODD_BUSY = np.concatenate([codec.encode(sine(410, -18, 1520)), np.full(1600, ALAW_SILENCE, dtype=np.uint8)])


def test_a_line_without_caller_id_is_told_at_its_first_ring() -> None:
    bench = ExchangeBench(caller_id="none")
    bench.ring_once(0.2)

    assert bench.last(IncomingCall).presentation == "unavailable"


def test_a_line_with_caller_id_of_one_kind_passes_over_the_other() -> None:
    by_tones = ExchangeBench(caller_id="dtmf")
    by_tones.ring_once()
    by_tones.hear(caller_by_fsk())
    assert by_tones.all(IncomingCall) == []
    by_tones.ring_once()
    assert by_tones.last(IncomingCall).calling == ""

    by_fsk = ExchangeBench(caller_id="fsk")
    by_fsk.hear(np.concatenate([np.concatenate([dtmf(digit, 60), pause(60)]) for digit in "D138001C"]))
    by_fsk.ring_once()
    assert by_fsk.all(IncomingCall) == []
    by_fsk.hear(caller_by_fsk())
    assert by_fsk.last(IncomingCall).calling == "13800138000"


def test_a_tone_that_is_set_while_the_call_is_up_ends_it() -> None:
    bench = ExchangeBench(any_regular_tone=False)
    bench.answered()
    bench.hear(np.tile(ODD_BUSY, 12))
    assert bench.state(FIRST) == "up"
    bench.configure(any_regular_tone=False, busy_tones=(BusyTone(hz=411, on_ms=190, off_ms=200),))
    assert bench.state(FIRST) == "up"
    bench.hear(np.tile(ODD_BUSY, 4))

    assert bench.over()[0] == "line"


def test_the_same_settings_again_do_not_begin_the_count_anew() -> None:
    bench = ExchangeBench()
    bench.answered()
    busy = np.concatenate([codec.encode(sine(450, -18, 2800)), np.full(2800, ALAW_SILENCE, dtype=np.uint8)])
    bench.hear(np.tile(busy, 2))
    bench.configure()
    bench.hear(busy)

    assert bench.over()[0] == "line"


def test_polarity_that_means_nothing_on_a_line_ends_no_call() -> None:
    bench = ExchangeBench(release_on_polarity=False)
    bench.answered()
    bench.wait(5)
    bench.signal(Polarity(FIRST, True), Polarity(FIRST, False))
    assert bench.state(FIRST) == "up"
    bench.configure(release_on_polarity=True)
    bench.signal(Polarity(FIRST, True))

    assert bench.over() == ("line", Cause.NORMAL)


@pytest.mark.parametrize("milliseconds", [90, 250, 800])
def test_a_break_of_the_loop_ends_the_call_once_it_is_as_long_as_the_line_says(milliseconds: int) -> None:
    bench = ExchangeBench(loop_drop_ms=milliseconds)
    bench.answered()
    bench.wait(5)
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait((milliseconds - 20) / 1000)
    assert bench.state(FIRST) == "up"
    bench.wait(0.04)

    assert bench.over() == ("line", Cause.NORMAL)


def test_a_line_without_loop_drop_ends_no_call_by_it() -> None:
    bench = ExchangeBench(loop_drop_ms=0)
    bench.answered()
    bench.wait(5)
    bench.signal(LoopCurrent(FIRST, False))
    bench.wait(60)

    assert bench.state(FIRST) == "up"


def test_the_countrys_tones_can_be_turned_off() -> None:
    bench = ExchangeBench(country_tones=False, any_regular_tone=False)
    bench.answered()
    busy = np.concatenate([codec.encode(sine(450, -18, 2800)), np.full(2800, ALAW_SILENCE, dtype=np.uint8)])
    bench.hear(np.tile(busy, 12))

    assert bench.state(FIRST) == "up"


def test_a_line_that_gives_no_dial_tone_may_be_dialled_after_a_wait() -> None:
    bench = ExchangeBench(dial_on="wait", dial_tone_seconds=2.0)
    bench.command(PlaceCall("out-1", FIRST, "5"))
    bench.silence(1.9)
    assert not np.any(bench.silence(0.02) != ALAW_SILENCE)
    assert np.any(bench.silence(0.3) != ALAW_SILENCE)
    assert bench.said() == [Loop(FIRST, True)]


def test_settings_for_a_line_that_is_not_there_harm_nobody() -> None:
    bench = ExchangeBench()
    bench.command(ConfigureLines(exchange_lines=(ExchangeLineEntry(line="FXO-9", number="1"),)))
    bench.answered()

    assert bench.last(IncomingCall).called == ""


def test_a_line_without_a_number_has_that_of_its_group() -> None:
    configuration = office_configuration()
    groups = (line_schemas.TrunkGroup(group="all", lines=("FXO-1", "FXO-2"), number="12345"),)
    own = (ExchangeLineEntry(line="FXO-2", number="87654321"),)
    bench = ExchangeBench()
    bench.command(
        line_settings(
            schemas.Configuration(**{**vars_of(configuration), "trunk_groups": groups, "exchange_lines": own})
        )
    )
    assert [line.settings.number for line in bench.gateway.lines] == ["12345", "87654321"]  # type: ignore[union-attr]

    whole = (line_schemas.TrunkGroup(group="all", boards=("card",), number="96110"),)
    bench.command(line_settings(schemas.Configuration(**{**vars_of(configuration), "trunk_groups": whole})))
    assert bench.gateway.lines[SECOND].settings.number == "96110"  # type: ignore[union-attr]


def vars_of(configuration: schemas.Configuration) -> dict[str, object]:
    return {name: getattr(configuration, name) for name in configuration.__struct_fields__}


def test_a_span_with_line_bits_takes_its_own_lengths_and_timers() -> None:
    bench = R2Bench()
    plan = load_r2_plan()
    settings = R2Settings(
        called_digits=7, called_lengths={"9": 4, "120": 5}, calling_category=3, timers_ms={"answer": 20_000}
    )
    bench.here.gateway.handle_command(ConfigureLines(r2={"e1": settings}), bench.clock.now())

    line = bench.here.gateway.lines[0]
    assert isinstance(line, R2Line)
    assert line.plan.called.is_complete("9611") and not line.plan.called.is_complete("876543")
    assert line.plan.called.is_complete("8765432")
    assert plan.called.is_complete("120") and not line.plan.called.is_complete("1203"), "the span's counts"
    assert line.plan.microseconds("answer") == 20_000_000 and line.plan.forward.calling_category == 3
    assert line.plan.microseconds("settle") == plan.microseconds("settle")
    bench.here.gateway.handle_command(ConfigureLines(), bench.clock.now())
    assert line.plan == plan
