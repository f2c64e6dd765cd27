"""What a scenario file may say: who calls when and does what, and what the phones at the extension ports do.

TOML or JSON. All errors of a file are reported at once. This file plays nothing; `world.py` does.

    [[citizens]]
    at_seconds = 1.0
    calling = "13912345678"
    called = "12346"
    audio = true
    steps = [
      { do = "wait", until = "answered" },
      { do = "wait", until = "sound" },
      { do = "dial", digits = "1" },
      { do = "wait", until = "agent", at_most_seconds = 90.0 },
      { do = "talk", pattern = true },
      { do = "wait", seconds = 8.0 },
      { do = "hang_up" },
    ]

    [[phones]]
    extension = "FXS-1"
    behaviour = "manned"
    agent = "801"
    seat = "1"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from firmware.core.configuration_problems import Problem
from firmware.simulator.scenario_checks import check_document

ExtensionLabel = Annotated[
    str, msgspec.Meta(pattern=r"^FXS-([1-9]|[12][0-9]|3[0-2])$", description="an extension port, FXS-1 to FXS-32")
]

Name = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="a name to file under")]
Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9*#A-Da-d]+$", description="digits of a keypad: 0-9 * # A-D")]
Number = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9*#]*$", description="a telephone number, digits only")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=10_000_000, description="seconds, 0 or more")]
Hertz = Annotated[int, msgspec.Meta(ge=0, le=3400, description="a frequency up to 3400 Hz, 0 for the own one")]
Speaker = Annotated[int, msgspec.Meta(ge=0, lt=1 << 24, description="a speaker number, 0 for the own one")]


class Wait(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="wait"):
    """Wait some seconds, or until something happens. One of `seconds` and `until` must be given."""

    seconds: Seconds | None = None
    until: Literal["answered", "offered", "agent", "sound", "tone", "cleared"] | None = None
    """`answered`: the box connects. `offered`: an agent's phone rings for this call, `agent`: an agent answered (both
    known from CTI, so also to citizens without audio). `sound`: anything is heard, `tone`: this tone is heard (50 ms).
    `cleared`: the box gives the call up."""
    tone_hz: Hertz = 0
    at_most_seconds: Seconds = 60.0
    otherwise: Literal["hang_up", "go_on"] = "hang_up"
    """What the citizen does when `until` did not happen in time."""


class Dial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="dial"):
    """Press digits: DTMF in the audio (100 ms on, 100 ms off), or Digit signals if `signalled` (no audio needed)."""

    digits: Digits
    signalled: bool = False


class Talk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="talk"):
    """Begin to say something, and go on with the next step: a steady tone, or the pattern of `pattern.py`."""

    tone_hz: Hertz = 0
    pattern: bool = False


class SayNothing(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="say_nothing"
):
    """Fall silent, and go on with the next step."""


class HangUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="hang_up"):
    """Give the call up. The same as the end of the steps."""


Step = Wait | Dial | Talk | SayNothing | HangUp


class Citizen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call from outside, from Setup to its end."""

    at_seconds: Seconds
    """From the start of the scenario."""
    name: Name = ""
    """Empty: `citizen-0001` in the order of the file."""
    calling: Number = ""
    called: Number = "12345"
    presentation: Literal["allowed", "restricted", "unavailable"] = "allowed"
    trunk: Literal["e1", "exchange_line"] = "e1"
    """By which trunk the call comes: the E1, or the first idle analogue trunk, which tells no called number and needs
    `audio`."""
    audio: bool = False
    """Without audio the citizen says and hears nothing, and a virtual day need not play the call."""
    speaker: Speaker = 0
    """Speaker number of the pattern. 0: 1000 and the ordinal in the file, beginning with 1."""
    steps: tuple[Step, ...] = (Wait(until="cleared", at_most_seconds=300.0),)


