"""Save Protected Image in the real ComfyUI: the files it leaves in the output folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fixative.pictures.modes import srgb_profile
from tests.host.client import BadRequestError, ComfyClient, Graph, Run
from tests.host.graphs import NODE, picture, protect_graph
from tests.host.server import RunningHost

pytestmark = pytest.mark.host

SAVE = "keep"
DEFAULTS: dict[str, Any] = {
    "filename_prefix": "kept",
    "format": "png",
    "lossy": False,
    "quality": 95,
    "include_workflow": False,
}


def save_graph(image: list[Any], graph: Graph, **settings: Any) -> Graph:
    inputs = {"images": image, **DEFAULTS, **settings}
    graph[SAVE] = {"class_type": "FixativeSaveProtectedImage", "inputs": inputs}
    graph["path"] = {"class_type": "PreviewAny", "inputs": {"source": [SAVE, 0]}}
    return graph


def protected(name: str, **settings: Any) -> Graph:
    """Load, protect without a map, save with our node and, for comparison, with the host's."""
    return save_graph([NODE, 0], protect_graph(name, strength_map="off"), **settings)


def paths(run: Run) -> list[Path]:
    assert run.status == "success", run.events[-1]
    return [Path(line) for line in run.outputs["path"]["text"][0].splitlines()]


def notices(run: Run) -> list[str]:
    return [data["text"] for data in run.data_of("fixative.notice") if data["node_id"] == SAVE]


def refusal(client: ComfyClient, graph: Graph) -> str:
    """What the host says when it refuses the node; with other outputs it would run those."""
    only = {key: node for key, node in graph.items() if not key.startswith(("save ", "report"))}
    with pytest.raises(BadRequestError) as caught:
        client.run(only)
    error, *_ = caught.value.details["node_errors"][SAVE]["errors"]  # one an input, all the same
    return error["details"]


def jpeg_with_metadata(pixels: np.ndarray[Any, Any]) -> bytes:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "A. Painter", "all rights reserved"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, exif=exif, icc_profile=srgb_profile())
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_the_file_holds_exactly_what_was_protected(
    client: ComfyClient, host: RunningHost, kind: str
) -> None:
    name = client.upload("exact.png", picture(70, 90, seed=21))
    run = client.run(protected(name, format=kind, filename_prefix=f"exact_{kind}"))
    [path] = paths(run)
    assert path == host.base / "output" / f"exact_{kind}_00001_.{kind}"
    [meant] = client.pictures(run, "save image")  # on the grid, SaveImage cuts nothing
    found = np.asarray(Image.open(path))
    np.testing.assert_array_equal(found, meant)
    assert (found != picture(70, 90, seed=21)).any()
    [shown] = client.pictures(run, SAVE)
    np.testing.assert_array_equal(shown, found)
    assert run.outputs[SAVE]["images"][0]["type"] == "output"
    assert notices(run) == []
    assert any(b"no EXIF or colour profile inside" in text for text in run.previews)
    assert list((host.base / "output").glob("*.part")) == []


def test_nothing_is_overwritten_and_batches_count_up(client: ComfyClient) -> None:
    graphs = [
        protect_graph(*(client.upload(f"c{i}.png", picture(40, 40, i)) for i in pair))
        for pair in ((1, 2), (3, 4))
    ]
    runs = [client.run(save_graph([NODE, 0], g, filename_prefix="sub/count")) for g in graphs]
    names = [path.name for run in runs for path in paths(run)]
    assert names == [f"count_0000{number}_.png" for number in (1, 2, 3, 4)]
    assert paths(runs[0])[0].parent.name == "sub"
    assert runs[0].outputs[SAVE]["images"][0]["subfolder"] == "sub"
    assert len({path.read_bytes() for run in runs for path in paths(run)}) == 4
    np.testing.assert_array_equal(
        client.pictures(runs[0], SAVE), client.pictures(runs[0], "save image")
    )


