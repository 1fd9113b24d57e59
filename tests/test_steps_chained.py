"""FastProtect's steps one by one are what Protector does, and refuse what does not fit."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fixative.errors import MixtureError, SettingError
from fixative.perceptual import load_visibility_map
from fixative.protector import Protector
from fixative.steps import (
    PerturbationApplied,
    TargetPerturbation,
    assign_pictures,
    strength_factors,
    target_perturbation,
)
from tests.engine_parts import drawn_picture, random_codec, random_mixture

PICTURES = torch.cat([drawn_picture(70, 90, seed=seed) for seed in (1, 2)])


@pytest.fixture(scope="module")
def chosen() -> TargetPerturbation:
    assigned = assign_pictures(PICTURES, random_codec(), random_mixture())
    return target_perturbation(random_mixture(), assigned)


def test_chained_they_are_protector(chosen: TargetPerturbation) -> None:
    visibility = load_visibility_map("learned")
    factors = strength_factors(PICTURES, chosen, visibility)
    chained = PerturbationApplied(chosen, factors).protect(PICTURES)
    whole = Protector(random_codec(), random_mixture(), visibility=visibility).protect(PICTURES)
    assert torch.equal(chained.image, whole.image)
    assert torch.equal(chained.strength_map, whole.strength_map)
    assert chained.reports == whole.reports
    assert 0 < whole.reports[0].max_change <= 8.001


def test_a_picture_assigned_alone_gets_the_same() -> None:
    codec, mixture = random_codec(), random_mixture()
    together = assign_pictures(PICTURES, codec, mixture).details()
    alone = [assign_pictures(one[None], codec, mixture).details()[0] for one in PICTURES]
    assert together == alone


def test_a_stop_between_two_pictures_is_passed_on() -> None:
    class Stopped(BaseException):
        pass

    def stop(count: int) -> None:
        assert count == 1
        raise Stopped

    with pytest.raises(Stopped):
        assign_pictures(PICTURES, random_codec(), random_mixture(), on_picture=stop)


def test_a_mixture_of_another_family_is_refused() -> None:
    with pytest.raises(MixtureError, match="made for the latent family 'sdxl'"):
        assign_pictures(PICTURES, random_codec(), random_mixture(family="sdxl"))


def test_an_assignment_of_another_mixture_is_refused(chosen: TargetPerturbation) -> None:
    other = dataclasses.replace(random_mixture(), name="other.safetensors")
    with pytest.raises(SettingError, match=r"assignment: made with .* given is other.safetensors"):
        target_perturbation(other, chosen.assigned)


@pytest.mark.parametrize("strength", [-1.0, 33.0])
def test_a_strength_out_of_range_is_refused(chosen: TargetPerturbation, strength: float) -> None:
    with pytest.raises(SettingError, match="strength: expected 0 to 32"):
        target_perturbation(random_mixture(), chosen.assigned, strength=strength)


def test_another_number_of_pictures_is_refused(chosen: TargetPerturbation) -> None:
    with pytest.raises(SettingError, match=r"made for 2 picture\(s\), but 1 came"):
        PerturbationApplied(chosen).protect(PICTURES[:1])
    with pytest.raises(SettingError, match=r"made for 2 picture\(s\), but 1 came"):
        strength_factors(PICTURES[:1], chosen, load_visibility_map("learned"))


def test_a_finished_one_takes_no_map(chosen: TargetPerturbation) -> None:
    finished = dataclasses.replace(chosen, finished=True)
    with pytest.raises(SettingError, match="a strength map is in it already"):
        PerturbationApplied(finished, torch.ones(2, 1, 8, 8))
    with pytest.raises(SettingError, match="a strength map is in it already"):
        strength_factors(PICTURES, finished, load_visibility_map("learned"))
    assert PerturbationApplied(finished).protect(PICTURES).reports[0].max_change > 0