class Phone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The phone at one extension port and the person there. Its speaker number is the port number."""

    extension: ExtensionLabel
    behaviour: Literal["manned", "headset", "empty"]
    """`manned`: a simulated agent signs in, answers and talks. `headset`: always off hook, a person at the page does
    the rest. `empty`: nobody is there, the phone stays on hook."""
    agent: str = ""
    """Agent number of a manned phone; empty: someone who only answers a ringing phone."""
    seat: str = ""
    answer_seconds: Seconds = 2.0
    talk_seconds: Seconds | None = None
    """Puts the handset down so long after lifting it; not given: when the other side has left."""
    ready_again_seconds: Seconds = 3.0
    """How long after a call (or after being made not ready) the agent goes ready again."""
    says: Literal["nothing", "tone", "pattern"] = "tone"
    tone_hz: Hertz = 0


def demonstration_phones(says: Literal["nothing", "tone", "pattern"] = "tone") -> tuple[Phone, ...]:
    """Agents 801 to 804 at seats 1 to 4 are simulated, seats 5 to 8 are headset seats for persons at the page."""
    manned = tuple(
        Phone(extension=f"FXS-{port}", behaviour="manned", agent=str(800 + port), seat=str(port), says=says)
        for port in range(1, 5)
    )
    headsets = tuple(
        Phone(extension=f"FXS-{port}", behaviour="headset", seat=str(port), says=says) for port in range(5, 9)
    )
    return manned + headsets


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    citizens: tuple[Citizen, ...] = ()
    phones: tuple[Phone, ...] = msgspec.field(default_factory=demonstration_phones)
    """Ports that are not listed are empty."""

    @property
    def in_order(self) -> tuple[Citizen, ...]:
        """The citizens in the order in which they call; those of one moment in the order of the file."""
        return tuple(sorted(self.citizens, key=lambda citizen: citizen.at_seconds))


class ScenarioError(Exception):
    """A scenario file cannot be used. `problems` is all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def _problems_between(data: dict[str, Any], file: str) -> list[Problem]:
    """What is wrong though each value for itself is well: contradictions in a step, names and ports used twice."""
    problems: list[Problem] = []

    def report(place: str, what: str, expected: str, remedy: str = "") -> None:
        problems.append(Problem(file, place, what, expected, remedy=remedy))

    def entries(value: Any) -> list[tuple[int, dict[str, Any]]]:
        listed = value if isinstance(value, list) else []
        return [(number, entry) for number, entry in enumerate(listed, 1) if isinstance(entry, dict)]

    seen: dict[str, str] = {}
    for number, citizen in entries(data.get("citizens")):
        place = f"citizens {number}"
        audio = citizen.get("audio", False) is not False
        for field in ("name", "speaker"):
            value = citizen.get(field)
            if value and (first := seen.setdefault(f"{field} {value}", place)) != place:
                report(f"{place}, field {field}", f"{value} is used twice, first in {first}", "each has its own")
        if citizen.get("trunk") == "exchange_line" and not audio:
            report(f"{place}, field trunk", "an exchange line says everything by sound", "audio = true for the citizen")
        name = citizen.get("name")
        if isinstance(name, str) and (name == "clock" or name.startswith("FXS-")):
            report(f"{place}, field name", f"{name} is the name of something else", "another name")
        for step_number, step in entries(citizen.get("steps")):
            where, do, until = f"{place}, steps {step_number}", step.get("do"), step.get("until")
            if do == "wait" and (step.get("seconds") is None) == (until is None):
                report(where, "waits neither or both for seconds and until something", "one of `seconds` and `until`")
            if do == "wait" and until == "tone" and not step.get("tone_hz"):
                report(where, "waits for a tone and does not say which", 'tone_hz, or until = "sound"')
            if do == "talk" and step.get("pattern") and step.get("tone_hz"):
                report(where, "talks a tone and the pattern", "one of the two")
            if do == "dial" and step.get("signalled") and citizen.get("trunk") == "exchange_line":
                report(where, "an exchange line carries no signalled digits", "signalled = false")
            audible = do == "talk" or (do == "dial" and not step.get("signalled"))
            if not audio and (audible or (do == "wait" and until in ("sound", "tone"))):
                report(where, "speaks or listens, but the citizen has no audio", "audio = true for the citizen")
    for number, phone in entries(data.get("phones")):
        if phone.get("behaviour") == "manned" and phone.get("agent") and not phone.get("seat"):
            report(f"phones {number}", f"agent {phone['agent']} has no seat", "the seat that the phone belongs to")
    for field in ("extension", "agent", "seat"):
        used: dict[str, int] = {}
        for number, phone in entries(data.get("phones")):
            value = phone.get(field)
            if isinstance(value, str) and value and used.setdefault(value, number) != number:
                place = f"phones {number}, field {field}"
                report(place, f'"{value}" is used twice, first in phones {used[value]}', "each has its own")
    return problems


def scenario_from(data: Any, file: str = "scenario") -> Scenario:
    """The scenario that decoded TOML or JSON means. Raises ScenarioError with all that is wrong."""
    problems = check_document(data, Scenario, file)
    if isinstance(data, dict):
        problems += _problems_between(data, file)
    if problems:
        raise ScenarioError(problems)
    return msgspec.convert(data, Scenario)


def read_scenario(path: Path) -> Scenario:
    """Read a `.toml` or `.json` file. Raises ScenarioError with all that is wrong, or that it cannot be read."""
    remedy = "give the path of a .toml or .json file that you may read"
    try:
        content = path.read_bytes()
        data = tomllib.loads(content.decode()) if path.suffix == ".toml" else msgspec.json.decode(content)
    except OSError as error:
        raise ScenarioError([Problem(path.name, "", f"cannot be read ({error.strerror})", remedy=remedy)]) from error
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise ScenarioError([Problem(path.name, "", f"is not {kind}: {error}")]) from error
    return scenario_from(data, path.name)
