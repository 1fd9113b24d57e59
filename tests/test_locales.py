"""Translations: as complete as the English ones, and with every value that must stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCALES = ROOT / "locales"
TRANSLATED = {"zh": r"[一-鿿]", "ja": r"[ぁ-ヿ一-鿿]", "ko": r"[가-힣]"}
FILES = ("main.json", "nodeDefs.json", "settings.json")
#: What a person types or reads as it is: placeholders of file names, folders, numbers, and the
#: options that the nodes offer, which stay English.
LITERAL = re.compile(
    r"%[^%\s]+%|models/fixative|\d+(?:[.,]\d+)*"
    r"|\b(?:auto|low|mid|high|learned|lpips|png|webp|jpeg|(?:none|nothing|off)(?=:))\b"
)
#: Names and symbols that are the same in every language.
SAME = {"vae", "eta", "lpips", "JSON", "Fixative"}


def load(language: str, file: str) -> dict[str, Any]:
    return json.loads((LOCALES / language / file).read_text("utf-8"))


def texts(entry: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a file with the way to it."""
    if isinstance(entry, dict):
        for key, value in entry.items():
            yield from texts(value, f"{path}/{key}")
    else:
        yield path, entry


def test_the_languages() -> None:
    assert {folder.name for folder in LOCALES.iterdir()} == {"en", *TRANSLATED}
    for folder in LOCALES.iterdir():
        assert {file.name for file in folder.iterdir()} == set(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_is_complete_and_keeps_what_is_literal(language: str, file: str) -> None:
    english, translated = dict(texts(load("en", file))), dict(texts(load(language, file)))
    assert list(translated) == list(english)
    for path, text in english.items():
        missing = set(LITERAL.findall(text)) - set(LITERAL.findall(spaced(translated[path])))
        assert not missing, (path, missing)


def spaced(text: str) -> str:
    """Letters of other scripts count as word characters: put space in their place."""
    return re.sub(r"[^\x00-\x7f]", " ", text.replace("：", ":"))


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_is_in_its_language(language: str) -> None:
    for file in FILES:
        for path, text in texts(load(language, file)):
            if text.removesuffix(" (Fixative)") not in SAME:
                assert re.search(TRANSLATED[language], text), (path, text)


def test_no_text_means_something_else_to_the_translator_of_the_front_end() -> None:
    """It reads ``{}``, ``@:`` and ``|`` as its own marks."""
    for language in ("en", *TRANSLATED):
        for file in FILES:
            for path, text in texts(load(language, file)):
                assert not re.search(r"[{}|@]", text), (language, path)


def test_node_names_end_alike_and_are_one_a_node() -> None:
    for language in ("en", *TRANSLATED):
        names = [node["display_name"] for node in load(language, "nodeDefs.json").values()]
        assert all(name.endswith(" (Fixative)") for name in names)
        assert len(set(names)) == len(names)


def test_the_english_settings_are_those_of_the_front_end() -> None:
    script = (ROOT / "js" / "fixative" / "settings.js").read_text("utf-8")
    ids = dict(re.findall(r'const (\w+) = "(Fixative\.[\w.]+)";', script))
    entries = script.split("export const SETTINGS")[1].split("];\n\n")[0].split("    {\n")[1:]
    told: dict[str, dict[str, str]] = {}
    categories: set[str] = set()
    for entry in entries:
        constant = re.search(r"id: (\w+),", entry)
        assert constant
        fields = re.findall(r'^ +(name|tooltip): "(.*)",$', entry, re.MULTILINE)
        told[ids[constant[1]].replace(".", "_")] = dict(fields)
        category = re.search(r'category: \["(.*?)", "(.*?)"', entry)
        assert category
        categories |= set(category.groups())
    assert len(told) >= 3
    assert load("en", "settings.json") == told
    assert load("en", "main.json")["settingsCategories"] == {name: name for name in categories}
