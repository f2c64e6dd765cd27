"""A fault whose words differ each time (a number, what a chip said) is shown as it is worded now, and told once."""

from __future__ import annotations

from boards.signals import Alarm
from firmware.core.faults import fault
from firmware.lines.line_commands import Attach
from firmware.lines.messages import BoardChanged
from tests.lines.bench import FIRST_PHONE, Bench


def test_a_board_whose_trouble_is_worded_otherwise_each_time_is_shown_so_and_told_once(bench: Bench) -> None:
    bench.gateway.attach(Attach(last_number=0, boot=""), bench.clock.now())
    for second in range(4):
        bench.gateway.board_failed("card", fault("process_ended", detail=f"{second} bytes"), bench.clock.now())
    bench.look()

    failed = [event for event in bench.all(BoardChanged) if not event.state.working]
    assert [event.news for event in failed] == [True, False, False, False]
    assert failed[-1].state.faults == (fault("process_ended", detail="3 bytes"),)
    bench.gateway.board_failed("card", fault("no_audio"), bench.clock.now())
    bench.look()
    assert bench.last(BoardChanged).news, "another trouble is news"


def test_while_no_callserver_is_there_other_words_are_no_events_but_wait_for_it(bench: Bench) -> None:
    """Events that nobody takes are kept: a board that fails every second would crowd out those of calls."""
    for second in range(4):
        bench.gateway.board_failed("card", fault("process_ended", detail=f"{second} bytes"), bench.clock.now())
    bench.look()

    assert len([event for event in bench.all(BoardChanged) if not event.state.working]) == 1
    snapshot, _ = bench.gateway.attach(Attach(last_number=0, boot=""), bench.clock.now())
    assert snapshot.boards[0].faults == (fault("process_ended", detail="3 bytes"),)


def test_an_alarm_whose_words_change_is_news_only_where_it_covers_other_channels(bench: Bench) -> None:
    bench.gateway.attach(Attach(last_number=0, boot=""), bench.clock.now())

    def other_words(channel: int, before: str, now: str) -> None:
        """As a port does it: the new one is raised before the old one is taken back."""
        bench.signal(Alarm("chip_wrong", True, (channel,), (("values", now),)))
        if before:
            bench.signal(Alarm("chip_wrong", False, (channel,), (("values", before),)))

    for channel in (FIRST_PHONE, FIRST_PHONE + 1):
        other_words(channel, "", "0x00")
    told = len([event for event in bench.all(BoardChanged) if event.news])
    for number in range(4):  # now and then both say the same
        other_words(FIRST_PHONE, f"{number}" if number else "0x00", f"{number + 1}")
        other_words(FIRST_PHONE + 1, f"{number}" if number else "0x00", f"{number + 1}")

    assert len([event for event in bench.all(BoardChanged) if event.news]) == told
    (alarm,) = bench.last(BoardChanged).state.faults
    assert alarm.arguments == (("values", "4"),)
    bench.signal(Alarm("chip_wrong", False, (FIRST_PHONE,), (("values", "4"),)))
    assert bench.last(BoardChanged).news
