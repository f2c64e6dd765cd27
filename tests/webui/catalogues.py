"""The gettext catalogues: finds every text in the sources, brings .po files up to date, compiles them. For developers.

    scripts/catalogues           update .po and .mo from the sources; says which texts lack a translation

Needs Babel, a development package. The compiled .mo files are shipped, so the box needs neither Babel nor this.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bottle import SimpleTemplate

from firmware.core.fault_texts import FAULT_TEXTS
from webui.words import DOMAIN, LANGUAGES, LOCALE_FOLDER

FOLDER = LOCALE_FOLDER.parent
_KEYWORDS = {"_": None, "N_": None}


def texts() -> Iterator[tuple[str, str, int]]:
    """(text, file, line) of every text that is marked in Python files and templates, and of the faults' words."""
    from babel.messages.extract import extract_python

    # What its annotations do not say: one text, several arguments, or nothing.
    _extract: Any = extract_python

    sources = [(path, path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.py"))]
    for path in sorted((FOLDER / "templates").glob("*.tpl")):
        # A template becomes a Python program, line by line; its texts are found there.
        sources.append((path, SimpleTemplate(source=path.read_text("utf-8")).code))
    for path, source in sources:
        for line, _, found, _ in _extract(io.BytesIO(source.encode()), _KEYWORDS, (), {}):
            text: Any = found if isinstance(found, str) or not found else found[0]
            if text:
                yield text, path.relative_to(FOLDER.parent).as_posix(), line
    for fault_text in FAULT_TEXTS.values():
        for text in fault_text:
            if re.sub(r"\{\w+\}", "", text):  # what its finder said in words of his own cannot be translated
                yield text, "firmware/core/fault_texts.py", 0


def catalogue_path(language: str, suffix: str) -> Path:
    return LOCALE_FOLDER / language / "LC_MESSAGES" / (DOMAIN + suffix)


def update() -> list[str]:
    """Write .po and .mo of all languages. Returns `language: text` for what is not translated."""
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po, write_po

    wanted: dict[str, set[str]] = {}
    for text, file, _ in texts():
        wanted.setdefault(text, set()).add(file)
    missing = []
    for language in LANGUAGES:
        path = catalogue_path(language, ".po")
        old = read_po(io.BytesIO(path.read_bytes() if path.exists() else b""), locale=language)
        new = Catalog(locale=language, domain=DOMAIN, header_comment=f"# Linebox, {language}.", fuzzy=False)
        # No dates of making: the same sources give the same files.
        new.creation_date = new.revision_date = datetime(2026, 11, 22, tzinfo=UTC)
        for text, files in wanted.items():
            known = old.get(text)
            # English is the language of the source: its catalogue says the same.
            translated = str(known.string) if known is not None and known.string else text if language == "en" else ""
            new.add(text, translated, [(file, 0) for file in sorted(files)])
            if not translated:
                missing.append(f"{language}: {text}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as po:
            write_po(po, new, width=120, sort_output=True, include_lineno=False, omit_header=False)
        with catalogue_path(language, ".mo").open("wb") as mo:
            write_mo(mo, new)
    return missing


if __name__ == "__main__":
    untranslated = update()
    print("\n".join(untranslated) or "all texts are translated")
    sys.exit(bool(untranslated))
