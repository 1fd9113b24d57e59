"""What the mimicry nodes decide without a host: windows, settings, names, packages, words."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from fixative.errors import FixativeError, ImageError, SettingError
from fixative.mimicry.lora import Lora, LoraSettings
from fixative.mimicry.testbed import read_testbed
from nodes.convert import join_alpha
from nodes.loras import lora_model
from nodes.mimic_windows import CLEAN, PROTECTED, batches_of, fitted
from nodes.mimicking import (
    USUAL_RATE,
    has_attention,
    require_peft,
)
from tests.node_mimicry_parts import WANTED

pytest.importorskip("peft")


class TestWindows:
    def test_the_middle_at_its_own_scale_or_the_whole(self) -> None:
        images = torch.zeros(1, 3, 80, 120)
        images[..., 8:72, 24:88] = 1  # the middle 64 pixels, on cells of eight
        assert fitted(images, 64, "window").min() == 1
        whole = fitted(images, 64, "whole")
        assert whole.shape == (1, 3, 64, 64)
        assert whole.min() == 0

    def test_small_pictures_are_enlarged(self) -> None:
        assert fitted(torch.rand(2, 3, 40, 50), 64, "window").shape == (2, 3, 64, 64)

    def test_alpha_is_left_out(self) -> None:
        images = torch.rand(3, 8, 8, 4)
        assert batches_of(images, images, None)[CLEAN].shape == (3, 3, 8, 8)

    @pytest.mark.parametrize(
        ("clean", "protected", "purified", "said"),
        [
            ((2, 8, 8), (2, 8, 8), None, "clean: expected 3 pictures or more .* got 2"),
            ((3, 8, 8), (4, 8, 8), None, "protected: expected the pictures of clean, 3 of 8 × 8"),
            ((3, 8, 8), (3, 8, 9), None, "protected: .* got 3 of 9 × 8 pixels"),
            ((3, 8, 8), (3, 8, 8), (1, 8, 8), "purified: .* got 1 of 8 × 8 pixels"),
        ],
    )
    def test_other_pictures_are_refused(
        self,
        clean: tuple[int, ...],
        protected: tuple[int, ...],
        purified: tuple[int, ...] | None,
        said: str,
    ) -> None:
        given = [None if shape is None else torch.zeros(*shape, 3) for shape in (purified,)]
        with pytest.raises(ImageError, match=said):
            batches_of(torch.zeros(*clean, 3), torch.zeros(*protected, 3), *given)


def test_what_suits_the_model() -> None:
    small, large = (WANTED.settings(testbed=testbed).lora for testbed in (True, False))
    assert (small.rate, small.targets) == (LoraSettings.rate, "all")
    assert (large.rate, large.targets) == (1e-4, "attention")
    said = replace(WANTED, learning_rate=0.01, layers="attention").settings(testbed=True).lora
    assert (said.rate, said.targets) == (0.01, "attention")
    assert WANTED.settings(testbed=False, attention=False).lora.targets == "all"
    with pytest.raises(SettingError, match="layers: this model has no attention layers"):
        replace(WANTED, layers="attention").settings(testbed=False, attention=False)
    assert has_attention(nn.ModuleDict({"to_q": nn.Linear(2, 2)}))
    assert not has_attention(nn.ModuleDict({"qkv": nn.Linear(2, 2)}))


def test_the_widgets_begin_where_the_engine_does(checkout: Path) -> None:
    """And so do its words: numbers in tooltips and in help."""
    nodes = json.loads((checkout / "tests" / "host" / "node_snapshot.json").read_text("utf-8"))
    widgets = nodes["FixativeLoraMimicryTest"]["inputs"]
    for name in ("rank", "steps", "batch"):
        assert widgets[name]["default"] == getattr(LoraSettings, name)
    told = (checkout / "js" / "docs" / "FixativeLoraMimicryTest.md").read_text("utf-8")
    assert f"{LoraSettings.steps} do for the testbed" in told
    assert f"0 = {LoraSettings.rate:g} for the testbed, {USUAL_RATE:g} for" in told


def test_a_lora_by_the_host_s_names() -> None:
    down, up = torch.rand(2, 8), torch.rand(4, 2)
    tensors = {"mid.1.to_q.lora_A.weight": down, "mid.1.to_q.lora_B.weight": up}
    found = lora_model(Lora(tensors, LoraSettings(rank=2, alpha=3.0), ()))
    layer = "diffusion_model.mid.1.to_q"
    assert found.keys() == {
        f"{layer}.{end}" for end in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    assert torch.equal(found[f"{layer}.lora_up.weight"], up)
    assert found[f"{layer}.alpha"] == 3


def test_a_host_without_peft_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    require_peft()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FixativeError, match="-m pip install peft"):
        require_peft()


def test_the_help_page_names_words_that_the_testbed_knows(checkout: Path) -> None:
    page = (checkout / "js" / "docs" / "FixativeLoadTestbed.md").read_text("utf-8")
    [told] = re.findall(r"^Kinds: (.*?)^An unknown|^Kinds: (.*?)\n\n", page, re.M | re.S)
    named = {word for part in re.findall(r"\*([^*]+)\*", "".join(told)) for word in part.split()}
    assert len(named) > 20
    assert named <= set(read_testbed()[1].words)


def test_alpha_of_a_host_is_no_trouble() -> None:
    """The windows come from the host's layout and go back to it."""
    images = join_alpha(torch.rand(3, 3, 8, 8), torch.ones(3, 1, 8, 8))
    assert batches_of(images, images, None)[PROTECTED].shape == (3, 3, 8, 8)
