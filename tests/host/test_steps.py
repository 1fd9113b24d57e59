"""The step-by-step nodes in the real ComfyUI: chained they are Protect Image, bit for bit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fixative.mixture import find_mixture
from tests.host.client import ComfyClient, Graph, Run
from tests.host.graphs import add_batch, chain_graph, picture, protect_graph
from tests.host.test_protect_node import assert_same

pytestmark = pytest.mark.host


def failed(client: ComfyClient, graph: Graph) -> str:
    """The message of the error that this graph ends with."""
    run = client.run(graph)
    assert run.status == "error", run.events[-1]
    return run.error


def facts(run: Run, node: str) -> list[dict[str, Any]]:
    text = run.outputs[node]["text"][0]
    return json.loads(text.split("\n\n", 1)[1])["pictures"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"target": "high", "strength": 4.0, "strength_map": "off"}, {"strength": 0.0}],
    ids=["defaults", "fixed target, no map", "strength 0"],
)
def test_the_chain_is_protect_image(client: ComfyClient, settings: dict[str, Any]) -> None:
    names = [client.upload(f"chain{seed}.png", picture(150, 230, seed)) for seed in (1, 2)]
    whole = client.run(protect_graph(*names, **settings))
    steps = client.run(chain_graph(*names, **settings))
    assert steps.status == "success", steps.events[-1]
    for saved in ("save image", "save difference", "save map"):
        if saved == "save map" and settings:  # without a map, or without a change
            continue
        assert_same(client.pictures(steps, saved), client.pictures(whole, saved))
    assert facts(steps, "report") == facts(whole, "report")


def test_the_chain_with_a_mask_is_protect_image(client: ComfyClient) -> None:
    name = client.upload("masked chain.png", picture(96, 120, 3))
    half = np.zeros((48, 60, 3), np.uint8)
    half[:, :30] = 200
    mask = client.upload("chain mask.png", half)
    runs: list[Run] = []
    for graph in (
        protect_graph(name, mask=["mask", 0]),
        chain_graph(name, mask=["mask", 0]),
    ):
        graph["load mask"] = {"class_type": "LoadImage", "inputs": {"image": mask}}
        inputs = {"image": ["load mask", 0], "channel": "red"}
        graph["mask"] = {"class_type": "ImageToMask", "inputs": inputs}
        runs.append(client.run(graph))
    pictures = [client.pictures(run, "save image") for run in runs]
    assert_same(*pictures)
    assert facts(runs[0], "report") == facts(runs[1], "report")


def test_what_the_steps_show(client: ComfyClient) -> None:
    name = client.upload("shown.png", picture(64, 64, 4))
    graph = chain_graph(name)
    for node, socket in (("loaded", ["mixture", 1]), ("assigned", ["assign", 1])):
        graph[node] = {"class_type": "PreviewAny", "inputs": {"source": socket}}
    run = client.run(graph)
    described = run.outputs["loaded"]["text"][0]
    assert "latent family sd1, η 8/255" in described
    assert json.loads(described.split("\n\n", 1)[1])["recipe"]["steps"] > 0
    [assigned], [applied] = facts(run, "assigned"), facts(run, "report")
    assert assigned.items() <= applied.items()
    assert assigned["group"] == int(np.argmin(assigned["group_distances"]))
    [preview] = client.pictures(run, "save preview")
    assert preview.shape == (512, 512, 3)
    assert preview.std() > 20
    told = b"".join(run.previews)
    assert find_mixture("sd1").name.encode() in told  # Load Mixture's line of text
    assert b"PSNR" in told  # Apply Perturbation's


class TestBadInput:
    def test_another_number_of_pictures(self, client: ComfyClient) -> None:
        names = [client.upload(f"count{seed}.png", picture(40, 40, seed)) for seed in (1, 2)]
        graph = chain_graph(names[0], strength_map="off")
        graph["apply"]["inputs"]["image"] = add_batch(graph, tuple(names))
        assert "perturbation: made for 1 picture(s), but 2 came" in failed(client, graph)
        graph = chain_graph(names[0])
        del graph["apply"], graph["save image"], graph["save difference"], graph["report"]
        graph["strength"]["inputs"]["image"] = add_batch(graph, tuple(names))
        assert "perturbation: made for 1 picture(s), but 2 came" in failed(client, graph)

    def test_a_map_of_a_wrong_batch(self, client: ComfyClient) -> None:
        graph = chain_graph(client.upload("batch.png", picture(40, 40)))
        graph["solid"] = {
            "class_type": "SolidMask",
            "inputs": {"value": 1.0, "width": 8, "height": 8},
        }
        graph["image"] = {"class_type": "MaskToImage", "inputs": {"mask": ["solid", 0]}}
        inputs = {"image": ["image", 0], "amount": 3}
        graph["three"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
        inputs = {"image": ["three", 0], "channel": "red"}
        graph["masks"] = {"class_type": "ImageToMask", "inputs": inputs}
        graph["apply"]["inputs"]["map"] = ["masks", 0]
        assert "map: expected one mask, or one for each of the 1 pictures" in failed(client, graph)

    def test_a_strangers_vae(self, client: ComfyClient) -> None:
        graph = chain_graph(client.upload("stranger.png", picture(40, 40)), vae="taesdxl")
        assert "made for the latent family 'sd1'" in failed(client, graph)

    @pytest.mark.parametrize(
        ("node", "given"),
        [
            ("mixture", {"name": "nowhere.safetensors"}),
            ("assign", {"target": "sideways"}),
            ("strength", {"visibility": "guessed"}),
            ("perturb", {"strength": 40.0}),
        ],
    )
    def test_is_refused_before_anything_runs(
        self, client: ComfyClient, node: str, given: dict[str, Any]
    ) -> None:
        graph = chain_graph(client.upload("bad.png", picture(16, 16)))
        del graph["save preview"]  # the one output that could still be made without a map
        graph[node]["inputs"].update(given)
        problem = client.refused(graph)[node]["errors"][0]
        assert next(iter(given)) in problem["details"]


def test_any_mask_may_stand_in_for_the_map(client: ComfyClient) -> None:
    """0 presses nowhere, 1 as without a map; alpha is kept."""
    name = client.upload("stand-in.png", picture(64, 64, 5))
    graph = chain_graph(name, strength_map="off")
    plain = client.pictures(client.run(graph), "save image")
    for value, expected in ((1.0, plain), (0.0, [picture(64, 64, 5)])):
        inputs = {"value": value, "width": 16, "height": 16}
        graph["solid"] = {"class_type": "SolidMask", "inputs": inputs}
        graph["apply"]["inputs"]["map"] = ["solid", 0]
        assert_same(client.pictures(client.run(graph), "save image"), expected)


def test_an_unprotected_picture_is_warned_of_at_once(client: ComfyClient) -> None:
    name = client.upload("unprotected.png", picture(64, 64, 6))
    assert not client.run(chain_graph(name, strength_map="off")).data_of("fixative.notice")
    run = client.run(chain_graph(name, strength_map="off", mask=["load 0", 1]))
    [notice] = run.data_of("fixative.notice")
    assert notice["text"].startswith("Picture 1: NOT PROTECTED: the mask is empty")
    assert notice["node_id"] == "apply"
