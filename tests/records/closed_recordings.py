"""For the tests of the chain and of the archive: a data folder with closed recordings, written as a box writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select, text

from firmware.box import cli
from firmware.core.paths import BoxPaths
from firmware.records.chain import LinkKind
from firmware.records.database import open_database, open_for_reading
from firmware.records.journal import Journal
from firmware.records.recording import RecordingFile
from firmware.records.tables import SEQUENCED

BOX = "xian-01"
REGION = "610122"
MORNING = 1_767_229_200_000_000


def moment(name: str, utc_us: int) -> dict[str, Any]:
    return {f"{name}_mono_us": utc_us - MORNING, f"{name}_utc_us": utc_us, f"{name}_trusted": True}


class Row:
    def __init__(self, table: str, **values: Any) -> None:
        self.table, self.values = table, values


class ChangedRow(Row):
    def __init__(self, table: str, number: int, **values: Any) -> None:
        super().__init__(table, **values)
        self.number = number


class DataFolder:
    """Calls of one leg each, one second long unless said otherwise, one a minute."""

    def __init__(self, folder: Path) -> None:
        self.paths = BoxPaths(folder / "data", folder / "run")
        self.paths.make()
        self.calls = 0
        self.open()

    def open(self) -> None:
        """As a callserver opens it when it starts."""
        self.journal = Journal(
            self.paths.calls_database, BOX, REGION, synchronous="OFF", anchor=self.paths.chain_anchor
        )

    def close(self) -> None:
        self.journal.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def path(self, number: int) -> Path:
        return self.paths.recordings / f"{number}.au"

    def record(
        self, samples: int = 8000, linked: bool = True, at_utc_us: int = 0, held_before_its_end: bool = False
    ) -> int:
        """One call with its recording; gives the number of both. Not `linked`: as version 0.1.0 left it."""
        self.calls += 1
        number, at = self.calls, at_utc_us or MORNING + self.calls * 60_000_000
        file = RecordingFile.create(self.path(number))
        file.append(np.random.default_rng(number).integers(0, 256, (samples, 2), np.uint8))
        digest = file.sha256()
        file.close()
        rows = [
            Row(
                "contacts",
                number=number,
                medium="voice",
                machine_boot="m1",
                calling_received="139",
                calling=f"139{number:08}",
                presentation="allowed",
                called_received="12345",
                called="12345",
                service="12345",
                agent="801",
                seat="1",
                **moment("arrived", at),
            ),
            Row("calls", number=number, contact=number, machine_boot="m1", **moment("started", at)),
            Row(
                "legs",
                number=number,
                call=number,
                contact=number,
                machine_boot="m1",
                gateway_leg=f"g1.1.{number}",
                channel=1,
                channel_label="E1-1/2",
                party="citizen",
                **moment("started", at),
            ),
            Row(
                "recordings",
                number=number,
                contact=number,
                call=number,
                leg=number,
                file=f"{number}.au",
                gateway_boot="g1",
                channel=1,
                from_sample=0,
                state="open",
                **moment("opened", at),
            ),
        ]
        if held_before_its_end:
            self.journal.commit([*rows, self.link(LinkKind.HELD, number, by="admin", reason="court")], {})
            rows = []
        ended = {"state": "closed", "to_sample": samples, "samples": samples, "missing": 0, "sha256": digest}
        rows.append(ChangedRow("recordings", number, **ended, **moment("closed", at + samples * 125)))
        if linked:
            rows.append(self.link(LinkKind.CLOSED, number, digest, at))
        self.journal.commit(rows, {})
        return number

    def link(self, kind: LinkKind, recording: int, audio: str = "", at: int = MORNING, **words: str) -> Row:
        number = self.journal.last_numbers()["recording_chain"] + 1
        return Row(
            "recording_chain",
            number=number,
            kind=str(kind),
            recording=recording,
            audio_sha256=audio,
            **words,
            **moment("at", at),
        )

    def delete(self, number: int, linked: bool = True, reason: str = "age") -> None:
        rows = [ChangedRow("recordings", number, deleted_utc_us=MORNING)]
        if linked:
            rows.append(self.link(LinkKind.DELETED, number, by="box", reason=reason))
        self.journal.commit(rows, {})
        self.path(number).unlink()

    def sql(self, statement: str) -> None:
        """What somebody does to the database with a tool."""
        engine = open_database(self.paths.calls_database)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, by number."""
        engine = open_for_reading(self.paths.calls_database)
        with engine.connect() as connection:
            chosen = SEQUENCED[table]
            found = connection.execute(select(chosen).order_by(chosen.c.number)).mappings().all()
        engine.dispose()
        return [dict(row) for row in found]

    def change_byte(self, number: int, position: int) -> None:
        with self.path(number).open("r+b") as file:
            file.seek(position)
            (value,) = file.read(1)
            file.seek(position)
            file.write(bytes([value ^ 1]))
            file.flush()
            os.fsync(file.fileno())

    def verify(self, capsys: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of `linebox verify-recordings`."""
        capsys.readouterr()
        code = cli.main(["verify-recordings", "--json", "--data", str(self.paths.data), *arguments])
        return code, json.loads(capsys.readouterr().out)
