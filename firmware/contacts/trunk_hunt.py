"""Which free trunk a call out takes: the groups of the configuration (hunt group 连选号) and their policy. Pure choice.

Nothing of it is stored: a callserver that starts anew chooses as if no trunk had been taken yet.
"""

from __future__ import annotations

from boards.signals import ChannelKind
from firmware.contacts.agents import Refused
from firmware.contacts.office import Office
from firmware.core.line_schemas import TrunkGroup
from firmware.lines.messages import ChannelState


class TrunkHunt:
    """Follows which trunks are taken and freed."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._last_taken: dict[str, int] = {}
        """Group → the channel that was taken last."""
        self._idle_since_us: dict[int, int] = {}

    def follow(self, state: ChannelState, mono_us: int) -> None:
        """A channel changed at this moment."""
        if state.state == "idle":
            self._idle_since_us[state.channel] = mono_us

    def group(self, name: str) -> TrunkGroup:
        """The group of this name; with no name the first one. Raises Refused."""
        groups = self._office.configuration.trunk_groups
        if not groups:
            raise Refused("no_trunk_group")
        found = next((one for one in groups if name in ("", one.group)), None)
        if found is None:
            raise Refused("unknown_trunk_group")
        return found

    def free(self, group: TrunkGroup) -> list[int]:
        """The channels of a group that are free, in the order in which they are to be tried."""
        members = self._members(group)
        match group.choice:
            case "descending":
                members.reverse()
            case "cyclic":
                last = self._last_taken.get(group.group)
                begin = members.index(last) + 1 if last in members else 0
                members = members[begin:] + members[:begin]
            case "longest_idle":
                members.sort(key=lambda channel: self._idle_since_us.get(channel, 0))
            case "ascending":
                pass
        return [channel for channel in members if self._office.channels[channel].state == "idle"]

    def take(self, group: TrunkGroup, channel: int) -> None:
        """A call goes out on this channel."""
        self._last_taken[group.group] = channel

    def _members(self, group: TrunkGroup) -> list[int]:
        """All trunks of a group that the gateway has: its lines in their order, then those of its boards."""
        trunks = [one for one in self._office.channels.values() if one.kind is not ChannelKind.EXTENSION]
        by_label = {one.label: one.channel for one in trunks}
        named = [by_label[label] for label in group.lines if label in by_label]
        boards = [one.channel for board in group.boards for one in trunks if one.board == board]
        return list(dict.fromkeys([*named, *boards]))
