"""The English texts are the nodes' own, the host hands all languages out, help tells everything.

After a change of texts write the English file anew with
``FIXATIVE_WRITE_LOCALE=1 pytest tests/host/test_locales.py`` and mend the translations.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.host.client import ComfyClient

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "locales"
ENGLISH = LOCALES / "en" / "nodeDefs.json"


def inputs_of(info: dict[str, Any]) -> dict[str, Any]:
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


def schema_texts(info: dict[str, Any]) -> dict[str, Any]:
    """A node's texts in the form of a locale file."""
    texts: dict[str, Any] = {
        "display_name": info["display_name"],
        "description": info["description"],
        "inputs": {
            name: {"name": name, "tooltip": entry[1]["tooltip"]}
            for name, entry in inputs_of(info).items()
        },
    }
    outputs = zip(info["output_name"], info["output_tooltips"], strict=True)
    told = {str(i): {"name": name, "tooltip": tip} for i, (name, tip) in enumerate(outputs)}
    return {**texts, "outputs": told} if told else texts


@pytest.fixture
def infos(client: ComfyClient) -> dict[str, Any]:
    every = client.all_object_info()
    return {node: info for node, info in every.items() if node.startswith("Fixative")}


def test_the_english_texts_are_the_nodes_own(infos: dict[str, Any]) -> None:
    now = {node: schema_texts(info) for node, info in infos.items()}
    if os.environ.get("FIXATIVE_WRITE_LOCALE"):
        ENGLISH.write_text(json.dumps(now, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert len(now) >= 11
    assert json.loads(ENGLISH.read_text("utf-8")) == now


def test_the_host_hands_out_every_language(client: ComfyClient) -> None:
    given = json.loads(client.text("/i18n"))
    for folder in LOCALES.iterdir():
        for file in ("nodeDefs", "settings"):
            own = json.loads((folder / f"{file}.json").read_text("utf-8"))
            assert {key: given[folder.name][file][key] for key in own} == own
        for key, own in json.loads((folder / "main.json").read_text("utf-8")).items():
            assert {name: given[folder.name][key][name] for name in own} == own


def test_every_help_page_names_every_input_and_output(
    infos: dict[str, Any], client: ComfyClient
) -> None:
    pages = {path.stem for path in (ROOT / "js" / "docs").glob("*.md")}
    assert pages == set(infos)
    for node, info in infos.items():
        page = client.text(f"/extensions/Fixative/docs/{node}.md")
        assert page.startswith(f"# {info['display_name']}\n"), node
        inputs, outputs = rows(page, "Inputs"), rows(page, "Outputs")
        assert inputs == [name.replace("_", " ") for name in inputs_of(info)], node
        assert outputs == info["output_name"], node


def rows(page: str, section: str) -> list[str]:
    """First cells of the table of a section."""
    match = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    cells = re.findall(r"^\| (.+?) \|", match[1] if match else "", re.MULTILINE)
    return [cell.replace("_", " ") for cell in cells if cell not in ("input", "output", "---")]
