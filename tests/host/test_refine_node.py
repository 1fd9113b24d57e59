"""Refine Perturbation in the real ComfyUI: the whole chain over HTTP."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.codecs import load_codec
from fixative.images import resize
from fixative.metrics import pull
from fixative.mixture import load_mixture
from fixative.protections.noise import RandomNoise
from tests.host.client import ComfyClient, Graph, Pixels, Run
from tests.host.graphs import chain_graph, picture

pytestmark = pytest.mark.host

SIZE = (80, 104)
BEFORE = picture(*SIZE, 3)


def refine_graph(
    *names: str, steps: int = 3, step_size: float = 1.0, vae: str = "taesd", **settings: Any
) -> Graph:
    """The step-by-step chain with Refine Perturbation before Apply Perturbation."""
    graph = chain_graph(*names, strength_map="off", vae=vae, **settings)
    image = graph["apply"]["inputs"]["image"]
    inputs = {"image": image, "vae": ["vae", 0], "perturbation": ["perturb", 0]}
    inputs |= {"steps": steps, "step_size": step_size}
    graph["refine"] = {"class_type": "FixativeRefinePerturbation", "inputs": inputs}
    graph["apply"]["inputs"]["perturbation"] = ["refine", 0]
    graph["save curve"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["refine", 1], "filename_prefix": "curve"},
    }
    graph["refined"] = {"class_type": "PreviewAny", "inputs": {"source": ["refine", 2]}}
    return graph


def one_picture(client: ComfyClient, **settings: Any) -> Graph:
    """Of always the same picture: the host need not assign it again from test to test."""
    return refine_graph(client.upload("refine one.png", BEFORE), **settings)


def facts(run: Run, node: str) -> dict[str, Any]:
    return json.loads(run.outputs[node]["text"][0].split("\n\n", 1)[1])


def reached(before: Pixels, after: Pixels | torch.Tensor, target: str) -> float:
    """Pull by the engine's own codec, at the picture's own size."""
    codec, mixture = load_codec(), load_mixture()
    pair = [
        p if isinstance(p, torch.Tensor) else torch.tensor(p).permute(2, 0, 1)[None] / 255
        for p in (before, after)
    ]
    with torch.no_grad():
        original, changed = (codec.encode(image) for image in pair)
    goal = mixture.target_latents[mixture.target_names.index(target)][None]
    return pull(changed, original, resize(goal, *original.shape[-2:])).item()


def test_the_pull_rises_and_the_budget_holds(client: ComfyClient) -> None:
    pictures = [picture(*SIZE, seed) for seed in (1, 2)]
    names = [client.upload(f"refine{i}.png", p) for i, p in enumerate(pictures)]
    run = client.run(refine_graph(*names))
    assert run.status == "success", run.events[-1]

    told, applied = facts(run, "refined")["pictures"], facts(run, "report")["pictures"]
    saved = client.pictures(run, "save image")
    for before, after, one, report in zip(pictures, saved, told, applied, strict=True):
        assert len(one["pulls"]) == 4
        assert one["pull"] == max(one["pulls"]) > one["pulls"][0] + 0.01
        assert one["memory"] == "whole picture"
        assert 0 < np.abs(after.astype(int) - before).max() <= 8
        assert reached(before, after, report["target"]) == pytest.approx(one["pull"], abs=1e-3)
        image = torch.from_numpy(before).permute(2, 0, 1)[None] / 255
        noisy = RandomNoise().protect(image).image
        assert one["pull"] > reached(before, noisy, report["target"]) + 0.03
    lines = run.outputs["refined"]["text"][0].splitlines()
    assert lines[0] == ("Refined: 2 picture(s), VAE family sd1, strength 8/255, 3 steps from 1/255")
    assert lines[1].startswith(f"1: pull {told[0]['pulls'][0]:.3f} at the start, ")

    [curve] = client.pictures(run, "save curve")
    assert curve.shape == (400, 640, 3)
    assert (curve < 200).mean() > 0.005
    assert_progress_was_shown(run)


def assert_progress_was_shown(run: Run) -> None:
    steps = [data["value"] for data in run.data_of("progress") if data["node"] == "refine"]
    assert steps[-1] == 8
    texts = [message for message in run.previews if b"pull 0." in message]
    assert len(texts) == 8
    shown = [message for message in run.previews if b"JFIF" in message]
    assert len(shown) >= 6
    live = Image.open(io.BytesIO(shown[-1][shown[-1].index(b"\xff\xd8\xff") :]))
    assert live.size == (512, 320)


def test_a_soft_map_and_a_mask_bound_it(client: ComfyClient) -> None:
    graph = one_picture(client, steps=2, step_size=8.0)
    half = np.zeros((40, 52, 3), np.uint8)
    half[:, :26] = 255
    name = client.upload("refine mask.png", half)
    graph["load mask"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    inputs = {"image": ["load mask", 0], "channel": "red"}
    graph["mask"] = {"class_type": "ImageToMask", "inputs": inputs}
    inputs = {"value": 0.5, "width": 16, "height": 16}
    graph["map"] = {"class_type": "SolidMask", "inputs": inputs}
    graph["refine"]["inputs"] |= {"map": ["map", 0], "mask": ["mask", 0]}
    run = client.run(graph)
    assert run.status == "success", run.events[-1]
    [after] = client.pictures(run, "save image")
    change = np.abs(after.astype(int) - BEFORE)
    assert change[:, 56:].max() == 0
    assert change[:, :48].max() == 4


def test_a_stop_leaves_the_host_usable(client: ComfyClient) -> None:
    def stop_soon(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress" and data["node"] == "refine" and data["value"] == 3:
            client.interrupt()

    stopped = client.run(one_picture(client, steps=200), listener=stop_soon)
    assert stopped.status == "interrupted"
    done = [data["value"] for data in stopped.data_of("progress") if data["node"] == "refine"]
    assert 3 <= max(done) < 100
    assert "save image" not in stopped.outputs
    again = client.run(one_picture(client, steps=1))
    assert again.status == "success", again.events[-1]


class TestBadInput:
    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"steps": 0}, "value_smaller_than_min"),
            ({"steps": 1001}, "value_bigger_than_max"),
            ({"step_size": 0.0}, "value_smaller_than_min"),
            ({"perturbation": ["vae", 0]}, "return_type_mismatch"),
        ],
    )
    def test_is_refused_before_anything_runs(
        self, client: ComfyClient, given: dict[str, Any], problem: str
    ) -> None:
        graph = one_picture(client)
        del graph["save preview"]  # the one output that could still be made
        graph["refine"]["inputs"].update(given)
        [error] = client.refused(graph)["refine"]["errors"]
        assert error["type"] == problem
        assert next(iter(given)) in error["details"]

    def failed(self, client: ComfyClient, graph: Graph) -> str:
        run = client.run(graph)
        assert run.status == "error", run.events[-1]
        return run.error

    def test_another_vae_than_the_one_assigned_with(self, client: ComfyClient) -> None:
        graph = one_picture(client)
        inputs = {"vae_name": "taesdxl"}
        graph["other"] = {"class_type": "VAELoader", "inputs": inputs}
        graph["refine"]["inputs"]["vae"] = ["other", 0]
        assert "refine with the VAE that the pictures were assigned with" in self.failed(
            client, graph
        )
        graph["other"]["inputs"]["vae_name"] = "pixel_space"
        assert "vae: pixel_space and the VAEs of sound" in self.failed(client, graph)

    def test_refined_twice_or_mapped_twice(self, client: ComfyClient) -> None:
        graph = one_picture(client, steps=1)
        solid = {"value": 1.0, "width": 16, "height": 16}
        graph["map"] = {"class_type": "SolidMask", "inputs": solid}
        graph["apply"]["inputs"]["map"] = ["map", 0]
        assert "perturbation: a strength map is in it already" in self.failed(client, graph)
        del graph["apply"]["inputs"]["map"]
        inputs = {**graph["refine"]["inputs"], "perturbation": ["refine", 0]}
        graph["second"] = {"class_type": "FixativeRefinePerturbation", "inputs": inputs}
        graph["apply"]["inputs"]["perturbation"] = ["second", 0]
        assert "perturbation: it is refined already" in self.failed(client, graph)

    def test_another_number_of_pictures_or_maps(self, client: ComfyClient) -> None:
        graph = one_picture(client, steps=1)
        inputs = {"image": graph["refine"]["inputs"]["image"], "amount": 2}
        graph["repeat"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
        graph["refine"]["inputs"]["image"] = ["repeat", 0]
        assert "perturbation: made for 1 picture(s), but 2 came" in self.failed(client, graph)
