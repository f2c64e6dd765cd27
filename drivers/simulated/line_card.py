"""A simulated card: chips and a TDM bus whose periods are the chips' time."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.simulated.ds26521 import SimulatedDs26521
from drivers.simulated.register_chip import RegisterChip
from drivers.simulated.si3050 import SimulatedSi3050
from drivers.simulated.si3210 import SimulatedSi3210
from drivers.simulated.tdm import SimulatedTdm
from drivers.spi_line_chip import ChipError
from drivers.tdm_alsa import PcmPair
from firmware.core.faults import fault

CHIPS: dict[str, type[SimulatedSi3210] | type[SimulatedSi3050] | type[SimulatedDs26521]] = {
    "si3210": SimulatedSi3210,
    "si3050": SimulatedSi3050,
    "ds26521": SimulatedDs26521,
}


class SimulatedCard:
    """`chips` in the order of the ports, `tdm` their bus."""

    def __init__(self, chips: Sequence[RegisterChip], slots: int, timed: bool) -> None:
        """`timed`: a timer drives the bus in real time; otherwise whoever holds `tdm` does."""
        self.chips = list(chips)
        self.tdm = SimulatedTdm(slots, self._pass)
        self._timed = timed

    def _pass(self, ms: float) -> None:
        for chip in self.chips:
            chip.advance(ms)

    def pcms(self) -> PcmPair:
        """Capture and playback, as `open_pcms` gives of a real card. Raises ChipError."""
        try:
            return self.tdm.open(self._timed)
        except OSError as error:
            raise ChipError(fault("tdm_absent", card="simulated", error=error), "simulated card") from error


def simulated_card(kinds: Sequence[str], slots: int, timed: bool = True) -> SimulatedCard:
    """A card with chips of these kinds, e.g. `["si3210", "si3210"]`."""
    return SimulatedCard([CHIPS[kind]() for kind in kinds], slots, timed)
