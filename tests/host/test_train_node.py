"""Train Mixture in the real ComfyUI: what it trains is offered at once, stopped it goes on."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from fixative.mixture import Mixture, load_mixture
from tests.host.client import BadRequestError, ComfyClient, Graph, Run
from tests.host.graphs import picture, protect_graph
from tests.host.server import RunningHost

pytestmark = pytest.mark.host

TRAIN = "train"
DEFAULTS: dict[str, Any] = {
    "name": "mine",
    "start_from": "auto",
    "steps": 6,
    "groups": 1,
    "eta": 8.0,
    "crop": 64,
    "batch": 2,
    "learning_rate": 1.0,
    "seed": 0,
    "most_pictures": 350,
    "overwrite": False,
}


@pytest.fixture
def models(host: RunningHost) -> Generator[Path]:
    """models/fixative, left as it was found: other tests know what is offered."""
    folder = host.base / "models" / "fixative"
    before = set(folder.rglob("*"))
    yield folder
    for path in {*folder.rglob("*")} - before:
        if path.is_file():
            path.unlink()


def train_graph(
    client: ComfyClient, pictures: int = 1, *, vae: str = "taesd", **settings: Any
) -> Graph:
    """One picture repeated to a batch, small, because every one is encoded at 512 × 512."""
    graph: Graph = {"vae": {"class_type": "VAELoader", "inputs": {"vae_name": vae}}}
    inputs: dict[str, Any] = {"vae": ["vae", 0], **DEFAULTS, **settings}
    if pictures:
        name = client.upload("learnt.png", picture(96, 96, seed=1))
        graph["load"] = {"class_type": "LoadImage", "inputs": {"image": name}}
        repeat = {"image": ["load", 0], "amount": pictures}
        graph["repeat"] = {"class_type": "RepeatImageBatch", "inputs": repeat}
        inputs["images"] = ["repeat", 0]
    graph[TRAIN] = {"class_type": "FixativeTrainMixture", "inputs": inputs}
    graph["report"] = {"class_type": "PreviewAny", "inputs": {"source": [TRAIN, 2]}}
    graph["curve"] = {"class_type": "PreviewImage", "inputs": {"images": [TRAIN, 1]}}
    return graph


def told(run: Run) -> str:
    assert run.status == "success", run.events[-1]
    return run.outputs["report"]["text"][0]


def offered(client: ComfyClient) -> list[str]:
    inputs = client.object_info("FixativeProtectImage")["input"]["required"]
    return inputs["mixture"][1]["options"]


def steps_of(run: Run) -> list[int]:
    return [data["value"] for data in run.data_of("progress") if data["node"] == TRAIN]


def stopped_run(client: ComfyClient, graph: Graph, *, after: int) -> Run:
    def stop(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress" and data["node"] == TRAIN and data["value"] >= after:
            client.interrupt()

    return client.run(graph, listener=stop)


def equal(a: Mixture, b: Mixture) -> bool:
    return torch.equal(a.shared, b.shared) and torch.equal(a.group, b.group)


def test_what_it_trains_is_offered_at_once_and_protects(client: ComfyClient, models: Path) -> None:
    assert "mine.safetensors" not in offered(client)
    run = client.run(train_graph(client))
    spoken, facts = told(run).split("\n\n", 1)
    assert "latent family sd1 (VAE: taesd)" in spoken
    assert "started from mixture_sd1.safetensors" in spoken
    assert "random noise" in spoken
    assert "saved as models/fixative/mine.safetensors" in spoken
    recipe = json.loads(facts)["recipe"]
    assert recipe["start"]["name"] == "mixture_sd1.safetensors"
    assert len(recipe["vae"]["weights_sha256"]) == len(recipe["data"]["sha256"]) == 64
    assert (recipe["steps"], recipe["data"]["count"]) == (6, 1)
    assert {"torch", "fixative", "seed"} <= recipe.keys()
    assert recipe["feature_weight"] > 0  # the host's TAESD shows its features
    [curve] = client.pictures(run, "curve")
    assert curve.shape[-1] == 3
    assert curve.std() > 1
    assert any(b"step 6 of 6, loss" in message for message in run.previews)
    assert any(b"JFIF" in message for message in run.previews)
    assert not list((models / "checkpoints").glob("*"))

    assert "mine.safetensors" in offered(client)
    name = client.upload("guarded.png", picture(80, 64))
    chosen = protect_graph(name, strength_map="off", mixture="mine.safetensors")
    protecting = client.run(chosen)
    assert "mixture mine.safetensors" in protecting.outputs["report"]["text"][0]
    [entry] = json.loads(protecting.outputs["report"]["text"][0].split("\n\n", 1)[1])["pictures"]
    assert 4 < entry["max_change"] <= 8.001


def test_stopped_it_goes_on_where_it_was(client: ComfyClient, models: Path) -> None:
    graph = train_graph(client, name="whole", steps=8, start_from="nothing")
    assert "started from nothing" in told(client.run(graph))

    graph[TRAIN]["inputs"]["name"] = "cut"
    stopped = stopped_run(client, graph, after=3)
    assert stopped.status == "interrupted"
    assert 3 <= max(steps_of(stopped)) < 8
    assert (models / "checkpoints" / "cut.pt").is_file()
    assert not (models / "cut.safetensors").exists()

    # The host is usable, and does not take the checkpoint for a mixture.
    name = client.upload("meanwhile.png", picture(32, 32))
    assert client.run(protect_graph(name, strength_map="off")).status == "success"
    assert not [option for option in offered(client) if "cut" in option]

    other = client.run(
        {**graph, TRAIN: {**graph[TRAIN], "inputs": {**graph[TRAIN]["inputs"], "seed": 5}}}
    )
    assert other.status == "error"
    assert "an interrupted training called 'cut' had other settings" in other.error

    resumed = client.run(graph)
    assert "of them in an earlier run" in told(resumed)
    assert min(value for value in steps_of(resumed) if value) > 3
    whole, cut = (load_mixture(models / f"{n}.safetensors") for n in ("whole", "cut"))
    assert equal(whole, cut)
    assert not list((models / "checkpoints").glob("*"))


def test_a_vae_of_no_known_family_gets_a_mixture_of_its_own(
    client: ComfyClient, models: Path
) -> None:
    """Random weights; the host loads them as taesdxl without a word."""
    name = client.upload("stranger.png", picture(64, 64))
    refused = client.run(protect_graph(name, vae="taesdxl", strength_map="off"))
    assert "family: unknown" in refused.error
    assert "Train Mixture" in refused.error

    spoken = told(client.run(train_graph(client, vae="taesdxl", name="strange")))
    assert "started from nothing" in spoken
    family = load_mixture(models / "strange.safetensors").family
    assert family.startswith("vae-")
    done = client.run(protect_graph(name, vae="taesdxl", strength_map="off"))
    assert done.status == "success", done.events[-1]
    assert f"VAE family {family}, mixture strange.safetensors" in str(done.outputs["report"])

    chosen = protect_graph(name, strength_map="off", mixture="strange.safetensors")
    assert f"made for the latent family {family!r}" in client.run(chosen).error


def test_a_folder_with_something_broken_in_it(
    client: ComfyClient, host: RunningHost, models: Path
) -> None:
    for kind in ("cats", "dogs"):
        client.upload(f"{kind}.png", picture(60, 70, seed=len(kind)))
        folder = host.base / "input" / "own" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (host.base / "input" / f"{kind}.png").rename(folder / "a.png")
    (host.base / "input" / "own" / "broken.jpg").write_bytes(b"nothing")
    (models / "mine.safetensors").write_bytes(b"somebody's own")
    run = client.run(train_graph(client, 0, folder="own", steps=1, groups=2))
    assert "models/fixative/mine_2.safetensors" in told(run)
    assert (models / "mine.safetensors").read_bytes() == b"somebody's own"
    assert load_mixture(models / "mine_2.safetensors").groups == 2
    assert "1 files could not be read; the first: " in told(run)
    recipe = json.loads(told(run).split("\n\n", 1)[1])["recipe"]
    assert recipe["pictures"] == {"cats": 1, "dogs": 1}
    assert recipe["data"]["unreadable"] == 1
    notices = [data["text"] for data in run.data_of("fixative.notice")]
    assert any("could not be read" in text for text in notices)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "images: nothing to train on; connect pictures to images, or name a folder"),
        ({"folder": "nowhere"}, "is no folder; give one with pictures in it"),
        ({"folder": "empty"}, "has no pictures in it"),
        ({"pictures": 1, "groups": 2}, "groups: 2 groups need at least as many pictures, got 1"),
    ],
)
def test_pictures_that_do_not_do(
    client: ComfyClient, host: RunningHost, given: dict[str, Any], said: str
) -> None:
    (host.base / "input" / "empty").mkdir(exist_ok=True)
    run = client.run(train_graph(client, given.pop("pictures", 0), **given))
    assert run.status == "error"
    assert said in run.error


def test_a_start_of_another_latent_space_is_refused(client: ComfyClient) -> None:
    graph = train_graph(client, vae="taesdxl", start=["other", 0])
    loaded = {"name": "mixture_sd1.safetensors"}
    graph["other"] = {"class_type": "FixativeLoadMixture", "inputs": loaded}
    run = client.run(graph)
    assert run.status == "error"
    assert "made for the latent family 'sd1'" in run.error


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"crop": 100}, "crop: expected a multiple of 64 up to 512, got 100"),
        ({"crop": 576}, "crop: expected a multiple of 64 up to 512, got 576"),
        ({"crop": 0}, "crop: expected a multiple of 64 up to 512, got 0"),
        ({"name": " ../ "}, "name: expected letters or digits"),
        ({"start_from": "somewhere"}, "start_from: expected one of auto, nothing"),
        ({"steps": 0}, "steps"),
        ({"groups": 17}, "groups"),
        ({"eta": 0.0}, "eta"),
        ({"batch": 0}, "batch"),
        ({"learning_rate": 9.0}, "learning_rate"),
        ({"seed": -1}, "seed"),
        ({"most_pictures": 0}, "most_pictures"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(
    client: ComfyClient, given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.run({k: n for k, n in train_graph(client, **given).items() if k != "curve"})
    assert problem in json.dumps(caught.value.details["node_errors"])
