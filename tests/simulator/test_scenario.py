"""A scenario file is taken as it is meant, or refused with everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.simulator.scenario import (
    Dial,
    HangUp,
    ScenarioError,
    Talk,
    Wait,
    demonstration_phones,
    read_scenario,
    scenario_from,
)

GOOD = """
[[citizens]]
at_seconds = 2
name = "li"
calling = "13800001111"
called = "12346"
audio = true
steps = [
  { do = "wait", until = "answered" },
  { do = "dial", digits = "1#" },
  { do = "talk", pattern = true },
  { do = "wait", seconds = 8.5 },
  { do = "hang_up" },
]

[[citizens]]
at_seconds = 1

[[phones]]
extension = "FXS-2"
behaviour = "manned"
agent = "802"
seat = "2"
"""

BAD = """
colour = "red"

[[citizens]]
at_seconds = -1
name = "a/b"
adio = true
steps = [
  { do = "wat" },
  { do = "wait" },
  { do = "wait", seconds = 1, until = "answered" },
  { do = "wait", until = "tone" },
  { do = "dial", digits = "12x" },
  { do = "talk", pattern = true, tone_hz = 500 },
]

[[citizens]]
name = "a/b"

[[phones]]
extension = "FXS-339"
behaviour = "maned"

[[phones]]
extension = "FXS-1"
behaviour = "manned"
agent = "801"

[[phones]]
extension = "FXS-1"
behaviour = "empty"
"""


def problems_of(tmp_path: Path, text: str, name: str = "day.toml") -> list[str]:
    (tmp_path / name).write_text(text)
    with pytest.raises(ScenarioError) as raised:
        read_scenario(tmp_path / name)
    return [str(problem) for problem in raised.value.problems]


def test_a_file_is_read_and_its_citizens_are_ordered_by_time(tmp_path: Path) -> None:
    (tmp_path / "day.toml").write_text(GOOD)

    scenario = read_scenario(tmp_path / "day.toml")

    assert [citizen.at_seconds for citizen in scenario.in_order] == [1, 2]
    assert scenario.citizens[0].steps == (
        Wait(until="answered"),
        Dial(digits="1#"),
        Talk(pattern=True),
        Wait(seconds=8.5),
        HangUp(),
    )
    assert [phone.extension for phone in scenario.phones] == ["FXS-2"]


def test_an_empty_scenario_has_the_demonstrations_phones_and_nobody_calls() -> None:
    scenario = scenario_from({})

    assert scenario.citizens == ()
    assert scenario.phones == demonstration_phones()
    assert [p.agent for p in scenario.phones] == ["801", "802", "803", "804", "", "", "", ""]


def test_all_errors_of_a_file_are_told_at_once_with_place_and_nearest_name(tmp_path: Path) -> None:
    told = "\n".join(problems_of(tmp_path, BAD))

    for expected in (
        'day.toml: unknown name "colour"',
        "citizens 1, field at_seconds: the value is -1; expected seconds, 0 or more",
        'citizens 1, field name: the value is "a/b"',
        'citizens 1: unknown name "adio"; did you mean "audio"?',
        'citizens 1, steps 1: do is "wat"',
        'did you mean "wait"?',
        "citizens 1, steps 2: waits neither or both",
        "citizens 1, steps 3: waits neither or both",
        "citizens 1, steps 4: waits for a tone and does not say which",
        'citizens 1, steps 5, field digits: the value is "12x"',
        "citizens 1, steps 5: speaks or listens, but the citizen has no audio",
        "citizens 1, steps 6: talks a tone and the pattern",
        'citizens 2: the field "at_seconds" is missing',
        "citizens 2, field name: a/b is used twice, first in citizens 1",
        'phones 1, field extension: the value is "FXS-339"',
        'did you mean "manned"?',
        "phones 2: agent 801 has no seat",
        'phones 3, field extension: "FXS-1" is used twice, first in phones 2',
    ):
        assert expected in told, f"{expected!r} is missing in:\n{told}"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("day.toml", "citizens = [", "is not TOML"),
        ("day.json", '{"citizens": ', "is not JSON"),
        ("day.json", "[]", "the value is a list; expected an object"),
        ("day.json", '{"citizens": {"at_seconds": 1}}', "citizens: the value is an object; expected a list"),
        ("day.json", '{"citizens": [7]}', "citizens 1: the value is 7; expected an object"),
        ("day.json", '{"citizens": [{"at_seconds": 1, "steps": [[]]}]}', "steps 1: the value is a list"),
        ("day.json", '{"citizens": [{"at_seconds": 1, "name": "FXS-1"}]}', "FXS-1 is the name of something else"),
        ("day.toml", "[[citizens]]\nat_seconds = inf", "the value is inf"),
        ("day.json", '{"citizens": [{"at_seconds": 1, "trunk": "exchange_line"}]}', "says everything by sound"),
        (
            "day.json",
            '{"citizens": [{"at_seconds": 1, "trunk": "exchange_line", "audio": true,'
            ' "steps": [{"do": "dial", "digits": "1", "signalled": true}]}]}',
            "carries no signalled digits",
        ),
        ("day.json", '{"citizens": [{"at_seconds": true}]}', "the value is True; expected seconds"),
    ],
)
def test_what_is_no_scenario_at_all_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    assert complaint in "\n".join(problems_of(tmp_path, text, name))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / "none.toml")
