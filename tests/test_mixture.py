"""The mixture file: strict, small, exact, and the shipped one does what it is for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fixative.errors import MixtureError, WeightsError
from fixative.mixture import Mixture, find_mixture, load_mixture, quantise
from tests.engine_parts import random_mixture


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    saved = random_mixture()
    saved.save(tmp_path / "m.safetensors")
    loaded = load_mixture(tmp_path / "m.safetensors")
    for field in dataclasses.fields(Mixture):
        before, after = getattr(saved, field.name), getattr(loaded, field.name)
        if field.name in ("centroids", "target_latents"):
            torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-3)
        elif isinstance(before, torch.Tensor):
            assert torch.equal(before, after), field.name
        elif field.name != "name":
            assert before == pytest.approx(after), field.name
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    (tmp_path / "other").touch()  # with the permissions that any new file gets
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_combined_is_the_sum_of_global_and_group() -> None:
    mixture = random_mixture()
    combined = mixture.combined(torch.tensor([0, 2]), torch.tensor([3, 1]))
    expected = mixture.shared[2].float() + mixture.group[2, 1].float()
    torch.testing.assert_close(combined[1], expected * (4 / 255 / 127))
    assert combined.abs().max() <= mixture.eta + 1e-7


def test_quantising_errs_by_half_a_step_at_most() -> None:
    eta = 8 / 255
    perturbation = (torch.rand(3, 64, 64) - 0.5) * eta
    error = quantise(perturbation, eta).float() * (eta / 2 / 127) - perturbation
    assert error.abs().max() <= eta / 2 / 127 / 2 + 1e-8


def test_files_that_are_no_mixture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no file"):
        load_mixture(tmp_path / "absent.safetensors")
    plain = tmp_path / "plain.safetensors"
    save_file({"a": torch.zeros(1)}, plain)
    with pytest.raises(MixtureError, match="not a mixture file"):
        load_mixture(plain)
    broken = dataclasses.replace(random_mixture(), shared=torch.zeros(3, 3, 8, 8).to(torch.int8))
    broken.save(tmp_path / "broken.safetensors")
    with pytest.raises(MixtureError, match="global is"):
        load_mixture(tmp_path / "broken.safetensors")


def test_a_family_without_mixture_is_told_what_there_is() -> None:
    with pytest.raises(MixtureError, match=r"none is shipped for.*'sd3'.*there is one for: sd1"):
        find_mixture("sd3")
