"""The learned remover: what it learns takes a perturbation off pictures it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from fixative.cli import app
from fixative.countermeasures import LearnedRemover, load_remover, make_countermeasure
from fixative.countermeasures.registry import Resources
from fixative.countermeasures.remover import save_remover
from fixative.countermeasures.remover_network import RemoverNetwork, RemoverShape, random_remover
from fixative.errors import SettingError, WeightsError
from fixative.pictures.picture import images_to_pixels
from fixative.training.loop import LoopSettings, run_training
from fixative.training.mixture_recipe import OtherTrainingError
from fixative.training.pairs import Pair, pair_images
from fixative.training.remover import RemoverRecipe, RemoverTraining, train_remover
from tests.engine_parts import drawn_picture

SMALL = RemoverRecipe(crop=32, batch=4, rate=4e-3, shape=RemoverShape(16, 2))


def clean(seed: int) -> Tensor:
    return drawn_picture(48, 64, seed=seed)


def protect(image: Tensor, seed: int) -> Tensor:
    """Diagonal waves of ±8/255, elsewhere in each picture: nothing that averaging could find."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    wave = torch.sin(1.1 * (x + y) + 2.4 * seed) * 8 / 255
    colours = torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    return ((image + wave * colours).clamp(0, 1) * 255).round() / 255


def pairs(count: int = 6) -> list[Pair]:
    images = [clean(seed) for seed in range(count)]
    changed = [protect(image, seed) for seed, image in enumerate(images)]
    return pair_images([image[0] for image in images], [image[0] for image in changed])


def left(after: Tensor, protected: Tensor, original: Tensor) -> float:
    return ((after - original).square().mean() / (protected - original).square().mean()).item()


def test_a_short_training_takes_most_off_pictures_it_never_saw(tmp_path: Path) -> None:
    out, checkpoint = tmp_path / "remover.safetensors", tmp_path / "run" / "remover.pt"
    told: list[float] = []
    remover = train_remover(
        pairs(),
        out,
        checkpoint=checkpoint,
        steps=120,
        recipe=SMALL,
        on_step=lambda step, steps, losses: told.append(losses["left"]),
    )
    assert len(told) == 120
    assert sum(told[-20:]) < 0.5 * sum(told[:20])
    original = clean(90)
    protected = protect(original, 90)
    method = LearnedRemover(remover)
    assert left(method.purify(protected).image, protected, original) < 0.4
    assert left(method.purify(original).image, protected, original) < 0.2
    assert out.stat().st_size < 30_000
    assert remover.recipe["pairs"] == 6
    again = make_countermeasure("remover", Resources(remover=load_remover(out)))
    assert torch.equal(again.purify(protected).image, method.purify(protected).image)


def test_an_untrained_network_changes_nothing() -> None:
    image = drawn_picture(17, 23)
    with torch.no_grad():
        assert random_remover(0)(image).abs().max() == 0
        assert random_remover(0)(image).shape == image.shape


def test_a_resumed_training_is_bit_exact(tmp_path: Path) -> None:
    whole = RemoverTraining(pairs(), SMALL)
    run_training(whole, LoopSettings(4, tmp_path / "whole.pt"))

    class StoppedError(Exception):
        pass

    def stop(step: int, steps: int, losses: dict[str, float]) -> None:
        del steps, losses
        if step == 2:
            raise StoppedError

    settings = LoopSettings(4, tmp_path / "parts.pt")
    with pytest.raises(StoppedError):
        run_training(RemoverTraining(pairs(), SMALL), settings, stop)
    resumed = RemoverTraining(pairs(), SMALL)
    assert run_training(resumed, settings) == 2
    expected = whole.network.state_dict()
    for key, value in resumed.network.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize("other", ["pairs", "recipe"])
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, other: str) -> None:
    settings = LoopSettings(1, tmp_path / "remover.pt")
    run_training(RemoverTraining(pairs(), SMALL), settings)
    recipe = replace(SMALL, seed=1) if other == "recipe" else SMALL
    given = pairs(5) if other == "pairs" else pairs()
    with pytest.raises(OtherTrainingError, match="made with other settings"):
        run_training(RemoverTraining(given, recipe), settings)


def test_pairs_that_do_not_differ_are_refused() -> None:
    same = pair_images(clean(0), clean(0))
    with pytest.raises(SettingError, match="the protected pictures equal the clean ones"):
        RemoverTraining(same, SMALL)


def test_the_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "remover.safetensors"
    save_remover(RemoverNetwork(SMALL.shape), SMALL.shape, path, {})
    assert load_remover(path).name == "remover.safetensors"
    save_remover(RemoverNetwork(SMALL.shape), RemoverShape(8, 2), path, {})
    with pytest.raises(WeightsError, match=r"remover\.safetensors is damaged"):
        load_remover(path)
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    with pytest.raises(WeightsError, match=r"other\.safetensors is not one"):
        load_remover(other)


def test_the_command_trains_and_goes_on(tmp_path: Path) -> None:
    for number, pair in enumerate(pairs(2)):
        for folder, image in zip(("clean", "protected"), pair.images(), strict=True):
            path = tmp_path / folder / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(images_to_pixels(image)).save(path)
    out = tmp_path / "remover.safetensors"
    options = ["--clean", str(tmp_path / "clean"), "--protected", str(tmp_path / "protected")]
    options += ["--out", str(out), "--runs", str(tmp_path / "runs"), "--steps", "2"]
    result = CliRunner().invoke(app, ["train", "remover", *options])
    assert result.exit_code == 0, result.output
    assert "step 2/2  left" in result.output
    assert load_remover(out).recipe["steps"] == 2
    assert (tmp_path / "runs" / "remover.pt").is_file()
