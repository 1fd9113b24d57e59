"""Protect Image in the real ComfyUI, through its HTTP and websocket API."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from fixative.codecs import load_codec
from fixative.mixture import find_mixture, load_mixture
from fixative.protections.base import Protected
from fixative.protector import Protector, ProtectSettings
from tests.host.client import ComfyClient, Pixels, Run
from tests.host.graphs import NODE, picture, protect_graph, repeated

pytestmark = pytest.mark.host


def engines_own(pictures: list[Pixels], mask: Any = None, **settings: Any) -> Protected:
    """What the engine makes of the same pictures with its own codec on the same weights."""
    images = torch.stack([torch.from_numpy(p).permute(2, 0, 1) / 255 for p in pictures])
    protector = Protector(load_codec(), load_mixture(), ProtectSettings(**settings))
    return protector.protect(images, mask=mask)


def as_pixels(images: torch.Tensor) -> list[Pixels]:
    return list((images * 255).round().byte().permute(0, 2, 3, 1).numpy())


def facts(run: Run) -> list[dict[str, Any]]:
    """The JSON part of the report."""
    text = run.outputs["report"]["text"][0]
    return json.loads(text.split("\n\n", 1)[1])["pictures"]


def assert_same(found: list[Pixels], expected: list[Pixels]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_batch_is_what_the_engine_makes_of_it(client: ComfyClient) -> None:
    pictures = [picture(96, 160, seed) for seed in (1, 2)]
    names = [client.upload(f"batch{i}.png", p) for i, p in enumerate(pictures)]
    run = client.run(protect_graph(*names))
    assert run.status == "success", run.events[-1]
    own = engines_own(pictures)

    own_pixels = as_pixels(own.image)
    assert_same(client.pictures(run, "save image"), own_pixels)
    changes = [np.abs(a.astype(int) - b).max() for a, b in zip(own_pixels, pictures, strict=True)]
    assert all(0 < change <= 8 for change in changes)
    shown = as_pixels((0.5 + 10 * own.perturbation).clamp(0, 1))
    for found, expected in zip(client.pictures(run, "save difference"), shown, strict=True):
        assert np.abs(found.astype(int) - expected).max() <= 1  # SaveImage cuts, not rounds
    maps = (own.strength_map.clamp(0, 1) * 255).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    for found, expected in zip(client.pictures(run, "save map"), maps, strict=True):
        assert np.abs(found - expected).max() <= 1.01


def test_the_report_and_the_progress(client: ComfyClient) -> None:
    pictures = [picture(64, 64, seed) for seed in (3, 4)]
    names = [client.upload(f"report{i}.png", p) for i, p in enumerate(pictures)]
    graph = protect_graph(*names, strength_map="off", strength=6.0)
    run = client.run(graph)
    own = engines_own(pictures, strength_map="off", strength=6.0)

    for found, expected in zip(facts(run), own.reports, strict=True):
        assert found["group"] == expected.group
        assert found["target"] == expected.target
        # The host's latents, scaled as the engine's: wrong factors would show here first.
        assert found["group_distances"] == pytest.approx(expected.group_distances, rel=1e-3)
        assert found["entropy"] == pytest.approx(expected.entropy, abs=5e-3)
        assert found["max_change"] == pytest.approx(expected.max_change)
        assert 0 < found["max_change"] <= 6.001
        assert found["psnr"] == pytest.approx(expected.psnr, abs=0.01)
    assert "NOT PROTECTED" not in run.outputs["report"]["text"][0]

    steps = [data["value"] for data in run.data_of("progress") if data["node"] == NODE]
    assert steps[-1] == 2
    texts = [message for message in run.previews if b"largest change" in message]
    pictures_shown = [message for message in run.previews if b"JFIF" in message]
    assert len(texts) == 2
    assert len(pictures_shown) == 2

    again = client.run(graph)
    assert NODE in again.data_of("execution_cached")[0]["nodes"]


@pytest.mark.parametrize("size", [(67, 101), (1, 1)])
def test_odd_sizes_and_a_mixture_by_name(client: ComfyClient, size: tuple[int, int]) -> None:
    odd = picture(*size, seed=5)
    name = client.upload(f"odd{size[0]}.png", odd)
    chosen = {"mixture": find_mixture("sd1").name, "target": "mid", "strength_map": "off"}
    run = client.run(protect_graph(name, **chosen))
    assert run.status == "success", run.events[-1]
    assert_same(
        client.pictures(run, "save image"),
        as_pixels(engines_own([odd], target="mid", strength_map="off").image),
    )


def test_alpha_is_kept(client: ComfyClient) -> None:
    opaque = picture(48, 80, seed=6)
    alpha = np.linspace(0, 255, 80).astype(np.uint8)[None].repeat(48, 0)
    name = client.upload("alpha.png", np.dstack([opaque, alpha]))
    graph = protect_graph(name, strength_map="off")
    joined = {"image": ["load 0", 0], "alpha": ["load 0", 1]}
    graph["join"] = {"class_type": "JoinImageWithAlpha", "inputs": joined}
    graph[NODE]["inputs"]["image"] = ["join", 0]
    [found] = client.pictures(client.run(graph), "save image")
    assert found.shape == (48, 80, 4)
    assert np.abs(found[..., 3].astype(int) - alpha).max() <= 1
    assert_same([found[..., :3]], as_pixels(engines_own([opaque], strength_map="off").image))


class TestMask:
    def graph(self, client: ComfyClient, count: int, masks: int) -> tuple[list[Pixels], Any]:
        pictures = [picture(64, 96, seed) for seed in range(count)]
        names = [client.upload(f"masked{i}.png", p) for i, p in enumerate(pictures)]
        left = np.zeros((32, 48, 3), np.uint8)  # of another size than the pictures
        left[:, :24] = 255
        graph = protect_graph(*names, strength_map="off", mask=["mask", 0])
        name = client.upload("mask.png", left)
        graph["load mask"] = {"class_type": "LoadImage", "inputs": {"image": name}}
        inputs = {"image": ["load mask", 0], "amount": masks}
        graph["masks"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
        inputs = {"image": ["masks", 0], "channel": "red"}
        graph["mask"] = {"class_type": "ImageToMask", "inputs": inputs}
        return pictures, graph

    @pytest.mark.parametrize("masks", [1, 2])
    def test_only_what_it_covers_changes(self, client: ComfyClient, masks: int) -> None:
        pictures, graph = self.graph(client, 2, masks)
        run = client.run(graph)
        assert run.status == "success", run.events[-1]
        for before, after in zip(pictures, client.pictures(run, "save image"), strict=True):
            np.testing.assert_array_equal(after[:, 50:], before[:, 50:])
            assert 0 < np.abs(after[:, :46].astype(int) - before[:, :46]).max() <= 8
        assert "Only the masked 50% of it is protected" in run.outputs["report"]["text"][0]

    def test_of_a_wrong_batch_is_refused(self, client: ComfyClient) -> None:
        _, graph = self.graph(client, 2, 3)
        run = client.run(graph)
        assert run.status == "error"
        assert "one for each of the 2 pictures" in run.error

    def test_an_empty_one_is_said_to_protect_nothing(self, client: ComfyClient) -> None:
        """What LoadImage gives with a picture that has no alpha."""
        name = client.upload("nomask.png", picture(64, 64))
        run = client.run(protect_graph(name, strength_map="off", mask=["load 0", 1]))
        assert "NOT PROTECTED: the mask is empty" in run.outputs["report"]["text"][0]


def test_strength_0_changes_nothing(client: ComfyClient) -> None:
    before = picture(50, 70, seed=8)
    run = client.run(protect_graph(client.upload("zero.png", before), strength=0.0))
    assert_same(client.pictures(run, "save image"), [before])
    assert "NOT PROTECTED: strength is 0" in run.outputs["report"]["text"][0]


def test_a_vae_of_no_known_family_is_refused(client: ComfyClient) -> None:
    """The host itself loads such a file without a word."""
    name = client.upload("stranger.png", picture(64, 64))
    run = client.run(protect_graph(name, vae="taesdxl"))
    assert run.status == "error"
    assert "family: unknown" in run.error
    assert "sd1" in run.error
    assert "models/fixative" in run.error


def test_an_interrupted_run_leaves_the_host_usable(client: ComfyClient) -> None:
    before = picture(64, 64, seed=9)
    name = client.upload("many.png", before)

    def stop_after_the_first(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress" and data["node"] == NODE:
            client.interrupt()

    graph = repeated(protect_graph(name, strength_map="off"), 30)
    stopped = client.run(graph, listener=stop_after_the_first)
    assert stopped.status == "interrupted"
    done = [data["value"] for data in stopped.data_of("progress") if data["node"] == NODE]
    assert 1 <= max(done) < 30
    assert "save image" not in stopped.outputs

    run = client.run(protect_graph(name, strength_map="off"))
    assert_same(
        client.pictures(run, "save image"),
        as_pixels(engines_own([before], strength_map="off").image),
    )
