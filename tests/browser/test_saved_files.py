"""Saved files dropped on the canvas, and the nodes in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.ui import Ui
from tests.host.build import CHECKOUT
from tests.host.client import ComfyClient
from tests.host.graphs import picture
from tests.host.server import FRONT_END_VARIABLE, RunningHost

pytestmark = [pytest.mark.host, pytest.mark.browser]

SAVE = "FixativeSaveProtectedImage"
#: The first front end that was tried and keeps them (1.34.9).
MENDED = (1, 34)
TYPES = "() => window.app.graph.nodes.map((one) => one.type).sort().join()"
NEW_NODE = """(type) => {
  const node = window.LiteGraph.createNode(type);
  window.app.graph.add(node);
  const label = (one) => one.localized_name ?? one.label ?? one.name;
  const of = (which) =>
    Object.fromEntries((node[which] ?? []).map((one) => [one.name, label(one)]));
  return { title: node.title, inputs: of("inputs"), outputs: Object.values(of("outputs")) };
}"""


def graph(name: str, **settings: Any) -> dict[str, Any]:
    inputs = {"images": ["1", 0], "filename_prefix": "dropped", "format": "png", "lossy": False}
    inputs |= {"quality": 95, "include_workflow": True, "source": "auto", **settings}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": SAVE, "inputs": inputs},
    }


def newest(host: RunningHost, kind: str) -> Path:
    found = (host.base / "output").glob(f"dropped_*.{kind}")
    return max(found, key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_file_with_its_workflow_opens_when_dropped(
    classic: Ui, client: ComfyClient, host: RunningHost, kind: str
) -> None:
    name = client.upload(f"drop_{kind}.png", picture(48, 48, seed=41))
    classic.load_api(graph(name, format=kind))
    classic.run()
    saved = newest(host, kind)
    classic.page.evaluate("() => window.app.graph.clear()")
    assert classic.page.evaluate(TYPES) == ""
    classic.drop(saved)
    wanted = f"{SAVE},LoadImage"
    classic.page.wait_for_function(f"(wanted) => ({TYPES})() === wanted", arg=wanted)
    assert classic.widget(SAVE, "format") == kind
    assert classic.widget(SAVE, "include_workflow") is True


def test_the_file_is_shown_in_the_node(classic: Ui, client: ComfyClient) -> None:
    name = client.upload("shown.png", picture(48, 48, seed=42))
    classic.load_api(graph(name, include_workflow=False))
    classic.run()
    code = "(type) => window.app.graph.nodes.find((one) => one.type === type).imgs?.[0]?.src"
    classic.page.wait_for_function(f"(type) => ({code})(type)", arg=SAVE)
    assert "filename=dropped_" in classic.page.evaluate(code, SAVE)


@pytest.mark.parametrize("language", ["zh", "ja", "ko"])
def test_the_nodes_speak_the_language_of_the_front_end(
    classic: Ui, browser: Browser, host: RunningHost, language: str
) -> None:
    texts = json.loads((CHECKOUT / "locales" / language / "nodeDefs.json").read_text("utf-8"))
    version = classic.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__")
    if tuple(map(int, version.split(".")[:2])) < MENDED:
        pytest.skip(
            f"front end {version} forgets the translations of every pack (ComfyUI_frontend #6748, "
            f"mended by #7214); test with a newer one: {FRONT_END_VARIABLE}"
        )
    classic.set("Comfy.Locale", language)
    ui = Ui(browser, host.address, vue_nodes=False)
    try:
        for node, told in texts.items():
            found = ui.page.evaluate(NEW_NODE, node)
            assert found["title"] == told["display_name"]
            for name, label in found["inputs"].items():
                assert label == told["inputs"][name]["name"], (node, name)
            assert found["outputs"] == [one["name"] for one in told.get("outputs", {}).values()]
        assert ui.errors == []
    finally:
        ui.set("Comfy.Locale", "en")
        ui.close()
