"""Every node as saved workflows know it: ids, order, types, bounds and defaults never change.

After an intended addition (inputs are only ever appended), write the snapshot anew with
``FIXATIVE_WRITE_SNAPSHOT=1 pytest tests/host/test_node_snapshot.py`` and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.host.client import ComfyClient

pytestmark = pytest.mark.host

SNAPSHOT = Path(__file__).with_name("node_snapshot.json")
KEPT = ("default", "min", "max", "step", "options", "multiline", "control_after_generate")
#: Combos that list files: what they offer depends on the machine.
FILES = {
    ("FixativeEvaluate", "protocol"),
    ("FixativeLoadMixture", "name"),
    ("FixativeProtectImage", "mixture"),
    ("FixativeSaveProtectedImage", "source"),
}


def described(node: str, info: dict[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for need in ("required", "optional"):
        for name, (kind, *options) in info["input"].get(need, {}).items():
            told = options[0] if options else {}
            kept = {key: told[key] for key in KEPT if key in told}
            if (node, name) in FILES:
                kept.pop("options", None)
            inputs[name] = {"type": kind, "need": need, **kept}
    outputs = list(zip(info["output"], info["output_name"], strict=True))
    return {
        "display_name": info["display_name"],
        "category": info["category"],
        "output_node": info["output_node"],
        "inputs": inputs,
        "outputs": [list(output) for output in outputs],
    }


@pytest.fixture
def infos(client: ComfyClient) -> dict[str, Any]:
    every = client.all_object_info()
    return {node: info for node, info in every.items() if node.startswith("Fixative")}


def test_as_saved_workflows_know_them(infos: dict[str, Any]) -> None:
    now = {node: described(node, info) for node, info in sorted(infos.items())}
    if os.environ.get("FIXATIVE_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert now == json.loads(SNAPSHOT.read_text("utf-8"))


def test_each_tells_what_it_takes_and_gives(infos: dict[str, Any]) -> None:
    assert len(infos) >= 10
    for node, info in infos.items():
        assert info["display_name"].endswith("(Fixative)"), node
        assert info["description"], node
        inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        for name, (kind, *options) in inputs.items():
            assert options, (node, name)
            assert options[0]["tooltip"], (node, name)
            if kind in ("INT", "FLOAT"):
                assert {"default", "min", "max", "step"} <= set(options[0]), (node, name)
        assert all(info["output_tooltips"]), node
        assert all(info["output_name"]), node
