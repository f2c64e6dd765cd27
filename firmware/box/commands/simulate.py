"""`linebox simulate` and `linebox digest`: a short county day in virtual time, and the digest of stored records."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from firmware.box.commands.virtual_box import START_UTC_US, VirtualBox
from firmware.box.demonstration import demonstration_documents, generated_password
from firmware.core.configuration import save_subjects
from firmware.core.hints import ClearError
from firmware.core.paths import BoxPaths, box_paths
from firmware.records.database import open_for_reading
from firmware.records.digest import records_digest
from firmware.records.tables import contacts, recordings
from firmware.simulator.county import county_day
from firmware.simulator.scenario import Scenario, ScenarioError, read_scenario


def simulate(arguments: list[str]) -> int:
    """A county day of one seed. Exit code 1 if a call was lost."""
    parser = argparse.ArgumentParser(prog="linebox simulate", description="run a short county day in virtual time")
    parser.add_argument("--seed", type=int, default=1, help="which day: the same seed gives the same records")
    parser.add_argument("--calls", type=int, default=100, help="how many citizens call")
    parser.add_argument("--scenario", type=Path, help="a scenario file instead of a made-up day")
    parser.add_argument("--data", type=Path, help="keep records and recordings in this empty folder")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args(arguments)
    if options.calls < 1:
        raise ClearError(f"a day of {options.calls} calls shows nothing", "--calls takes 1 or more")
    try:
        scenario = read_scenario(options.scenario) if options.scenario else county_day(options.seed, options.calls)
    except ScenarioError as error:
        raise ClearError(f"the scenario {options.scenario} cannot be used:\n{error}", "correct the file") from error
    kept: Path | None = options.data
    if kept is not None and kept.exists() and any(kept.iterdir()):
        raise ClearError(f"{kept} is not empty", "give a folder that does not exist yet: a simulated day is kept alone")
    temporary = Path(tempfile.mkdtemp(prefix="linebox-day-"))
    try:
        summary = _play(scenario, BoxPaths((kept or temporary / "data").resolve(), temporary / "run"))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if options.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        for name, value in summary.items():
            print(f"{name:22} {value}")
    return 1 if summary["lost"] else 0


def digest(arguments: list[str]) -> int:
    """The digest of the records of a data folder, from the stored rows."""
    parser = argparse.ArgumentParser(prog="linebox digest", description="compute the digest of stored records")
    parser.add_argument("--data", type=Path, help="data folder")
    options = parser.parse_args(arguments)
    database = box_paths(options.data).calls_database
    if not database.exists():
        raise ClearError(f"there are no records in {database.parent}", "give the data folder of a box with --data")
    engine = open_for_reading(database)
    print(records_digest(engine))
    engine.dispose()
    return 0


def _play(scenario: Scenario, paths: BoxPaths) -> dict[str, object]:
    """Run the day and count what is in the records afterwards."""
    paths.make()
    configuration = save_subjects(paths, demonstration_documents(generated_password()))
    began = time.monotonic()
    box = VirtualBox(scenario, configuration, paths)
    try:
        box.run()
    finally:
        box.close()
    took = time.monotonic() - began
    engine = open_for_reading(paths.calls_database)
    with engine.connect() as connection:
        rows = connection.execute(select(contacts)).mappings().all()
        kept = connection.execute(select(recordings)).mappings().all()
    results = Counter(row["result"] for row in rows)
    ended = max((row["ended_utc_us"] for row in rows if row["ended_utc_us"]), default=START_UTC_US)
    totals = box.world.totals
    # A call is lost when it has no complete record, failed by our doing, or left a channel behind.
    lost = max(0, totals.placed - len(rows)) + results[""] + results["failed"] + totals.unconfirmed_releases
    summary: dict[str, object] = {
        "calls": len(rows),
        "lost": lost,
        "answered": results["answered"],
        "abandoned": results["abandoned"],
        "left_early": results["left_early"],
        "recordings": sum(row["state"] == "closed" for row in kept),
        "recorded_seconds": sum(row["samples"] or 0 for row in kept) / 8000,
        "missing_samples": sum(row["missing"] or 0 for row in kept),
        "virtual_seconds": round((ended - START_UTC_US) / 1e6, 2),
        "real_seconds": round(took, 2),
        "digest": records_digest(engine),
    }
    engine.dispose()
    return summary
