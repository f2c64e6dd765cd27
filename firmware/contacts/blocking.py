"""Channels that are taken out of service by hand 闭塞 and given back: asked for, stored, in force, told.

The file is written by the process (`firmware/box/callserver/blocked_channels.py`), which says by
`CallServer.blocking_stored` how that went. What a blocked channel does is its line machine's business.
"""

from __future__ import annotations

import msgspec

from boards.signals import ChannelKind
from firmware.calls.messages import BlockChannels, EventName, Reply, Request, UnblockChannels
from firmware.contacts.agents import Refused
from firmware.contacts.effects import BlockingToStore
from firmware.contacts.ledger import Ledger
from firmware.contacts.office import Office
from firmware.core.clock import Stamp
from firmware.core.configuration_problems import nearest_name
from firmware.core.line_schemas import BlockedChannel
from firmware.lines.line_settings import line_settings


class Blocking:
    """From the wish to its being in force. `blocked_channels.json` is the only place where a block is kept."""

    def __init__(self, office: Office, ledger: Ledger) -> None:
        self._office = office
        self._ledger = ledger

    def ask(self, client: int, request: Request, body: BlockChannels | UnblockChannels, now: Stamp) -> None:
        """Have it stored. Raises Refused, for all labels or none.

        Who is blocked already keeps who, when and why, unless there is another reason now. A label that no board has
        any more may still be given back. What is so already is stored, too: the files may have been edited, and what
        was answered as done must hold when they are read again."""
        present = {one.channel: one for one in self._office.configuration.blocked_channels}
        known = [one.label for one in self._office.channels.values()]
        if isinstance(body, UnblockChannels):
            known += [label for label in present if label not in known]
        elif not known:
            raise Refused("not_possible_now")  # no gateway has told yet which channels there are
        unknown = [label for label in dict.fromkeys(body.channels) if label not in known]
        if unknown:
            raise Refused("unknown_channel", *(_unknown(label, known) for label in unknown))
        if isinstance(body, BlockChannels):
            wanted = {
                label: present[label]
                if label in present and present[label].reason == body.reason
                else BlockedChannel(channel=label, reason=body.reason, by=request.by, since_utc_us=now.utc_us)
                for label in body.channels
            }
            wish = BlockingToStore(client, request, tuple(wanted.values()), ())
        else:
            wish = BlockingToStore(client, request, (), tuple(dict.fromkeys(body.channels)))
        self._ledger.effects.blocking.append(wish)

    def stored(self, wish: BlockingToStore, problem: str, details: tuple[str, ...], now: Stamp) -> None:
        """It is in the configuration files and comes into force; or it is not (`problem`), and nothing changes.
        Either has its rows in the audit, also for channels that were so already."""
        configuration = self._office.configuration
        blocked = wish.applied_to(configuration.blocked_channels)
        if not problem and blocked != configuration.blocked_channels:
            changed = msgspec.structs.replace(configuration, blocked_channels=blocked)
            self._office.configure(changed)
            self._ledger.effects.orders.append(line_settings(changed))
            self._ledger.emit(EventName.BLOCKING_CHANGED, now)
        action, by = type(wish.request.body).__name__, wish.request.by or "unknown"
        for subject in (*(f"{one.channel}: {one.reason}" for one in wish.blocked), *wish.given_back):
            self._ledger.audit(now, by, action, subject, problem or "done")
        self._ledger.effects.replies.append((wish.client, Reply(wish.request.id, problem, details)))

    @property
    def takes_all_trunks(self) -> bool:
        """True if nobody can call in or out, because of blocks alone."""
        trunks = {one.label for one in self._office.channels.values() if one.kind is not ChannelKind.EXTENSION}
        return bool(trunks) and trunks <= self._office.blocked


def _unknown(label: str, known: list[str]) -> str:
    nearest = nearest_name(label, known)
    return f'there is no channel {label}; did you mean "{nearest}"?' if nearest else f"there is no channel {label}"
