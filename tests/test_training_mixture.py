"""A mixture's whole training: from own pictures, from a mixture, for any autoencoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fixative.codecs import CallableCodec, Codec
from fixative.codecs.learnt import in_learnt_space
from fixative.errors import MixtureError, SettingError
from fixative.mixture import Mixture, load_mixture, require_family
from fixative.protector import Protector, ProtectSettings
from fixative.training.evaluate import measure_pulls, sample_pictures
from fixative.training.mixture_job import (
    MixturePlan,
    TrainedMixture,
    discard_checkpoint,
    train_mixture,
)
from fixative.training.mixture_recipe import MixtureRecipe
from fixative.training.perturbations import begun_from
from fixative.training.pictures import PictureList, list_images
from fixative.training.starts import starting_mixture
from fixative.training.targets import PERIODS
from tests.engine_parts import drawn_picture, random_mixture


class ToyCodec(Codec):
    """One random convolution of stride f and a bend: any channels, any downscale, instant."""

    def __init__(
        self,
        channels: int = 16,
        downscale: int = 16,
        *,
        seed: int = 0,
        family: str = "unknown",
        features: bool = True,
    ) -> None:
        super().__init__(name="toy", latent_channels=channels, downscale=downscale, family=family)
        torch.manual_seed(seed)
        self._layer = nn.Conv2d(3, channels, downscale, downscale).requires_grad_(False)
        nn.init.normal_(self._layer.weight, 0, 0.15)
        self._features = features

    def _encode(self, images: Tensor) -> Tensor:
        return torch.tanh(self._layer(images)) * 5 + 2

    def _encode_with_features(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        if not self._features:
            return super()._encode_with_features(images)
        return self._encode(images), [self._layer(images)]


def own_pictures(count: int = 6) -> PictureList:
    return list_images(torch.cat([drawn_picture(96, 96, seed=seed) for seed in range(count)]))


def plan(steps: int = 4, **changed: Any) -> MixturePlan:
    recipe = MixtureRecipe(crop=64, batch=2)
    return MixturePlan(recipe, steps, crops=6, groups=2, **changed)


def trained(
    codec: Codec, checkpoint: Path, planned: MixturePlan | None = None, **hooks: Any
) -> TrainedMixture:
    return train_mixture(own_pictures(), [codec], planned or plan(), checkpoint=checkpoint, **hooks)


@pytest.mark.parametrize(("channels", "downscale"), [(4, 8), (16, 8), (16, 16), (128, 16)])
def test_any_latent_space_is_learnt_and_found_again(
    channels: int, downscale: int, tmp_path: Path
) -> None:
    codec = ToyCodec(channels, downscale)
    trained(codec, tmp_path / "c.pt").mixture.save(tmp_path / "m.safetensors")
    mixture = load_mixture(tmp_path / "m.safetensors")
    side = 512 // downscale
    assert mixture.centroids.shape == (2, channels, side, side)
    assert mixture.target_latents.shape == (3, channels, side, side)
    assert mixture.family.startswith("vae-")
    same = in_learnt_space(ToyCodec(channels, downscale), mixture.learnt())
    settings = ProtectSettings(strength_map="off")
    done = Protector(same, mixture, settings).protect(drawn_picture(80, 64))
    assert (done.image - drawn_picture(80, 64)).abs().max() > 1 / 255
    other = in_learnt_space(ToyCodec(channels, downscale, seed=1), mixture.learnt())
    with pytest.raises(MixtureError, match="made for the latent family 'vae-"):
        require_family(mixture, other.family, other.latent_channels)


def test_it_beats_noise_and_fine_tuning_beats_its_start(tmp_path: Path) -> None:
    """The measure is the pull of the finished, quantised mixture through the whole protection."""
    codec = ToyCodec(4, 8, family="toy")
    images = sample_pictures(own_pictures())
    first = trained(codec, tmp_path / "a.pt", plan(6))
    pulls = measure_pulls(first.mixture, codec, images)
    assert pulls.before is None
    assert pulls.pictures == 4
    assert pulls.after > 0.05
    assert pulls.after > 5 * abs(pulls.noise)
    judge = Protector(codec, first.mixture, ProtectSettings(8.0, strength_map="off"))
    shown = judge.measure_pull(images, judge.protect(images).image)
    assert pulls.after == pytest.approx(float(shown.mean()), abs=1e-4)
    tuned = trained(codec, tmp_path / "b.pt", plan(16, start=first.mixture))
    assert tuned.losses["latent"][0] < 0.95 * first.losses["latent"][0]  # the very first step
    found = measure_pulls(tuned.mixture, codec, images, before=first.mixture)
    assert found.before is not None
    assert found.before == pytest.approx(pulls.after, abs=0.02)
    assert found.after > 1.1 * found.before
    assert tuned.mixture.recipe["start"]["tensors_sha256"] == first.mixture.digest()


class StopError(Exception):
    pass


@pytest.mark.parametrize("fine_tuning", [False, True])
def test_an_interrupted_training_goes_on_bit_for_bit(fine_tuning: bool, tmp_path: Path) -> None:
    codec = ToyCodec(4, 8)
    start = trained(codec, tmp_path / "s.pt").mixture if fine_tuning else None
    planned = plan(6, start=start, made_of={"seen": "these"})
    encoded: list[int] = []

    def stop_at_three(step: int, _steps: int, _losses: dict[str, float]) -> None:
        if step == 3:
            raise StopError

    whole = trained(codec, tmp_path / "whole.pt", planned)
    with pytest.raises(StopError):
        trained(codec, tmp_path / "cut.pt", planned, on_step=stop_at_three)
    resumed = trained(
        codec,
        tmp_path / "cut.pt",
        planned,
        on_encode=lambda done, _all: encoded.append(done),
    )
    assert (whole.steps_now, resumed.steps_now) == (6, 3)
    assert not encoded  # the latents were kept
    assert torch.equal(whole.mixture.shared, resumed.mixture.shared)
    assert torch.equal(whole.mixture.group, resumed.mixture.group)
    assert whole.losses == resumed.losses
    assert len(whole.losses["latent"]) == 6
    with pytest.raises(SettingError, match="checkpoint: made with other settings"):
        trained(codec, tmp_path / "cut.pt", replace(planned, made_of={"seen": "others"}))
    discard_checkpoint(tmp_path / "cut.pt")
    assert not list(tmp_path.glob("cut*"))


def test_targets_that_no_picture_is_routed_to_are_learnt_too(tmp_path: Path) -> None:
    """Six pictures alike are all routed to one target."""
    recipe = MixtureRecipe(crop=64, batch=4, spread=0.9)
    mixture = trained(ToyCodec(4, 8), tmp_path / "c.pt", replace(plan(6), recipe=recipe)).mixture
    assert list(mixture.recipe["routed"].values()).count(0) >= 1
    assert all(target.abs().max() > 0 for target in mixture.shared)


def test_a_codec_without_features_is_told_in_the_recipe(tmp_path: Path) -> None:
    silent = trained(ToyCodec(features=False), tmp_path / "a.pt")
    assert silent.mixture.recipe["feature_weight"] == 0
    assert "multi-layer term" in silent.mixture.recipe["left_out"]
    assert list(silent.losses) == ["latent"]
    speaking = trained(ToyCodec(), tmp_path / "b.pt")
    assert "left_out" not in speaking.mixture.recipe
    assert list(speaking.losses) == ["latent", "features"]


def test_two_unknown_codecs_must_be_of_one_space(tmp_path: Path) -> None:
    with pytest.raises(MixtureError, match="expected one latent family"):
        train_mixture(
            own_pictures(),
            [ToyCodec(seed=0), ToyCodec(seed=1)],
            plan(),
            checkpoint=tmp_path / "c.pt",
        )


def test_a_start_of_another_space_or_other_targets_is_refused(tmp_path: Path) -> None:
    codec = ToyCodec(4, 8, family="toy")
    with pytest.raises(MixtureError, match="made for the latent family 'sdxl'"):
        trained(codec, tmp_path / "c.pt", plan(start=random_mixture(family="sdxl")))
    strange = replace(random_mixture(family="toy"), target_names=("a", "b", "c"))
    with pytest.raises(MixtureError, match="aims at a, b, c"):
        trained(codec, tmp_path / "c.pt", plan(start=strange))


def test_more_groups_than_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="groups: 7 groups need at least as many pictures"):
        trained(ToyCodec(), tmp_path / "c.pt", replace(plan(), groups=7))


def test_what_a_start_becomes() -> None:
    start = random_mixture(channels=4)
    centroids = start.centroids[[2, 0]] + 0.01
    shared, group = begun_from(start, start.eta / 2, centroids)
    torch.testing.assert_close(shared, start.shared.float() * start.quantum / 2)
    torch.testing.assert_close(group, start.group[:, [2, 0]].float() * start.quantum / 2)


def test_what_to_begin_with(tmp_path: Path) -> None:
    assert starting_mixture("nothing", "sd1") is None
    assert starting_mixture("auto", "nobodys") is None
    shipped = starting_mixture("auto", "sd1")
    assert isinstance(shipped, Mixture)
    assert shipped.target_names == tuple(PERIODS)
    random_mixture().save(tmp_path / "m.safetensors")
    own = starting_mixture(str(tmp_path / "m.safetensors"), "sd1")
    assert own is not None
    assert own.recipe == {"kind": "random"}


def test_a_plain_function_trains_too(tmp_path: Path) -> None:
    inner = ToyCodec(4, 8).encode
    codec = CallableCodec(inner, name="host", latent_channels=4, downscale=8, family="sd1")
    mixture = trained(codec, tmp_path / "c.pt", plan(2)).mixture
    assert mixture.family == "sd1"
    assert mixture.probe is None
    assert mixture.shared.abs().max() > 0
