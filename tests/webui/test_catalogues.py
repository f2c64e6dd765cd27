"""The catalogues are complete, the compiled ones are those of the sources, and no text stands outside them."""

from __future__ import annotations

import io
import re
import string
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.webui.catalogues import catalogue_path, texts
from webui.words import LANGUAGES

WEBUI = Path(__file__).resolve().parents[2] / "webui"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_nothing_else(language: str) -> None:
    catalogue = read_po(io.BytesIO(catalogue_path(language, ".po").read_bytes()), locale=language)
    translated = {str(message.id): str(message.string) for message in catalogue if message.id}

    assert set(translated) == {text for text, _, _ in texts()}, "run: scripts/catalogues"
    assert [text for text, words in translated.items() if not words.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_the_source(language: str) -> None:
    source = read_po(io.BytesIO(catalogue_path(language, ".po").read_bytes()), locale=language)
    compiled = read_mo(io.BytesIO(catalogue_path(language, ".mo").read_bytes()))

    said = {str(message.id): str(message.string) for message in source if message.id}
    assert {str(message.id): str(message.string) for message in compiled if message.id} == said, (
        "run: scripts/catalogues"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_of_its_text(language: str) -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    catalogue = read_po(io.BytesIO(catalogue_path(language, ".po").read_bytes()), locale=language)

    assert [m.id for m in catalogue if m.id and not places(str(m.string)) <= places(str(m.id))] == []


def test_chinese_is_chinese() -> None:
    catalogue = read_po(io.BytesIO(catalogue_path("zh_CN", ".po").read_bytes()), locale="zh_CN")

    plain = [str(m.id) for m in catalogue if m.id and not re.search("[\u4e00-\u9fff]", str(m.string))]
    assert plain == ["{name}"] or plain == ["Taken by {name}"], plain


def test_no_text_stands_outside_the_catalogues() -> None:
    """Words between tags of a template, and Chinese in scripts or Python, would be shown in one language only."""
    strays = []
    for path in (WEBUI / "templates").glob("*.tpl"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            shown = re.sub(r"\{\{.*?\}\}|<[^>]*>", " ", line) if not line.lstrip().startswith("%") else ""
            if re.search("[A-Za-z]{2,}", re.sub(r"&\w+;|F\d+|[\w-]+=|kbd", " ", shown)):
                strays.append(f"{path.name}:{number}: {shown.strip()}")
    for path in [*(WEBUI / "static").glob("*.js"), *(WEBUI / "templates").glob("*.tpl")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search("[\u4e00-\u9fff]", line.split("//")[0]) and "线匣" not in line:
                strays.append(f"{path.name}:{number}: {line.strip()}")

    assert strays == []
