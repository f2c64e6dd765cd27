"""Start and ordered stop are no breakdown: the box starts, calls talk and wait, it is stopped, and no log warns."""

from __future__ import annotations

import re

import pytest

from tests.running.running_box import RunningBox, until
from tests.running.stalls import played_again_after_a_stall
from tests.running.talkers import TALKS, UNTIL_CLEARED, agents, arguments, citizen

pytestmark = pytest.mark.running

_WARNING = re.compile(r"^<1(28|29|30|31|32)>")
"""RFC 5424: local0, severity 0 to 4."""
TALKERS, WAITERS = 2, 1


def log_lines(box: RunningBox) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in box.paths.logs.glob("*.log")}


@played_again_after_a_stall
def test_a_start_and_an_ordered_stop_in_the_middle_of_calls_write_no_warning(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("box")
    citizens = [citizen(one, 2.0 + one * 0.1, [*TALKS, UNTIL_CLEARED]) for one in range(TALKERS + WAITERS)]
    box = RunningBox(folder, *arguments(folder, citizens, agents(TALKERS)))
    box.start()
    try:
        until(lambda: box.contact_states() == {"talking": TALKERS, "queued": WAITERS}, "two talk, one waits")
    finally:
        box.stop()

    # A stall of this machine is news.
    said = {name: [line for line in lines if "lines has gaps" not in line] for name, lines in log_lines(box).items()}
    assert any("gateway has gone" in line for line in said["callserver.log"]), "it is still told"
    assert [(name, line) for name, lines in said.items() for line in lines if _WARNING.match(line)] == []
    assert [line.partition(" ")[2] for line in said["supervisor.log"]][1:] == ["Linebox stopped."]
