"""A digest of all records of a box, computed from the stored rows: the same day twice gives the same one.

SHA-256 over every row of every numbered table, in order of table name and number, each as JSON with sorted keys. What
is going on (`live`) is no record and is left out.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import Engine, select

from firmware.records.tables import SEQUENCED


def records_digest(engine: Engine) -> str:
    """64 hexadecimal digits. One changed, missing or added row gives others."""
    digest = hashlib.sha256()
    with engine.connect() as connection:
        for name in sorted(SEQUENCED):
            table = SEQUENCED[name]
            rows = connection.execute(select(table).order_by(table.c.box_id, table.c.number)).mappings()
            for row in rows:
                digest.update(json.dumps([name, dict(row)], sort_keys=True, ensure_ascii=False).encode())
                digest.update(b"\n")
    return digest.hexdigest()
