"""Compare in the real ComfyUI: what it hands to the front end, and what it refuses."""

from __future__ import annotations

import io
import urllib.parse
import urllib.request
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.host.client import ComfyClient, Graph
from tests.host.graphs import picture
from tests.host.server import RunningHost

pytestmark = pytest.mark.host

NODE = "compare"


def graph_of(client: ComfyClient, before: Any, after: Any, *, mask: float | None = None) -> Graph:
    """Load two pictures and compare them; a mask of another size if asked for."""
    graph: Graph = {NODE: {"class_type": "FixativeCompare", "inputs": {}}}
    for name, pixels in {"before": before, "after": after}.items():
        inputs = {"image": client.upload(f"compared_{name}.png", pixels)}
        graph[name] = {"class_type": "LoadImage", "inputs": inputs}
        graph[NODE]["inputs"][name] = [name, 0]
    if mask is not None:
        inputs = {"value": mask, "width": 16, "height": 8}
        graph["mask"] = {"class_type": "SolidMask", "inputs": inputs}
        graph[NODE]["inputs"]["map"] = ["mask", 0]
    return graph


def shown(host: RunningHost, reference: dict[str, str]) -> Image.Image:
    """The picture that the front end gets."""
    query = urllib.parse.urlencode(reference)
    with urllib.request.urlopen(f"http://{host.address}/view?{query}", timeout=20) as reply:
        return Image.open(io.BytesIO(reply.read()))


def test_the_front_end_gets_every_value(client: ComfyClient, host: RunningHost) -> None:
    before, after = picture(50, 70, seed=1), picture(50, 70, seed=2)
    run = client.run(graph_of(client, before, after, mask=1.0))
    assert run.status == "success", run.events[-1]
    [pair] = run.outputs[NODE]["fixative_pairs"]
    assert (pair["width"], pair["height"]) == (70, 50)
    for name, pixels in {"before": before, "after": after}.items():
        assert pair[name]["type"] == "temp"
        found = shown(host, pair[name])
        assert found.format == "PNG"
        assert found.info == {}
        np.testing.assert_array_equal(np.asarray(found), pixels)
    level = np.asarray(shown(host, pair["map"]))
    assert level.shape == (8, 16)
    assert set(level.flat) == {round(255 / 1.183)}


def test_alpha_and_a_batch(client: ComfyClient, host: RunningHost) -> None:
    graph = graph_of(client, picture(20, 30), picture(20, 30, seed=3))
    inputs = {"value": 0.25, "width": 30, "height": 20}
    graph["mask"] = {"class_type": "SolidMask", "inputs": inputs}
    joined = {"image": ["after", 0], "alpha": ["mask", 0]}
    graph["join"] = {"class_type": "JoinImageWithAlpha", "inputs": joined}
    for name, source in {"before": "before", "after": "join"}.items():
        repeated = {"image": [source, 0], "amount": 3}
        graph[f"{name} thrice"] = {"class_type": "RepeatImageBatch", "inputs": repeated}
        graph[NODE]["inputs"][name] = [f"{name} thrice", 0]
    run = client.run(graph)
    assert run.status == "success", run.events[-1]
    pairs = run.outputs[NODE]["fixative_pairs"]
    assert len(pairs) == 3
    assert all(pair["map"] is None for pair in pairs)
    assert shown(host, pairs[2]["before"]).mode == "RGB"
    after = shown(host, pairs[2]["after"])
    assert after.mode == "RGBA"
    assert set(np.asarray(after)[..., 3].flat) == {191}


def test_pictures_that_do_not_belong_together(client: ComfyClient) -> None:
    run = client.run(graph_of(client, picture(20, 30), picture(24, 30)))
    assert run.status == "error"
    assert "before has 1 of 30 × 20, after has 1 of 30 × 24" in run.error
    assert "before, after: expected as many pictures of the same size" in run.error

    graph = graph_of(client, picture(20, 30), picture(20, 30))
    graph["twice"] = {
        "class_type": "RepeatImageBatch",
        "inputs": {"image": ["before", 0], "amount": 2},
    }
    graph[NODE]["inputs"]["before"] = ["twice", 0]
    run = client.run(graph)
    assert "before has 2 of 30 × 20, after has 1 of 30 × 20" in run.error


def test_a_map_of_a_wrong_batch(client: ComfyClient) -> None:
    graph = graph_of(client, picture(20, 30), picture(20, 30), mask=1.0)
    graph["image"] = {"class_type": "MaskToImage", "inputs": {"mask": ["mask", 0]}}
    inputs: dict[str, Any] = {"image": ["image", 0], "amount": 3}
    graph["thrice"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
    inputs = {"image": ["thrice", 0], "channel": "red"}
    graph["masks"] = {"class_type": "ImageToMask", "inputs": inputs}
    graph[NODE]["inputs"]["map"] = ["masks", 0]
    run = client.run(graph)
    assert run.status == "error"
    assert "map: expected one map, or one for each of the 1 pictures" in run.error