class TestWorkflow:
    def graph(self, client: ComfyClient, **settings: Any) -> Graph:
        # Of a seed of its own each, so that SaveImage saves again.
        pixels = picture(32, 32, seed=200 + settings.get("include_workflow", False))
        return protected(client.upload("flow.png", pixels), **settings)

    def test_it_is_not_inside_by_default(self, client: ComfyClient) -> None:
        run = client.run(self.graph(client))
        image = Image.open(paths(run)[0])
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert image.text == {}
        assert b"FixativeProtectImage" not in paths(run)[0].read_bytes()

    def test_it_is_inside_when_asked_for(self, client: ComfyClient) -> None:
        """The very chunks that the host's own SaveImage writes, which open when dropped."""
        graph = self.graph(client, include_workflow=True, filename_prefix="flow")
        workflow = {"nodes": [{"id": 1, "title": "grün"}] * 100, "links": []}
        run = client.run(graph, workflow=workflow)
        [path] = paths(run)
        [entry] = run.outputs["save image"]["images"]
        ours, theirs = (Image.open(p) for p in (path, path.parent / entry["filename"]))
        assert isinstance(ours, PngImagePlugin.PngImageFile)
        assert isinstance(theirs, PngImagePlugin.PngImageFile)
        assert ours.text == theirs.text
        assert json.loads(ours.text["workflow"]) == workflow
        assert json.loads(ours.text["prompt"])[SAVE]["inputs"] == graph[SAVE]["inputs"]
        for chunk in (b"zTXt", b"iTXt"):
            assert chunk not in path.read_bytes()

    def test_a_generated_source_does_not_bring_its_own(self, client: ComfyClient) -> None:
        info = PngImagePlugin.PngInfo()
        for key in ("prompt", "workflow", "parameters", "Author"):
            info.add_text(key, "of the source")
        buffer = io.BytesIO()
        Image.fromarray(picture(32, 32)).save(buffer, "PNG", pnginfo=info)
        name = client.upload_bytes("generated.png", buffer.getvalue())
        image = Image.open(paths(client.run(protected(name, filename_prefix="gen")))[0])
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert image.text == {"Author": "of the source"}


class TestSource:
    def check(self, path: Path, *, kept: bool) -> None:
        image = Image.open(path)
        assert image.getexif().get(0x013B) == ("A. Painter" if kept else None)
        assert image.getexif().get(0x8298) == ("all rights reserved" if kept else None)
        assert image.info.get("icc_profile") == (srgb_profile() if kept else None)

    @pytest.mark.parametrize(("source", "kept"), [("auto", True), ("none", False)])
    @pytest.mark.parametrize("kind", ["png", "webp"])
    def test_exif_and_profile_of_the_loaded_file(
        self, client: ComfyClient, source: str, kept: bool, kind: str
    ) -> None:
        name = client.upload_bytes("photo.jpg", jpeg_with_metadata(picture(48, 64, seed=4)))
        graph = protected(name, source=source, format=kind, filename_prefix=f"{source}{kind}")
        run = client.run(graph)
        self.check(paths(run)[0], kept=kept)
        assert any(b"EXIF, colour profile of photo" in text for text in run.previews) == kept

    def test_each_of_a_batch_has_its_own(self, client: ComfyClient) -> None:
        plain = client.upload("plain.png", picture(48, 64, seed=5))
        rich = client.upload_bytes("rich.jpg", jpeg_with_metadata(picture(48, 64, seed=6)))
        graph = protect_graph(plain, rich, strength_map="off")
        first, second = paths(client.run(save_graph([NODE, 0], graph)))
        self.check(first, kept=False)
        self.check(second, kept=True)

    def test_a_named_file_serves_what_was_resized(self, client: ComfyClient) -> None:
        name = client.upload_bytes("large.jpg", jpeg_with_metadata(picture(48, 64, seed=7)))
        for source, kept in (("auto", False), (name, True)):
            graph = protected(name, source=source)
            inputs = {"upscale_method": "area", "width": 32, "height": 24, "crop": "disabled"}
            graph["small"] = {
                "class_type": "ImageScale",
                "inputs": {"image": ["load 0", 0], **inputs},
            }
            graph[NODE]["inputs"]["image"] = ["small", 0]
            self.check(paths(client.run(graph))[0], kept=kept)

    @pytest.mark.parametrize("source", ["nowhere.png", "../output/x.png", ""])
    def test_a_file_that_is_not_there_is_refused(self, client: ComfyClient, source: str) -> None:
        graph = protected(client.upload("s.png", picture(16, 16)), source=source)
        assert "source: no picture" in refusal(client, graph)


