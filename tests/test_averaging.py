"""The averaging attack: it finds what pictures share, takes it off, and leaves others alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from fixative.cli import app
from fixative.codecs import load_codec
from fixative.countermeasures import Averaging, SharedPerturbations, load_shared
from fixative.countermeasures.averaging import best_fit
from fixative.errors import ImageError, SettingError, WeightsError
from fixative.images import resize
from fixative.metrics import pull
from fixative.mixture import SIDE, load_mixture
from fixative.pictures.picture import images_to_pixels
from fixative.protections.base import enforce_budget
from fixative.protections.noise import RandomNoise
from fixative.training.averaging import learn_shared
from fixative.training.pairs import Pair, pair_images, read_pairs
from tests.engine_parts import drawn_picture

#: (target, group) of the mixture that the known pairs of each perturbation were protected with.
TOOL = ((0, 1), (1, 0), (2, 3))


def protect(image: Tensor, choice: tuple[int, int], *, strength: float = 8.0) -> Tensor:
    """As the mixture does, without its map."""
    target, group = (torch.tensor([number]) for number in choice)
    mixture = load_mixture()
    change = mixture.combined(target, group) * (strength / 255 / mixture.eta)
    return enforce_budget(image, resize(change, *image.shape[-2:]), strength / 255)


def pairs_of(*, size: tuple[int, int] = (SIDE, SIDE), each: int = 2) -> list[Pair]:
    clean = [drawn_picture(*size, seed=10 + number) for number in range(each * len(TOOL))]
    changed = [protect(image, TOOL[number % len(TOOL)]) for number, image in enumerate(clean)]
    return pair_images([image[0] for image in clean], [image[0] for image in changed])


@cache
def learnt() -> SharedPerturbations:
    return learn_shared(pairs_of())


def correlation(one: Tensor, other: Tensor) -> float:
    return torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), 0).item()


def truth(choice: tuple[int, int]) -> Tensor:
    return load_mixture().combined(*(torch.tensor([number]) for number in choice))


def test_it_finds_every_perturbation_of_the_tool() -> None:
    assert learnt().pairs.tolist() == [2, 2, 2]
    found = [learnt().perturbation(number, SIDE, SIDE) for number in range(3)]
    for choice in TOOL:
        best = max(found, key=lambda one: correlation(one, truth(choice)))
        assert correlation(best, truth(choice)) > 0.97
        assert (best.std() / truth(choice).std()).item() == pytest.approx(1, abs=0.06)


def test_pairs_of_other_sizes_and_strengths_join_in() -> None:
    image = drawn_picture(400, 640, seed=30)
    weak = pair_images(image, protect(image, TOOL[1], strength=4))
    found = learn_shared([*pairs_of(), *weak])
    assert found.pairs.tolist() == [3, 2, 2]


@pytest.mark.parametrize(("size", "strength"), [((512, 512), 8.0), ((400, 640), 4.0)])
def test_it_takes_most_of_the_pull_off_pictures_it_never_saw(
    size: tuple[int, int], strength: float
) -> None:
    codec, targets = load_codec(), load_mixture().target_latents
    image = drawn_picture(*size, seed=50)
    choice = TOOL[2]
    protected = protect(image, choice, strength=strength)
    result = Averaging(learnt()).purify(protected)
    assert result.details[0]["amplitude"] == pytest.approx(strength / 8, rel=0.1)
    with torch.no_grad():
        copies = [resize(x, SIDE, SIDE)[..., :256, :256] for x in (image, protected, result.image)]
        before, pulled, left = (codec.encode(copy) for copy in copies)
    goal = targets[choice[0]][None, :, :32, :32]
    pulls = [pull(x, before, goal).item() for x in (pulled, left)]
    assert pulls[0] > 0.05
    assert pulls[1] < 0.2 * pulls[0]
    remaining = (result.image - image).square().mean() / (protected - image).square().mean()
    assert remaining < 0.1


def test_fresh_noise_for_each_picture_shares_nothing() -> None:
    images = [drawn_picture(96, 128, seed=seed)[0] for seed in range(5)]
    noisy = [RandomNoise(seed=i).protect(image[None]).image[0] for i, image in enumerate(images)]
    found = learn_shared(pair_images(images, noisy))
    assert len(found) == 0
    result = Averaging(found).purify(noisy[0][None])
    assert torch.equal(result.image, noisy[0][None])
    assert result.details == [{"perturbation": None}]


def test_it_leaves_clean_and_otherwise_protected_pictures_alone() -> None:
    image = drawn_picture(384, 512, seed=51)
    for picture in (image, RandomNoise(seed=3).protect(image).image):
        result = Averaging(learnt()).purify(picture)
        assert torch.equal(result.image, picture)
        assert result.details == [{"perturbation": None}]


def test_the_fit_is_exact_on_a_flat_picture() -> None:
    flat = torch.full((1, 3, SIDE, SIDE), 0.5)
    wanted = learnt().perturbation(1, SIDE, SIDE)
    fit = best_fit(flat + 0.5 * wanted, learnt())
    assert fit is not None
    assert fit.number == 1
    assert fit.amplitude == pytest.approx(0.5, rel=1e-3)


def test_pictures_that_do_not_change_are_no_cluster() -> None:
    image = drawn_picture(32, 32)
    assert len(learn_shared(pair_images(image.repeat(2, 1, 1, 1), image.repeat(2, 1, 1, 1)))) == 0


def test_likeness_out_of_range_is_refused() -> None:
    with pytest.raises(SettingError, match="likeness: expected above 0 and below 1, got 1"):
        learn_shared(pairs_of(size=(32, 32), each=1), likeness=1)


# --- files --------------------------------------------------------------------------------------


def test_the_file_reads_back_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shared.safetensors"
    learnt().save(path)
    again = load_shared(path)
    assert torch.equal(again.steps, learnt().steps)
    assert torch.equal(again.step, learnt().step)
    assert again.recipe == learnt().recipe
    assert again.recipe["pairs"] == 6
    save_file({"steps": torch.zeros(1, 3, 8, 8)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors is not a file of them"):
        load_shared(tmp_path / "other.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_shared(path)


def save(image: Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(images_to_pixels(image)).save(path)


def save_pairs(folder: Path, *, noise: bool = False) -> list[str]:
    """Six pairs, two in a sub-folder, one picture without a partner; the command's options."""
    for number, pair in enumerate(pairs_of(size=(96, 128))):
        clean, protected = pair.images()
        if noise:
            protected = RandomNoise(seed=number).protect(clean).image
        name = f"{'sub/' if number > 3 else ''}{number}"
        save(clean, folder / "clean" / f"{name}.bmp")
        save(protected, folder / "protected" / f"{name}.png")
    save(drawn_picture(24, 32), folder / "clean" / "alone.png")
    return ["--clean", str(folder / "clean"), "--protected", str(folder / "protected")]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["train", "averaging", *arguments])
    return result.exit_code, result.output


