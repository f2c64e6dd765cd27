"""The levels of analogue lines are told as they are in force, not as the files may say meanwhile."""

from __future__ import annotations

import msgspec

from firmware.calls import messages as cti
from firmware.core.line_schemas import ExchangeLineEntry, LineLevels
from tests.contacts.scripted_lines import ScriptedLines


def told(exchange: ScriptedLines) -> dict[str, LineLevels]:
    state = exchange.ask(cti.GetBoxState()).state
    assert state is not None
    return state.levels


def reload(exchange: ScriptedLines, *lines: ExchangeLineEntry, phone_send_db: float = 0.0) -> None:
    """`linebox reload` with these exchange lines, and this level at the phone of the first seat."""
    now = exchange.server.office.configuration
    first = msgspec.structs.replace(now.seats[0], send_db=phone_send_db)
    changed = msgspec.structs.replace(now, exchange_lines=lines, seats=(first, *now.seats[1:]))
    exchange.carry(
        exchange.server.configure(1, cti.Request(9, cti.ReloadConfiguration(), "admin"), changed, exchange.now)
    )


def test_levels_are_told_from_the_reload_on_that_sets_them_until_the_one_that_takes_them_back(
    exchange: ScriptedLines,
) -> None:
    assert told(exchange) == {}

    reload(exchange, ExchangeLineEntry(line="FXO-1", receive_db=6.0, send_db=-2.0), phone_send_db=3.0)

    phone = exchange.server.office.configuration.seats[0].extension
    assert told(exchange) == {"FXO-1": LineLevels(receive_db=6.0, send_db=-2.0), phone: LineLevels(send_db=3.0)}
    assert exchange.line_settings is not None and exchange.line_settings.levels == told(exchange), (
        "what the gateway has"
    )

    reload(exchange, ExchangeLineEntry(line="FXO-1", number="12345"))

    assert told(exchange) == {}


def test_a_level_for_what_is_no_analogue_line_is_not_told_as_if_it_were_in_force(exchange: ScriptedLines) -> None:
    reload(exchange, ExchangeLineEntry(line="E1-1/1", receive_db=6.0), ExchangeLineEntry(line="FXO-9", receive_db=6.0))

    assert told(exchange) == {}
