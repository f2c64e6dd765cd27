"""Lost audio blocks of SIP calls fill no log: an episode is told when it begins, with what to do, and summed up."""

from __future__ import annotations

import logging

from firmware.box.sip.losses import QUIET_US, SUMMARY_US, LossEpisodes
from firmware.core.clock import MICROSECONDS

MINUTE_US = 60 * MICROSECONDS


def test_without_losses_nothing_is_said() -> None:
    episodes = LossEpisodes()

    assert [episodes.seen(0, 0, second * MICROSECONDS) for second in range(1000)] == [None] * 1000
    assert episodes.end() is None


def test_an_episode_is_told_at_once_with_cause_and_remedy_and_once_more_when_it_is_over() -> None:
    episodes = LossEpisodes()
    counts = {5: (2, 0), 6: (9, 1), 30: (10, 1)}
    lost, said = (0, 0), {}

    for second in range(200):
        lost = counts.get(second, lost)
        if told := episodes.seen(*lost, second * MICROSECONDS):
            said[second] = told

    assert list(said) == [5, 30 + QUIET_US // MICROSECONDS]
    (level, first), (level_at_end, last) = said.values()
    assert (level, level_at_end) == (logging.WARNING, logging.INFO)
    assert first.splitlines()[0].endswith(
        "20 ms lost (blocks of 10 ms: 2 dropped after stalls, 0 lost on the way from the gateway)"
    )
    assert "\n  cause: this machine" in first and "\n  remedy: `linebox doctor`" in first
    assert "110 ms lost" in last and "10 dropped after stalls, 1 lost" in last and last.endswith("in 25 s")


def test_the_next_episode_counts_from_its_own_beginning() -> None:
    episodes = LossEpisodes()
    episodes.seen(5, 0, 0)
    episodes.seen(5, 0, QUIET_US)

    level, text = episodes.seen(8, 0, 10 * QUIET_US) or (0, "")

    assert level == logging.WARNING and "30 ms lost" in text and "remedy" in text


def test_losses_that_never_end_are_summed_up_now_and_then() -> None:
    episodes = LossEpisodes()
    hour = range(0, 60 * MINUTE_US, MICROSECONDS)

    said = [told for now_us in hour if (told := episodes.seen(now_us // MICROSECONDS + 1, 0, now_us))]

    assert len(said) == 60 * MINUTE_US // SUMMARY_US
    assert sum("remedy" in text for _, text in said) == 1
    assert said[1][1].endswith("in 10 minutes")


def test_a_worker_that_ends_sums_up_what_goes_on() -> None:
    episodes = LossEpisodes()
    episodes.seen(5, 0, 0)
    episodes.seen(7, 0, 1)

    level, text = episodes.end() or (0, "")

    assert level == logging.INFO and "70 ms lost" in text
    assert episodes.end() is None


def test_one_gap_that_was_told_needs_no_summary() -> None:
    episodes = LossEpisodes()

    said = [episodes.seen(1, 0, now_us) for now_us in range(0, 2 * QUIET_US, MICROSECONDS)]

    assert [told is not None for told in said] == [True] + [False] * (len(said) - 1)
    assert episodes.seen(2, 0, 2 * QUIET_US) is not None, "the next is told again"
