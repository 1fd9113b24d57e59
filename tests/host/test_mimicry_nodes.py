"""Load Testbed, LoRA Mimicry Test and Edit Test in the real ComfyUI."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.host.client import ComfyClient
from tests.host.mimicry_graphs import EDIT, MIMICRY, SIDE, add_drawing, mimicry_graph
from tests.host.platform_graphs import NODE, failed, progress_of, refused, stopped, told
from tests.host.server import RunningHost

pytestmark = pytest.mark.host


def test_the_whole_story(client: ComfyClient, host: RunningHost) -> None:
    """Three LoRAs, their pictures and numbers; the host saves one, loads it and draws with it."""
    graph = add_drawing(mimicry_graph(client, MIMICRY, counts=(3, 3, 3)), 5)
    run = client.run(graph)
    text = told(run)
    assert "Model: the testbed, a laboratory animal." in text
    assert "3 pictures of 64 pixels, rank 2, 3 steps of 2, learning rate 0.004" in text
    assert run.outputs[NODE]["text"] == [text]
    facts = json.loads(told(run, "json"))
    assert [one["arm"] for one in facts["arms"]] == ["no LoRA", "clean", "protected", "purified"]
    assert [len(one["losses"]) for one in facts["losses"]] == [3, 3, 3]
    assert facts["testbed"]
    assert facts["model"]["model"]["family"] == "sd1"
    [grid] = client.pictures(run, "grid")
    assert grid.shape[0] > 7 * SIDE  # three batches and four imitators
    assert progress_of(run)[-1] == 4000
    assert any(b"clean: training 3/3, loss" in message for message in run.previews)
    assert any(b"JFIF" in message for message in run.previews)
    [saved] = (host.base / "output" / "loras").glob("mimicry*.safetensors")
    tensors = load_file(saved)
    layer = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"
    assert tensors[f"{layer}.lora_up.weight"].shape == (160, 2)
    assert tensors[f"{layer}.alpha"] == 2
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    [with_it], [without] = (client.pictures(run, f"drawn {name}") for name in ("with", "without"))
    assert with_it.shape == (SIDE, SIDE, 3)
    assert not np.array_equal(with_it, without)
    assert without.std() > 1


def test_the_same_seed_gives_the_same_pictures(client: ComfyClient) -> None:
    graph = mimicry_graph(client, MIMICRY, steps=2)
    [first] = client.pictures(client.run(graph), "grid")
    graph[NODE]["inputs"]["rank"] = 1  # else the host would not run it again
    [other] = client.pictures(client.run(graph), "grid")
    graph[NODE]["inputs"]["rank"] = 2
    [again] = client.pictures(client.run(graph), "grid")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_stopped_it_goes_on_with_the_finished_loras(client: ComfyClient) -> None:
    graph = mimicry_graph(client, MIMICRY, seed=5)
    run = stopped(client, graph, after=2250)  # within the protected pictures' LoRA
    assert run.status == "interrupted"
    again = client.run(graph)
    assert again.status == "success", again.events[-1]
    trained = b"".join(again.previews)
    assert b"protected: training" in trained
    assert b"clean: training" not in trained


def test_stopped_it_tells_what_it_has_and_runs_again(client: ComfyClient) -> None:
    """The host would keep what a stopped run told, and never run it again."""
    graph = mimicry_graph(client, MIMICRY, counts=(3, 3, 3), seed=6)
    run = stopped(client, graph, after=3250)  # within the purified pictures' LoRA
    text = told(run)
    assert text.startswith("Stopped before the end. Not there: purified (repetition 1). All below")
    facts = json.loads(told(run, "json"))
    assert facts["stopped"]
    assert [one["arm"] for one in facts["arms"]] == ["no LoRA", "clean", "protected"]
    [part] = client.pictures(run, "grid")
    again = client.run(graph)
    assert "Stopped" not in told(again)
    assert len(json.loads(told(again, "json"))["arms"]) == 4
    trained = b"".join(again.previews)
    assert b"purified: training" in trained
    assert b"protected: training" not in trained
    assert b"clean: training" not in trained
    [whole] = client.pictures(again, "grid")
    assert whole.shape[0] > part.shape[0]
    finished = client.run(graph)  # and what is finished is kept
    assert finished.status == "success"
    assert progress_of(finished) == []


def test_edits(client: ComfyClient) -> None:
    run = client.run(mimicry_graph(client, EDIT, counts=(2, 2, 2), caption="painting"))
    assert "Protecting changes an edit by " in told(run)
    assert "2 picture(s) of 64 pixels, strength 0.5, 2 steps" in told(run)
    arms = {one["arm"]: one for one in json.loads(told(run, "json"))["arms"]}
    assert list(arms) == [
        "clean, other noise",
        "noise of the same budget",
        "protected",
        "purified",
    ]
    assert all(one["features"]["value"] > 0 for one in arms.values())
    chance, protected = (arms[name]["measures"] for name in ("clean, other noise", "protected"))
    assert protected["psnr"]["value"] > chance["psnr"]["value"]
    assert progress_of(run)[-1] == 5 * 2 * 2
    [grid] = client.pictures(run, "grid")
    assert grid.shape[0] > 8 * SIDE


def test_what_does_not_do(client: ComfyClient) -> None:
    few = mimicry_graph(client, MIMICRY, counts=(2, 2))
    assert "clean: expected 3 pictures or more" in failed(client, few)
    other = mimicry_graph(client, MIMICRY, counts=(3, 4))
    assert "protected: expected the pictures of clean, 3 of" in failed(client, other)
    stranger = mimicry_graph(client, EDIT, counts=(1, 1), vae="taesdxl")
    assert "works in latents of the family 'sd1'" in failed(client, stranger)
    assert "does not know 'unicorn'" in refused(
        client, mimicry_graph(client, EDIT, counts=(1, 1), caption="photo unicorn")
    )
    wrong = mimicry_graph(client, MIMICRY, layers="some", fit="whole")
    assert "layers: expected one of auto, attention, all" in refused(client, wrong)


def test_what_is_wired_to_no_lora_is_left_out(client: ComfyClient) -> None:
    graph = add_drawing(mimicry_graph(client, MIMICRY, seed=7, steps=1), 6)
    run = client.run(graph)
    assert run.status == "success", run.events[-1]
    assert "drawn with" not in run.outputs
    assert "drawn without" in run.outputs
