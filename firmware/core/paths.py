"""Where a box keeps its things. One place for each path; nobody else spells a file name of the data or run folder."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BoxPaths:
    """The data folder (kept) and the run folder (sockets, shared memory; gone after a restart of the machine)."""

    data: Path
    run: Path

    @property
    def configuration(self) -> Path:
        return self.data / "config"

    @property
    def last_good_configuration(self) -> Path:
        return self.data / "config" / "last-good"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    @property
    def prompts(self) -> Path:
        """The office's own recordings in the place of shipped ones: `zh_CN/welcome.wav`, `zh_CN/words/`, `music/`."""
        return self.data / "prompts"

    @property
    def spoken_texts(self) -> Path:
        """Cache of what text-to-speech made; may be deleted at any time."""
        return self.data / "spoken"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def calls_database(self) -> Path:
        return self.data / "calls.db"

    @property
    def disk_reserve(self) -> Path:
        """Takes up room that the callserver gives to its database when the disk is full."""
        return self.data / "disk-reserve"

    @property
    def chain_anchor(self) -> Path:
        """The last link of the chain of recordings, noted outside the database."""
        return self.data / "recording-chain.json"

    @property
    def office_database(self) -> Path:
        return self.data / "office.db"

    @property
    def gateway_socket(self) -> Path:
        return self.run / "gateway.sock"

    @property
    def cti_socket(self) -> Path:
        return self.run / "cti.sock"

    @property
    def recorder_socket(self) -> Path:
        return self.run / "recorder.sock"

    @property
    def simulator_socket(self) -> Path:
        return self.run / "simulator.sock"

    @property
    def sip_socket(self) -> Path:
        return self.run / "sip.sock"

    def pri_socket(self, span: int) -> Path:
        """Signal link of the PRI worker of a span, counted from 1."""
        return self.run / f"pri-{span}.sock"

    def pri_held(self, span: int) -> Path:
        """On which channels of the span the exchange may have calls of its PRI worker."""
        return self.run / f"pri-{span}.held"

    @property
    def notify_socket(self) -> Path:
        """Where processes give the supervisor their signs of life (`NOTIFY_SOCKET`)."""
        return self.run / "notify.sock"

    @property
    def process_table(self) -> Path:
        """Which processes run, written by the supervisor (`process_table.py`)."""
        return self.run / "processes.json"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor that works on this data folder."""
        return self.data / "supervisor.lock"

    def ring(self, gateway_boot: str) -> Path:
        """The shared-memory audio ring of one start of the gateway."""
        return self.run / f"audio-{gateway_boot}.ring"

    def make(self) -> None:
        """Make all folders, closed to other users. Raises OSError."""
        for folder in (self.data, self.run, self.configuration, self.secrets, self.recordings, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def box_paths(data: Path | None = None) -> BoxPaths:
    """Paths for a data folder (default: LINEBOX_DATA, else ~/.local/share/linebox).

    The run folder is LINEBOX_RUN, else one in shared memory named after the data folder: socket paths may not be
    longer than 107 bytes, which a data folder deep in a tree would break.
    """
    chosen = data or Path(os.environ.get("LINEBOX_DATA") or Path.home() / ".local" / "share" / "linebox")
    chosen = chosen.resolve()
    run = os.environ.get("LINEBOX_RUN")
    if run:
        return BoxPaths(chosen, Path(run))
    digest = hashlib.sha256(str(chosen).encode()).hexdigest()[:10]
    return BoxPaths(chosen, Path("/dev/shm") / f"linebox-{digest}")
