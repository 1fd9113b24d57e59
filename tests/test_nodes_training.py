"""What Train Mixture names, draws and tells, without a host."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from fixative.errors import SettingError
from fixative.training.evaluate import Pulls
from fixative.training.pictures import PictureList
from nodes import mixtures, training
from tests.engine_parts import random_mixture


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("mine", "mine"),
        ("  my cats.safetensors ", "my cats"),
        ("../../etc/passwd", "etc_passwd"),
        ("a:b*c?", "a_b_c"),
        ("猫と犬", "猫と犬"),
        ("con", "con_"),
        ("x" * 200, "x" * 80),
    ],
)
def test_names_are_made_safe(typed: str, kept: str) -> None:
    assert training.safe_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "  ", "../..", "..."])
def test_a_name_of_nothing_is_refused(typed: str) -> None:
    with pytest.raises(SettingError, match="name: expected letters or digits"):
        training.safe_name(typed)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    def chosen(*, overwrite: bool = False, taken: tuple[str, ...] = ()) -> str:
        return training.free_path(tmp_path, "a", overwrite=overwrite, taken=taken).name

    assert chosen() == "a.safetensors"
    assert chosen(overwrite=True, taken=("a.safetensors",)) == "a_2.safetensors"
    for name in ("a.safetensors", "a_2.safetensors"):
        (tmp_path / name).touch()
    assert chosen() == "a_3.safetensors"
    assert chosen(overwrite=True) == "a.safetensors"


def test_the_vae_is_named_by_the_graph() -> None:
    graph = {
        "1": {"inputs": {"vae_name": "mine.safetensors"}},
        "2": {"inputs": {"ckpt_name": "sd.ckpt"}},
        "3": {"inputs": {"vae": ["1", 0]}},
        "4": {"inputs": {"vae": ["2", 2]}},
        "5": {"inputs": {"vae": ["9", 0]}},
    }
    names = [training.vae_name(graph, node) for node in ("3", "4", "5", "6", None)]
    assert names == ["mine.safetensors", "sd.ckpt", *["the graph's VAE"] * 3]
    assert training.vae_name(None, "3") == "the graph's VAE"


def test_the_smooth_curve_is_a_running_mean() -> None:
    assert training.smoothed([1.0, 3.0, 5.0]) == [1.0, 2.0, 3.0]
    assert training.smoothed([0.0] * 20 + [20.0])[-1] == pytest.approx(1.0)
    assert training.smoothed([]) == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.4, "4 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert training.duration(seconds) == said


def test_a_training_is_shown_first_and_last() -> None:
    shown: list[tuple[int, str, Image.Image | None]] = []
    view = training.TrainingView(lambda *seen: shown.append(seen), "mine")
    view.encoded(1, 2)
    for step in range(1, 5):
        view.step(step, 4, {"latent": 1 / step})
    assert shown[0][1] == "looking at picture 1 of 2"
    assert [count for count, _, _ in shown] == [0, 1, 2, 3, 4]
    assert shown[1][1].startswith("step 1 of 4, loss 1.0000, ")
    assert shown[-1][1] == "step 4 of 4, loss 0.5208, 0 s left"
    assert isinstance(shown[-1][2], Image.Image)


@pytest.mark.parametrize(
    ("pulls", "said"),
    [
        (Pulls(0.2, 0.1, 0.01, 4), []),
        (Pulls(0.1, 0.2, 0.01, 4), ["no more than the mixture it started from"]),
        (Pulls(0.0, None, 0.01, 4), ["no more than random noise"]),
    ],
)
def test_a_training_that_did_not_help_is_told(pulls: Pulls, said: list[str]) -> None:
    texts = training.warnings("mine", PictureList({}), pulls)
    assert len(texts) == len(said)
    assert all(part in text for part, text in zip(said, texts, strict=True))
    assert f"{pulls.after:.3f}" in training.pull_line(pulls, 8 / 255)


def test_a_learnt_space_is_read_from_the_files(tmp_path: Path) -> None:
    import dataclasses

    import torch

    probe = torch.randn(4, 16, 16)
    learnt = dataclasses.replace(random_mixture(family="vae-01234567"), probe=probe)
    files = {name: tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors")}
    learnt.save(files["a.safetensors"])
    random_mixture().save(files["b.safetensors"])
    files["c.safetensors"].write_bytes(b"broken")
    found = mixtures.learnt_spaces(files)
    assert list(found) == ["vae-01234567"]
    torch.testing.assert_close(found["vae-01234567"], probe)
    assert mixtures.choose(mixtures.AUTO, "vae-01234567", files).name == "a.safetensors"
