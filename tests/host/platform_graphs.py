"""Graphs around one node of the platform, in the host's API format."""

from __future__ import annotations

import json
from typing import Any

from tests.host.client import ComfyClient, Graph, Run
from tests.host.graphs import picture

NODE = "node"
SIZE = (64, 80)
BEFORE = picture(*SIZE, 3)
#: Inputs that differ from nothing: every widget has its default.
DEFAULTS: dict[str, dict[str, Any]] = {
    "FixativePurify": {"preset": "fast", "iterations": 3, "seed": 0, "distance": "best"},
    "FixativeCountermeasure": {"kind": "jpeg", "settings": "", "chain": "", "seed": 0},
    "FixativeIterativeProtection": {
        "method": "photoguard",
        "strength": 8.0,
        "steps": 3,
        "consistency": 0.0,
        "seed": 0,
    },
    "FixativeInspect": {},
    "FixativeEvaluate": {
        "protocol": "custom",
        "custom": "",
        "folder": "fixative/evaluation",
        "fresh": False,
    },
}
#: What becomes of each output: a picture is saved, a text is shown.
OUTPUTS = {
    "FixativePurify": ("image", "curve", "report"),
    "FixativeCountermeasure": ("image", "report"),
    "FixativeIterativeProtection": ("image", "difference", "curve", "report"),
    "FixativeInspect": ("report", "json", "probability", "score"),
    "FixativeEvaluate": ("plots", "table", "path"),
}
PICTURES = ("image", "difference", "curve", "plots")


def platform_graph(
    client: ComfyClient,
    node_type: str,
    *,
    vae: str | None = "taesd",
    count: int = 1,
    **settings: Any,
) -> Graph:
    """A picture, repeated to a batch, into a node whose outputs are all shown or saved."""
    graph: Graph = {}
    name = client.upload("platform.png", BEFORE)
    graph["load"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    repeat = {"image": ["load", 0], "amount": count}
    graph["batch"] = {"class_type": "RepeatImageBatch", "inputs": repeat}
    image = "images" if node_type == "FixativeEvaluate" else "image"
    inputs: dict[str, Any] = {image: ["batch", 0], **DEFAULTS[node_type], **settings}
    if vae is not None:
        graph["vae"] = {"class_type": "VAELoader", "inputs": {"vae_name": vae}}
        inputs["vae"] = ["vae", 0]
    graph[NODE] = {"class_type": node_type, "inputs": inputs}
    for number, shown in enumerate(OUTPUTS[node_type]):
        if shown in PICTURES:
            taken = {"images": [NODE, number], "filename_prefix": shown}
            graph[shown] = {"class_type": "SaveImage", "inputs": taken}
        else:
            graph[shown] = {"class_type": "PreviewAny", "inputs": {"source": [NODE, number]}}
    return graph


def told(run: Run, output: str = "report") -> str:
    """A text that a run has shown."""
    assert run.status == "success", run.events[-1]
    return run.outputs[output]["text"][0]


def facts(run: Run, output: str = "report") -> dict[str, Any]:
    """The JSON below a report."""
    return json.loads(told(run, output).split("\n\n", 1)[1])


def progress_of(run: Run) -> list[int]:
    """What the node's progress bar showed."""
    return [data["value"] for data in run.data_of("progress") if data["node"] == NODE]


def stopped(client: ComfyClient, graph: Graph, *, after: int) -> Run:
    """Run a graph, and stop it once the node's progress is that far."""
    asked = False

    def stop(kind: str, data: dict[str, Any]) -> None:
        nonlocal asked
        if kind == "progress" and data["node"] == NODE and data["value"] >= after and not asked:
            asked = True
            client.interrupt()

    return client.run(graph, listener=stop)


def failed(client: ComfyClient, graph: Graph) -> str:
    """What an error said."""
    run = client.run(graph)
    assert run.status == "error", run.events[-1]
    return run.error


def refused(client: ComfyClient, graph: Graph) -> str:
    """What the host said of a graph that it would not run."""
    return json.dumps(client.refused(graph), ensure_ascii=False)