def test_the_command_learns_from_two_folders(tmp_path: Path) -> None:
    options = save_pairs(tmp_path)
    out = tmp_path / "shared.safetensors"
    code, told = run(*options, "--out", str(out))
    assert code == 0, told
    assert "3 shared perturbations in 6 pairs (2 + 2 + 2)" in told
    assert load_shared(out).pairs.tolist() == [2, 2, 2]
    code, told = run(*options, "--out", str(out))
    assert (code, "exists already" in told) == (2, True)


def test_the_command_says_that_nothing_is_shared(tmp_path: Path) -> None:
    out = tmp_path / "shared.safetensors"
    code, told = run(*save_pairs(tmp_path, noise=True), "--out", str(out))
    assert (code, "no two of the 6 changes are alike" in told) == (2, True)
    assert not out.exists()


def test_pairs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    save_pairs(tmp_path)
    clean, protected = tmp_path / "clean", tmp_path / "protected"
    with pytest.raises(ImageError, match="is no folder"):
        read_pairs(clean, tmp_path / "absent")
    with pytest.raises(ImageError, match=r"no picture in .* has the name of one"):
        read_pairs(clean / "sub", protected)
    assert len(read_pairs(clean, protected, most=4)) == 4
    save(drawn_picture(96, 100), protected / "0.png")
    with pytest.raises(ImageError, match=r"0\.png: expected both of one size, got 128 × 96 and"):
        read_pairs(clean, protected)
    with pytest.raises(ImageError, match="expected as many protected as clean, 2; got 1"):
        pair_images(torch.zeros(2, 3, 8, 8), torch.zeros(1, 3, 8, 8))
