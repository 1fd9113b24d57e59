"""Protections by name: what is written is what is made, and mistakes are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fixative.errors import MixtureError, SettingError
from fixative.mixture import Mixture
from fixative.perceptual.distance import LearnedDistance
from fixative.protections.ablated import AblatedMixture
from fixative.protections.iterative import AttackStep
from fixative.protections.mist import MistTexture
from fixative.protections.photoguard import PhotoGuard
from fixative.protections.refine import Refinement, RefineSettings
from fixative.protections.registry import PROTECTIONS, ProtectionResources, make_protection
from fixative.protector import Protector, ProtectSettings
from fixative.steps import assign_pictures, target_perturbation
from tests.engine_parts import drawn_picture, random_mixture
from tests.toy_denoisers import ToyDenoiser
from tests.toy_models import toy_codec

CODEC = toy_codec("sd1")
SIDE = 512


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    return random_mixture()


@pytest.fixture(scope="module")
def resources(mixture: Mixture) -> ProtectionResources:
    return ProtectionResources(CODEC, mixture, LearnedDistance(), denoiser=ToyDenoiser())


def test_each_says_what_it_is_and_needs(resources: ProtectionResources) -> None:
    for name, method in PROTECTIONS.items():
        assert method.help
        assert all(parameter.help for parameter in method.parameters)
        for need in method.needs:
            with pytest.raises(SettingError, match=f"protection {name}: needs a"):
                make_protection(name, replace(resources, **{need: None}))
        assert make_protection(name, resources, strength=3.0).strength == 3.0


def test_settings_reach_the_method(resources: ProtectionResources) -> None:
    photoguard = make_protection("photoguard:7,goal=zero,consistency=30", resources)
    assert isinstance(photoguard, PhotoGuard)
    assert photoguard.steps == 7
    mist = make_protection("mist:steps=9", resources)
    assert isinstance(mist, MistTexture)
    assert mist.steps == 9
    mixture = make_protection("mixture:off,target=mid,group=wrong", resources)
    assert isinstance(mixture, AblatedMixture)
    assert mixture.settings == ProtectSettings(8.0, "mid", "off")
    assert mixture.group == "wrong"


def test_every_step_is_told(resources: ProtectionResources) -> None:
    pictures = torch.cat([drawn_picture(32, 40, seed=seed) for seed in (1, 2)])
    for text, names in [
        ("photoguard:3,goal=low", {"distance"}),
        ("photoguard:3,goal=low,consistency=30", {"distance", "inconsistency"}),
        ("mist:3", {"distance"}),
        ("glaze:3", {"distance", "visible"}),
        ("advdm:3", {"denoising"}),
        ("mist-fused:3", {"distance", "denoising"}),
        ("sds:3", {"denoising"}),
    ]:
        told: list[AttackStep] = []
        make_protection(text, resources, on_step=told.append).protect(pictures)
        assert [(t.picture, t.step) for t in told] == [(p, s) for p in (0, 1) for s in (1, 2, 3)]
        assert all(set(t.losses) == names and t.steps == 3 for t in told), text
        if "denoising" not in names:  # which depends on what is drawn in the step, too
            assert told[2].losses["distance"] < told[0].losses["distance"], text


def test_a_step_may_stop_it(resources: ProtectionResources) -> None:
    def stop(step: AttackStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_protection("mist:3", resources, on_step=stop).protect(drawn_picture(16, 16))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("photogard", "did you mean photoguard"),
        ("photoguard:0", "steps from 1"),
        ("photoguard:5,goal=zeros", "did you mean zero"),
        ("photoguard:5,beta=3", "no setting 'beta'"),
        ("mist:consistency=-1", "consistency from 0"),
        ("mixture:of", "did you mean off"),
        ("noise+mist:2", "expected one method, got 2"),
    ],
)
def test_mistakes_are_told(resources: ProtectionResources, text: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        make_protection(text, resources)


def test_a_chosen_goal_needs_no_mixture_but_its_choice_does() -> None:
    bare = ProtectionResources(CODEC)
    make_protection("photoguard:1,goal=mid", bare).protect(drawn_picture(16, 16))
    with pytest.raises(SettingError, match="goal: auto needs a mixture"):
        make_protection("photoguard:1", bare)
    with pytest.raises(MixtureError):
        make_protection("photoguard:1", ProtectionResources(CODEC, random_mixture(family="x")))


class TestAblations:
    """On a grey 512 picture nothing is cut and nothing resized: the sums show as they are."""

    GREY = (torch.full((1, 3, SIDE, SIDE), 0.5) * 255).round() / 255

    def change(self, text: str, resources: ProtectionResources) -> torch.Tensor:
        return make_protection(text, resources).protect(self.GREY).perturbation

    def test_groups(self, resources: ProtectionResources, mixture: Mixture) -> None:
        distances = assign_pictures(self.GREY, CODEC, mixture).distances
        near, far = int(distances.argmin()), int(distances.argmax())
        unit, step = 1 / 255, mixture.quantum
        shared, group = mixture.shared[2].float(), mixture.group[2].float()
        for name, wanted in {
            "assigned": (shared + group[near]) * step,
            "wrong": (shared + group[far]) * step,
            "mean": (shared + group.mean(0)) * step,
            "shared-only": 2 * shared * step,
        }.items():
            found = self.change(f"mixture:off,target=high,group={name}", resources)
            assert (found[0] - wanted).abs().max() <= 0.51 * unit, name
        assert near != far

    def test_one_universal(self, resources: ProtectionResources, mixture: Mixture) -> None:
        found = self.change("universal:low", resources)
        wanted = 2 * mixture.shared[0].float() * mixture.quantum
        assert (found[0] - wanted).abs().max() <= 0.51 / 255
        assert found.abs().max().item() * 255 == pytest.approx(8, abs=1e-3)

    def test_assigned_is_the_protector(self, resources: ProtectionResources) -> None:
        picture = drawn_picture(40, 56)
        own = Protector(CODEC, random_mixture(), ProtectSettings(5.0, strength_map="learned"))
        expected = own.protect(picture)
        found = make_protection("mixture", resources, strength=5.0).protect(picture)
        assert torch.equal(found.image, expected.image)
        assert found.reports == expected.reports


def test_refined_is_the_steps_in_a_row(resources: ProtectionResources, mixture: Mixture) -> None:
    picture = drawn_picture(40, 56)
    start = target_perturbation(mixture, assign_pictures(picture, CODEC, mixture), strength=6.0)
    by_hand = Refinement(CODEC, start, settings=RefineSettings(steps=3)).protect(picture)
    told: list[AttackStep] = []
    method = make_protection("refined:3,map=off", resources, strength=6.0, on_step=told.append)
    found = method.protect(picture)
    assert torch.equal(found.image, by_hand.image)
    assert found.reports[0].target == by_hand.reports[0].target
    assert [step.step for step in told] == [0, 1, 2, 3]
    assert told[-1].losses["pull"] > told[0].losses["pull"]
