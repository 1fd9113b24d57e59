"""Protection Report in the real ComfyUI: figures as the engine's own, and its plot."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.mixture import find_mixture, load_mixture
from fixative.perceptual import load_visibility_map
from fixative.protector import Protector, ProtectSettings
from fixative.reporting import PictureFigures, Reporter, ReportSettings, mixture_digest
from tests.host.client import BadRequestError, ComfyClient, Graph, Pixels, Run
from tests.host.graphs import NODE, picture, protect_graph

pytestmark = pytest.mark.host

REPORT = "measure"
DEFAULTS: dict[str, Any] = {"target": "auto", "lpips": "learned", "pgd_steps": 0}


def report_graph(*pictures: str, vae: str = "taesd", **settings: Any) -> Graph:
    """Protect pictures without a map, and measure them."""
    graph = protect_graph(*pictures, vae=vae, strength_map="off")
    for name in ("map", *(f"save {one}" for one in ("image", "map", "difference")), "report"):
        del graph[name]
    original = graph[NODE]["inputs"]["image"]
    wires = {"original": original, "protected": [NODE, 0], "vae": ["vae", 0]}
    graph[REPORT] = {
        "class_type": "FixativeProtectionReport",
        "inputs": {**wires, **DEFAULTS, **settings},
    }
    graph["plot"] = {
        "class_type": "SaveImage",
        "inputs": {"images": [REPORT, 0], "filename_prefix": "plot"},
    }
    for name, output in (("text", 1), ("json", 2)):
        graph[name] = {"class_type": "PreviewAny", "inputs": {"source": [REPORT, output]}}
    return graph


def facts(run: Run) -> dict[str, Any]:
    assert run.status == "success", run.events[-1]
    return json.loads(run.outputs["json"]["text"][0])


def images_of(pictures: list[Pixels]) -> Tensor:
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) / 255 for p in pictures])


def engines_own(pictures: list[Pixels], target: str = "auto", steps: int = 0) -> Any:
    """The same pictures protected and measured by the engine alone."""
    codec, mixture, before = load_codec(), load_mixture(), images_of(pictures)
    after = Protector(codec, mixture, ProtectSettings(strength_map="off")).protect(before).image
    settings = ReportSettings(target, steps)
    visibility = load_visibility_map("learned")
    reporter = Reporter(codec, mixture, visibility, settings, gradients=codec)
    return [reporter.measure(before[i : i + 1], after[i : i + 1]) for i in range(len(before))]


def assert_same(found: dict[str, Any], expected: PictureFigures) -> None:
    assert found["target"] == expected.target
    assert set(found) == {"target", "control_strength", *expected.versions}
    for name, figures in expected.versions.items():
        assert found[name]["pull"] == pytest.approx(figures.pull, abs=2e-3)
        assert found[name]["shift"] == pytest.approx(figures.shift, rel=2e-2, abs=1e-4)
        assert found[name]["visibility"] == pytest.approx(figures.visibility, rel=1e-2, abs=1e-4)
        assert found[name]["max_change"] == pytest.approx(figures.max_change, abs=1e-3)
        assert found[name]["mean_change"] == pytest.approx(figures.mean_change, rel=1e-2)
        assert found[name]["psnr"] == pytest.approx(figures.psnr, abs=0.1)


def test_the_figures_are_the_engines(client: ComfyClient) -> None:
    pictures = [picture(96, 120, seed) for seed in (31, 32)]
    names = [client.upload(f"m{i}.png", p) for i, p in enumerate(pictures)]
    run = client.run(report_graph(*names))
    report = facts(run)
    for found, expected in zip(report["pictures"], engines_own(pictures), strict=True):
        assert_same(found, expected)
        assert found["protected"]["pull"] > found["noise"]["pull"] + 0.02
        assert found["noise"]["max_change"] == pytest.approx(found["protected"]["max_change"])
    assert report["vae"]["family"] == "sd1"
    assert report["vae"]["score"] > 0.9
    assert report["mixture"]["name"] == find_mixture("sd1").name
    assert report["mixture"]["sha256_of_tensors"] == mixture_digest(load_mixture())
    assert {"fixative", "torch", "python"} <= set(report["versions"])

    text = run.outputs["text"]["text"][0]
    assert f"pull {report['pictures'][1]['protected']['pull']:.3f} (random noise" in text
    assert "LPIPS (stand-in)" in text
    [plot] = client.pictures(run, "plot")
    assert plot.shape == (640, 640, 3)
    assert len(np.unique(plot.reshape(-1, 3), axis=0)) > 50
    steps = [data["value"] for data in run.data_of("progress") if data["node"] == REPORT]
    assert max(steps) == 2
    assert any(b"2/2: pull" in message for message in run.previews)


def test_pgd_as_an_upper_mark(client: ComfyClient) -> None:
    """Through the stock loader's VAE, whose weights autograd refuses."""
    pixels = picture(64, 64, seed=33)
    graph = report_graph(client.upload("pgd.png", pixels), pgd_steps=3, target="mid")
    run = client.run(graph)
    [found] = facts(run)["pictures"]
    assert_same(found, engines_own([pixels], "mid", 3)[0])
    assert found["pgd"]["pull"] > found["noise"]["pull"] + 0.02
    assert found["pgd"]["max_change"] <= found["protected"]["max_change"] + 0.01
    assert "PGD in 3 steps" in run.outputs["text"]["text"][0]
    steps = [data["value"] for data in run.data_of("progress") if data["node"] == REPORT]
    assert max(steps) == 4


