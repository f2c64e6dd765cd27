"""How long the line bits of an R2 call are shown."""

from __future__ import annotations

from firmware.lines.line_commands import AnswerLeg, ClearLeg
from firmware.lines.messages import IncomingCall, LegAnswered
from tests.lines.r2_bench import R2Bench


def test_the_called_side_shows_clear_back_before_it_gives_the_line_back() -> None:
    """Long enough for an exchange that looks at a line every 100 ms."""
    bench = R2Bench()
    far = bench.dial()
    bench.until(lambda: bool(bench.here.all(IncomingCall)))
    bench.command(bench.here, AnswerLeg(bench.here.last(IncomingCall).leg))
    bench.until(lambda: bool(bench.there.all(LegAnswered)))
    bench.command(bench.there, ClearLeg(far))

    shown = []
    for _ in range(40):
        bench.tick()
        shown.append(bench.here.line().sent_bits)

    plan = bench.here.line().plan
    assert 14 <= shown.count(plan.line_signal(plan.bits.clear_back)) <= 18
    assert shown[-1] == plan.line_signal(plan.bits.idle)
