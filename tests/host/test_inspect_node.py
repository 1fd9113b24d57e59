"""Inspect in the real ComfyUI: pictures that were just protected are told from others."""

from __future__ import annotations

import numpy as np
import pytest

from tests.host.client import ComfyClient
from tests.host.graphs import protect_graph
from tests.host.platform_graphs import BEFORE, NODE, platform_graph, refused, told

pytestmark = pytest.mark.host

INSPECT = "FixativeInspect"


def test_protected_pictures_are_told_from_others(client: ComfyClient) -> None:
    before = client.upload("inspect.png", np.tile(BEFORE, (4, 4, 1)))
    graph = protect_graph(before, strength_map="off")
    for name, source in {"clean": ["load 0", 0], "protected": ["protect", 0]}.items():
        graph[name] = {"class_type": INSPECT, "inputs": {"image": source}}
        for number, output in enumerate(("report", "json", "probability", "score")):
            graph[f"{name} {output}"] = {
                "class_type": "PreviewAny",
                "inputs": {"source": [name, number]},
            }
    run = client.run(graph)
    assert "Inspected: 1 picture(s), looking for mixture_sd1" in told(run, "clean report")
    clean, protected = (
        float(run.outputs[f"{name} score"]["text"][0]) for name in ("clean", "protected")
    )
    assert protected > clean + 1
    assert "likely protected" in told(run, "protected report")
    assert 0 <= float(told(run, "clean probability")) < float(told(run, "protected probability"))
    assert '"verdict"' in told(run, "protected json")


def test_it_runs_alone_and_refuses_a_mask(client: ComfyClient) -> None:
    graph = platform_graph(client, INSPECT, vae=None, count=2)
    for name in ("report", "json", "probability", "score"):
        del graph[name]
    run = client.run(graph)
    assert run.status == "success", run.events[-1]
    assert "2: " in run.outputs[NODE]["text"][0]
    graph[NODE]["inputs"]["image"] = ["load", 1]
    assert "return_type_mismatch" in refused(client, graph)