class TestLossy:
    def test_jpeg_is_refused(self, client: ComfyClient) -> None:
        graph = protected(client.upload("j.png", picture(16, 16)), format="jpeg")
        text = refusal(client, graph)
        assert "format: jpeg changes colours" in text
        assert "switch lossy on" in text

    def test_jpeg_is_saved_with_a_warning_when_allowed(self, client: ComfyClient) -> None:
        name = client.upload("j2.png", picture(64, 64, seed=3))
        sizes: list[int] = []
        for quality in (20, 95):
            graph = protected(name, format="jpeg", lossy=True, quality=quality)
            run = client.run(graph)
            [path] = paths(run)
            image = Image.open(path)
            assert (image.format, path.suffix) == ("JPEG", ".jpg")
            sizes.append(path.stat().st_size)
            [text] = notices(run)
            assert "saved as jpeg" in text
            assert "% of the protecting change is left" in text
        assert sizes[0] < sizes[1]

    def test_a_workflow_does_not_fit_in(self, client: ComfyClient) -> None:
        name = client.upload("j3.png", picture(16, 16))
        run = client.run(protected(name, format="jpeg", lossy=True, include_workflow=True))
        assert run.status == "error"
        assert "include_workflow: jpeg cannot hold" in run.error

    def test_another_format_is_refused(self, client: ComfyClient) -> None:
        graph = protected(client.upload("j4.png", picture(16, 16)), format="gif")
        assert "format: expected one of png, webp, jpeg; got 'gif'" in refusal(client, graph)


def test_transparency_is_saved(client: ComfyClient) -> None:
    alpha = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(30, 0)
    name = client.upload("clear.png", np.dstack([picture(30, 40), alpha]))
    graph = protect_graph(name, strength_map="off")
    joined = {"image": ["load 0", 0], "alpha": ["load 0", 1]}
    graph["join"] = {"class_type": "JoinImageWithAlpha", "inputs": joined}
    graph[NODE]["inputs"]["image"] = ["join", 0]
    found = np.asarray(Image.open(paths(client.run(save_graph([NODE, 0], graph)))[0]))
    assert found.shape == (30, 40, 4)
    np.testing.assert_array_equal(found[..., 3], alpha)


def test_what_was_changed_after_protecting_is_warned_about(client: ComfyClient) -> None:
    graph = protected(client.upload("changed.png", picture(32, 32)))
    inputs = {"upscale_method": "bilinear", "width": 20, "height": 20, "crop": "disabled"}
    graph["small"] = {"class_type": "ImageScale", "inputs": {"image": [NODE, 0], **inputs}}
    graph[SAVE]["inputs"]["images"] = ["small", 0]
    run = client.run(graph)
    assert len(paths(run)) == 1
    [text] = notices(run)
    assert "values between 8-bit levels" in text


@pytest.mark.parametrize("prefix", ["../away", "a/../../away", "/tmp/away", " "])
def test_a_name_outside_the_output_folder_is_refused(
    client: ComfyClient, host: RunningHost, prefix: str
) -> None:
    before = set(host.base.parent.rglob("*away*"))
    run = client.run(protected(client.upload("p.png", picture(16, 16)), filename_prefix=prefix))
    assert run.status == "error"
    assert "filename_prefix: expected" in run.error
    assert str(host.base) not in run.error
    assert set(host.base.parent.rglob("*away*")) == before


def test_the_hosts_placeholders(client: ComfyClient) -> None:
    name = client.upload("ph.png", picture(16, 24))
    prefix = "%date:yyyy%_%width%x%height%_%FixativeProtectImage.strength%"
    [path] = paths(client.run(protected(name, filename_prefix=prefix)))
    assert path.name[4:] == "_24x16_8.0_00001_.png"
    assert path.name[:2] == "20"


def test_the_node_as_saved_workflows_know_it(client: ComfyClient) -> None:
    info = client.object_info("FixativeSaveProtectedImage")
    assert info["display_name"] == "Save Protected Image (Fixative)"
    assert info["category"] == "fixative"
    assert info["output_node"] is True
    assert info["input_order"]["required"] == ["images", *DEFAULTS]
    assert info["input_order"]["optional"] == ["source"]
    options = {
        n: e[1] for n, e in {**info["input"]["required"], **info["input"]["optional"]}.items()
    }
    assert {n: options[n]["default"] for n in DEFAULTS} == {
        **DEFAULTS,
        "filename_prefix": "Fixative",
    }
    assert options["format"]["options"] == ["png", "webp", "jpeg"]
    assert options["source"]["options"][:2] == ["auto", "none"]
    assert options["source"]["default"] == "auto"
    assert (options["quality"]["min"], options["quality"]["max"]) == (1, 100)
    assert all(entry["tooltip"] for entry in options.values())
    assert (info["output"], info["output_name"]) == (["STRING"], ["path"])