def test_a_pgd_can_be_stopped(client: ComfyClient) -> None:
    def stop(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress" and data["node"] == REPORT:
            client.interrupt()

    name = client.upload("stop.png", picture(64, 64, seed=34))
    stopped = client.run(report_graph(name, pgd_steps=300), listener=stop)
    assert stopped.status == "interrupted"
    assert client.run(report_graph(name)).status == "success"


def test_a_mixture_and_a_target_of_ones_own(client: ComfyClient) -> None:
    name = client.upload("own.png", picture(64, 64, seed=35))
    graph = report_graph(name, target="high", mixture=["mixture", 0])
    inputs = {"name": find_mixture("sd1").name}
    graph["mixture"] = {"class_type": "FixativeLoadMixture", "inputs": inputs}
    report = facts(client.run(graph))
    assert report["pictures"][0]["target"] == "high"
    assert report["settings"]["target"] == "high"


def test_unprotected_pictures_are_said_to_be(client: ComfyClient) -> None:
    name = client.upload("same.png", picture(64, 64, seed=36))
    run = client.run(report_graph(name, protected=["load 0", 0]))
    assert "NOT PROTECTED, nothing changed: picture(s) 1" in run.outputs["text"]["text"][0]
    assert facts(run)["pictures"][0]["protected"]["psnr"] is None


class TestRefused:
    def test_pictures_of_another_size(self, client: ComfyClient) -> None:
        names = [client.upload(f"z{i}.png", picture(32, 32 + 8 * i)) for i in (0, 1)]
        graph = report_graph(names[0], protected=["other", 0])
        graph["other"] = {"class_type": "LoadImage", "inputs": {"image": names[1]}}
        run = client.run(graph)
        assert run.status == "error"
        assert "protected: expected 1 picture(s) of 32 x 32 like original" in run.error
        assert "got 1 picture(s) of 40 x 32" in run.error

    def test_another_number_of_pictures(self, client: ComfyClient) -> None:
        graph = report_graph(client.upload("n.png", picture(32, 32)), protected=["two", 0])
        inputs = {"image": [NODE, 0], "amount": 2}
        graph["two"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
        run = client.run(graph)
        assert run.status == "error"
        assert "protected: expected 1 picture(s)" in run.error

    def test_a_vae_of_no_known_family(self, client: ComfyClient) -> None:
        name = client.upload("v.png", picture(32, 32))
        graph = report_graph(name, vae="taesdxl", protected=["load 0", 0])
        run = client.run(graph)
        assert run.status == "error"
        assert "vae: the VAE is of no family" in run.error

    def test_lpips_that_is_not_installed(self, client: ComfyClient) -> None:
        run = client.run(report_graph(client.upload("l.png", picture(32, 32)), lpips="lpips"))
        assert run.status == "error"
        assert "lpips: lpips is not available here" in run.error
        assert "pip install lpips" in run.error

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"target": "up"}, "target: expected one of"),
            ({"lpips": "vgg"}, "lpips: expected one of learned, lpips; got 'vgg'"),
            ({"pgd_steps": -1}, "pgd_steps"),
            ({"pgd_steps": 1001}, "pgd_steps"),
        ],
    )
    def test_settings_that_cannot_be(
        self, client: ComfyClient, given: dict[str, Any], problem: str
    ) -> None:
        name = client.upload("bad.png", picture(16, 16))
        with pytest.raises(BadRequestError) as caught:
            client.run(report_graph(name, **given))
        error, *_ = caught.value.details["node_errors"][REPORT]["errors"]
        assert problem in error["details"]


def test_the_node_as_saved_workflows_know_it(client: ComfyClient) -> None:
    info = client.object_info("FixativeProtectionReport")
    assert info["display_name"] == "Protection Report (Fixative)"
    assert info["category"] == "fixative"
    required = ["original", "protected", "vae", "target", "lpips", "pgd_steps"]
    assert info["input_order"]["required"] == required
    assert info["input_order"]["optional"] == ["mixture"]
    options = {name: entry[1] for name, entry in info["input"]["required"].items()}
    assert {name: options[name]["default"] for name in DEFAULTS} == DEFAULTS
    assert (info["output"], info["output_name"]) == (
        ["IMAGE", "STRING", "STRING"],
        ["plot", "report", "JSON"],
    )
