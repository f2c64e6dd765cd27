"""A call out takes a free trunk of its group: the first, the one after the last taken, or the longest idle."""

from __future__ import annotations

import msgspec
import pytest

from boards.signals import ChannelKind
from firmware.contacts.agents import Refused
from firmware.contacts.office import Office
from firmware.contacts.trunk_hunt import TrunkHunt
from firmware.core.line_schemas import TrunkGroup
from firmware.lines.messages import ChannelState
from tests.contacts.scripted_lines import office_configuration


def channel(
    number: int, label: str, kind: ChannelKind = ChannelKind.EXCHANGE_LINE, board: str = "card"
) -> ChannelState:
    return ChannelState(number, board, label, kind, "idle")


PLACES = (
    *(channel(number, f"FXO-{number + 1}") for number in range(4)),
    channel(10, "FXS-1", ChannelKind.EXTENSION),
    *(channel(20 + number, f"E1-1/{number + 1}", ChannelKind.TRUNK, "town") for number in range(3)),
)


def hunt(*groups: TrunkGroup) -> TrunkHunt:
    office = Office(msgspec.structs.replace(office_configuration(), trunk_groups=groups), "machine")
    office.set_channels(PLACES, ())
    return TrunkHunt(office)


def becomes(one: TrunkHunt, number: int, state: str, seconds: int = 0) -> None:
    changed = msgspec.structs.replace(next(place for place in PLACES if place.channel == number), state=state)
    one._office.channels[number] = changed
    one.follow(changed, seconds * 1_000_000)


def group(choice: str = "ascending", lines: tuple[str, ...] = ("FXO-3", "FXO-1", "FXO-2")) -> TrunkGroup:
    return TrunkGroup(group="town", lines=lines, choice=choice)  # type: ignore[arg-type]


def test_ascending_takes_them_in_the_order_of_the_configuration_and_only_free_ones() -> None:
    wanted = group()
    one = hunt(wanted)
    assert one.free(wanted) == [2, 0, 1]
    one.take(wanted, 2)
    becomes(one, 0, "ringing")
    assert one.free(wanted) == [2, 1]
    becomes(one, 2, "out_of_service")
    becomes(one, 1, "blocked")
    assert one.free(wanted) == []


def test_descending_begins_with_the_last() -> None:
    wanted = group("descending")
    one = hunt(wanted)
    becomes(one, 1, "ringing")
    assert one.free(wanted) == [0, 2]


def test_cyclic_begins_after_the_one_that_was_taken_last() -> None:
    wanted = group("cyclic")
    one = hunt(wanted)
    assert one.free(wanted) == [2, 0, 1]
    one.take(wanted, 2)
    assert one.free(wanted) == [0, 1, 2]
    one.take(wanted, 0)
    becomes(one, 1, "up")
    assert one.free(wanted) == [2, 0]


def test_longest_idle_begins_with_the_one_that_has_rested_most() -> None:
    wanted = group("longest_idle")
    one = hunt(wanted)
    for number, seconds in ((2, 30), (0, 10), (1, 20)):
        becomes(one, number, "up", seconds - 5)
        becomes(one, number, "idle", seconds)
    assert one.free(wanted) == [0, 1, 2]


def test_trunks_of_whole_boards_follow_the_lines_and_phones_are_none() -> None:
    wanted = TrunkGroup(group="all", lines=("FXO-2", "FXS-1", "FXO-9"), boards=("town", "card"))
    assert hunt(wanted).free(wanted) == [1, 20, 21, 22, 0, 2, 3]


def test_groups_are_found_by_name_and_the_first_without_one() -> None:
    first, second = group(), TrunkGroup(group="other", lines=("FXO-4",))
    one = hunt(first, second)
    assert (one.group(""), one.group("other")) == (first, second)
    with pytest.raises(Refused, match="unknown_trunk_group"):
        one.group("nowhere")
    with pytest.raises(Refused, match="no_trunk_group"):
        hunt().group("")
