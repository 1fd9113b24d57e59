"""Purify, Countermeasure, Iterative Protection and Inspect in the real ComfyUI."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.codecs import load_codec
from fixative.countermeasures import make_countermeasure
from tests.host.client import ComfyClient, Graph
from tests.host.platform_graphs import (
    BEFORE,
    NODE,
    SIZE,
    facts,
    failed,
    platform_graph,
    progress_of,
    refused,
    stopped,
    told,
)

pytestmark = pytest.mark.host

PURIFY, COUNTER = "FixativePurify", "FixativeCountermeasure"
ITERATIVE, INSPECT = "FixativeIterativeProtection", "FixativeInspect"


def engine(pixels: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255


class TestPurify:
    def test_the_loss_falls_and_is_drawn(self, client: ComfyClient) -> None:
        run = client.run(platform_graph(client, PURIFY, iterations=40, count=2))
        assert "by IMPRESS, preset fast (at most 40 steps), VAE family sd1" in told(run)
        assert "perceptual distance learned (the built-in stand-in" in told(run)
        pictures = facts(run)["pictures"]
        assert len(pictures) == 2
        for one in pictures:
            assert (one["steps"], one["tiles"]) == (40, 1)
            assert one["loss"] == pytest.approx(min(one["curve"]["loss"]), rel=1e-4)
            assert one["loss"] < 0.8 * one["curve"]["loss"][0]
        first, second = client.pictures(run, "image")
        assert np.array_equal(first, second)  # the same picture, the same seed
        assert first.shape == (*SIZE, 3)
        codec = load_codec()
        with torch.no_grad():
            before, after = (
                (codec.reconstruct(x) - x).square().mean() for x in map(engine, (BEFORE, first))
            )
        assert after < 0.5 * before  # the picture that was saved agrees with the VAE
        [curve] = client.pictures(run, "curve")
        assert curve.shape == (400, 640, 3)
        assert progress_of(run)[-1] == 2000
        texts = [message for message in run.previews if b"consistency 0." in message]
        assert len(texts) >= 8
        shown = [message for message in run.previews if b"JFIF" in message]
        live = Image.open(io.BytesIO(shown[-1][shown[-1].index(b"\xff\xd8\xff") :]))
        assert live.height > live.width  # the picture above its curve

    def test_a_stop_leaves_the_host_usable(self, client: ComfyClient) -> None:
        graph = platform_graph(client, PURIFY, preset="photoguard", iterations=0)
        run = stopped(client, graph, after=2)
        assert run.status == "interrupted"
        assert max(progress_of(run)) < 500
        assert "image" not in run.outputs
        again = client.run(platform_graph(client, PURIFY, preset="glaze", iterations=1))
        assert "preset glaze (at most 1 steps)" in told(again)

    def test_alpha_is_kept(self, client: ComfyClient) -> None:
        graph = platform_graph(client, PURIFY, iterations=1)
        graph["mask"] = {
            "class_type": "SolidMask",
            "inputs": {"value": 0.25, "width": SIZE[1], "height": SIZE[0]},
        }
        joined = {"image": ["batch", 0], "alpha": ["mask", 0]}
        graph["rgba"] = {"class_type": "JoinImageWithAlpha", "inputs": joined}
        graph[NODE]["inputs"]["image"] = ["rgba", 0]
        [saved] = client.pictures(client.run(graph), "image")
        assert saved.shape == (*SIZE, 4)
        assert set(saved[..., 3].flatten().tolist()) == {191}

    def test_bad_input(self, client: ComfyClient) -> None:
        def bad(**settings: Any) -> Graph:
            return platform_graph(client, PURIFY, **settings)

        assert "preset: expected one of photoguard, glaze, fast" in refused(
            client, bad(preset="quick")
        )
        assert "distance: expected one of best" in refused(client, bad(distance="dists"))
        assert "value_bigger_than_max" in refused(client, bad(iterations=10_001))
        assert "vae: pixel_space" in failed(client, bad(vae="pixel_space"))


class TestCountermeasure:
    @pytest.mark.parametrize(
        "asked",
        [
            {"kind": "jpeg", "settings": "40"},
            {"kind": "noise", "settings": "sigma=0.1", "seed": 7},
            {"kind": "bits", "chain": "jpeg:75+resize:0.5"},
        ],
    )
    def test_it_is_the_engine_s(self, client: ComfyClient, asked: dict[str, Any]) -> None:
        run = client.run(platform_graph(client, COUNTER, vae=None, **asked))
        written = asked.get("chain") or f"{asked['kind']}:{asked['settings'].rpartition('=')[2]}"
        assert f"Countermeasure: 1 picture(s), {written}\n" in told(run)
        method = make_countermeasure(written, seed=asked.get("seed", 0))
        expected = method.purify(engine(BEFORE)).image
        [saved] = client.pictures(run, "image")
        assert torch.equal((engine(saved) * 255).round(), (expected * 255).round())
        assert progress_of(run)[-1] == 1000

    def test_those_that_look_through_the_vae(self, client: ComfyClient) -> None:
        run = client.run(platform_graph(client, COUNTER, kind="roundtrip"))
        [saved] = client.pictures(run, "image")
        with torch.no_grad():
            expected = load_codec().reconstruct(engine(BEFORE)).clamp(0, 1)
        assert (engine(saved) - expected).abs().max() < 1.5 / 255
        chained = client.run(platform_graph(client, COUNTER, chain="jpeg:60+impress:fast,steps=2"))
        assert "jpeg:60+impress:fast,steps=2" in told(chained)
        assert facts(chained)["pictures"][0]["links"][1]["steps"] == 2

    def test_bad_input(self, client: ComfyClient) -> None:
        def bad(**settings: Any) -> Graph:
            return platform_graph(client, COUNTER, vae=None, **settings)

        cases = {
            "kind: expected one of noise, jpeg": {"kind": "blur"},
            "settings: countermeasure jpeg: expected quality from 1 to 95": {"settings": "200"},
            "did you mean jpeg": {"chain": "jpg:75"},
            "chain: average learns from pictures before and after": {"chain": "average"},
            "write several in a row into chain": {"settings": "75+resize:0.5"},
            "value_smaller_than_min": {"seed": -1},
        }
        for message, settings in cases.items():
            assert message in refused(client, bad(**settings)), message
        assert "vae: roundtrip looks through one; connect Load VAE" in failed(
            client, bad(kind="roundtrip")
        )


class TestIterativeProtection:
    def test_it_pulls_more_than_noise_within_the_budget(self, client: ComfyClient) -> None:
        run = client.run(platform_graph(client, ITERATIVE, method="photoguard to zero", steps=5))
        assert "by photoguard:5,goal=zero, strength 8/255, VAE family sd1" in told(run)
        [one] = facts(run)["pictures"]
        assert one["target"] == "zero"
        assert one["pull"] > one["noise"] + 0.1
        assert len(one["pulls"]) == 5
        assert one["pulls"][0] == 0
        assert one["pulls"][-1] > 0.1
        [saved] = client.pictures(run, "image")
        assert 0 < np.abs(saved.astype(int) - BEFORE).max() <= 8
        [difference] = client.pictures(run, "difference")
        assert difference.std() > 10
        [curve] = client.pictures(run, "curve")
        assert (curve < 200).mean() > 0.005
        assert sum(b"pull " in message for message in run.previews) >= 6

    @pytest.mark.parametrize(
        ("settings", "written"),
        [
            ({"method": "photoguard"}, "photoguard:2,"),
            ({"method": "mist", "consistency": 30.0}, "mist:2,consistency=30,"),
            ({"method": "glaze"}, "glaze:2,"),
            ({"method": "universal"}, "universal:mid,"),
            ({"method": "noise"}, "noise,"),
        ],
    )
    def test_every_method_runs(
        self, client: ComfyClient, settings: dict[str, Any], written: str
    ) -> None:
        run = client.run(platform_graph(client, ITERATIVE, steps=2, **settings))
        assert f"by {written} strength 8/255" in told(run)
        [one] = facts(run)["pictures"]
        assert 0 < one["max_change"] <= 8.001
        if settings["method"] == "noise":
            assert one["pull"] == one["noise"]

    def test_a_mask_bounds_it(self, client: ComfyClient) -> None:
        half = np.zeros((*SIZE, 3), np.uint8)
        half[:, :40] = 255
        graph = platform_graph(client, ITERATIVE, method="photoguard to zero", steps=1)
        name = client.upload("platform mask.png", half)
        graph["white"] = {"class_type": "LoadImage", "inputs": {"image": name}}
        inputs = {"image": ["white", 0], "channel": "red"}
        graph["mask"] = {"class_type": "ImageToMask", "inputs": inputs}
        graph[NODE]["inputs"]["mask"] = ["mask", 0]
        [saved] = client.pictures(client.run(graph), "image")
        change = np.abs(saved.astype(int) - BEFORE)
        assert change[:, 40:].max() == 0
        assert change[:, :40].max() > 0

    def test_a_stop_leaves_the_host_usable(self, client: ComfyClient) -> None:
        graph = platform_graph(client, ITERATIVE, method="photoguard to zero", steps=0, count=2)
        run = stopped(client, graph, after=10)  # of 2000: in the second of 200 steps
        assert run.status == "interrupted"
        assert max(progress_of(run)) < 500
        again = client.run(platform_graph(client, ITERATIVE, method="photoguard mid", steps=1))
        assert "photoguard:1,goal=mid" in told(again)

    def test_bad_input(self, client: ComfyClient) -> None:
        def bad(**settings: Any) -> Graph:
            return platform_graph(client, ITERATIVE, **settings)

        assert "method: expected one of photoguard" in refused(client, bad(method="PGD"))
        assert "value_bigger_than_max" in refused(client, bad(strength=33.0))
        assert "value_bigger_than_max" in refused(client, bad(steps=5001))
        assert "consistency: glaze has no such term; set it to 0" in failed(
            client, bad(method="glaze", consistency=30.0)
        )
        unknown = failed(client, bad(vae="taesdxl"))  # a stranger's, of no family
        assert "family 'unknown', which has no mixture here" in unknown
        assert "photoguard low, mid, high or to zero" in unknown
