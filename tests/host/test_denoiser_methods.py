"""Countermeasures and protections that look through the graph's MODEL, in the real ComfyUI."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.countermeasures import Resources, make_countermeasure
from fixative.mimicry.testbed import TestbedDenoiser, load_testbed
from tests.host.client import ComfyClient, Graph, Pixels
from tests.host.platform_graphs import BEFORE, NODE, facts, failed, platform_graph, stopped, told

pytest.importorskip("diffusers")
pytestmark = pytest.mark.host

COUNTER, ITERATIVE = "FixativeCountermeasure", "FixativeIterativeProtection"
#: Outputs of Load Testbed.
MODEL, VAE, POSITIVE, EMPTY = range(4)


def on_testbed(client: ComfyClient, node: str, *, told_as: int = EMPTY, **settings: Any) -> Graph:
    """A graph of the platform whose model and VAE are the testbed's."""
    graph = platform_graph(client, node, vae=None, **settings)
    inputs = {"caption": "painting"}
    graph["testbed"] = {"class_type": "FixativeLoadTestbed", "inputs": inputs}
    wired = {"model": MODEL, "vae": VAE, "positive": told_as}
    graph[NODE]["inputs"] |= {name: ["testbed", number] for name, number in wired.items()}
    return graph


def engine(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels.copy()).movedim(-1, 0)[None].float() / 255


class TestCountermeasures:
    @pytest.mark.parametrize("chain", ["img2img:0.4,steps=2", "diffpure:4+jpeg", "gridpure:2,t=2"])
    def test_they_are_the_engine_s(self, client: ComfyClient, chain: str) -> None:
        run = client.run(on_testbed(client, COUNTER, chain=chain, seed=3))
        [found] = client.pictures(run, "image")
        resources = Resources(load_codec(), denoiser=TestbedDenoiser(load_testbed()))
        expected = make_countermeasure(chain, resources, seed=3).purify(engine(BEFORE)).image
        away = (engine(found) - expected).abs() * 255
        assert away.mean() < 0.2  # both round, and sum in another order
        assert (engine(found) - engine(BEFORE)).abs().mean() * 255 > 1
        assert chain.partition(":")[0] in told(run).splitlines()[0]

    def test_what_the_model_is_told_counts(self, client: ComfyClient) -> None:
        asked = {"kind": "img2img", "settings": "0.6, steps=2"}
        graphs = (
            on_testbed(client, COUNTER, told_as=which, **asked) for which in (EMPTY, POSITIVE)
        )
        [nothing], [painting] = (client.pictures(client.run(graph), "image") for graph in graphs)
        assert not np.array_equal(nothing, painting)

    def test_what_is_missing_is_named(self, client: ComfyClient) -> None:
        graph = on_testbed(client, COUNTER, chain="diffpure:2+gridpure:1")
        inputs = graph[NODE]["inputs"]
        without = {**graph, NODE: {**graph[NODE], "inputs": {**inputs}}}
        del without[NODE]["inputs"]["positive"]
        assert "positive: diffpure, gridpure looks through a diffusion model" in failed(
            client, without
        )
        del without[NODE]["inputs"]["model"]
        assert "model: diffpure, gridpure looks through a diffusion model; connect" in failed(
            client, without
        )
        del without[NODE]["inputs"]["vae"]
        assert "vae: diffpure, gridpure looks through one" in failed(client, without)

    def test_a_model_of_other_latents_is_refused(self, client: ComfyClient) -> None:
        for node, name, value in ((COUNTER, "kind", "img2img"), (ITERATIVE, "method", "advdm")):
            graph = on_testbed(client, node)
            graph[NODE]["inputs"][name] = value
            graph["vae"] = {"class_type": "VAELoader", "inputs": {"vae_name": "taesdxl"}}
            graph[NODE]["inputs"]["vae"] = ["vae", 0]
            assert "model: it works in latents of the family 'sd1', but the VAE makes" in failed(
                client, graph
            )


class TestProtections:
    @pytest.mark.parametrize(("method", "up"), [("advdm", True), ("sds", False)])
    def test_those_without_a_target_move_the_loss(
        self, client: ComfyClient, method: str, up: bool
    ) -> None:
        run = client.run(on_testbed(client, ITERATIVE, method=method, steps=10))
        assert f"by {method}:10, strength 8/255" in told(run)
        [one] = facts(run)["pictures"]
        moved, by_chance = one["loss"] - one["before"], abs(one["noise"] - one["before"])
        assert (moved if up else -moved) > by_chance + 0.01 * one["before"]
        assert len(one["losses"]) == 10
        assert 0 < one["max_change"] <= 8.001
        [saved] = client.pictures(run, "image")
        assert 0 < np.abs(saved.astype(int) - BEFORE).max() <= 8
        [curve] = client.pictures(run, "curve")
        assert (curve < 200).mean() > 0.005
        assert any(b"step 10/10: loss 0." in message for message in run.previews)

    def test_the_fused_one_pulls_to_its_texture(self, client: ComfyClient) -> None:
        run = client.run(on_testbed(client, ITERATIVE, method="mist-fused", steps=6))
        [one] = facts(run)["pictures"]
        assert one["target"] == "pattern"
        assert one["pull"] > one["noise"] + 0.02
        assert any(b", denoising 0." in message for message in run.previews)

    def test_a_model_is_asked_for(self, client: ComfyClient) -> None:
        graph = platform_graph(client, ITERATIVE, method="sds")
        assert "model: sds looks through a diffusion model; connect Load Testbed" in failed(
            client, graph
        )
        with_term = on_testbed(client, ITERATIVE, method="advdm", consistency=30.0)
        assert "consistency: advdm has no such term" in failed(client, with_term)

    def test_a_stop_leaves_the_host_usable(self, client: ComfyClient) -> None:
        graph = on_testbed(client, ITERATIVE, method="sds", steps=500)
        assert stopped(client, graph, after=4).status == "interrupted"
        again = client.run(on_testbed(client, ITERATIVE, method="sds", steps=1))
        assert "by sds:1, strength 8/255" in told(again)
