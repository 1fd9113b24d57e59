"""What Edit Test does with pictures: controls of the same budget, edits and their distances."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from fixative.mimicry.settings import EditSettings
from fixative.mimicry.tools import MimicryTools
from nodes.editing import CHANCE, NOISE, edit_text, edited, with_controls
from nodes.mimic_windows import CLEAN, PROTECTED, PURIFIED
from tests.node_mimicry_parts import toy_tools, toy_windows

pytest.importorskip("peft")


@pytest.fixture
def tools() -> MimicryTools:
    return toy_tools()


@pytest.fixture
def windows() -> dict[str, Tensor]:
    return toy_windows()


class TestEdit:
    def test_controls_have_the_protection_s_budget(self, windows: dict[str, Tensor]) -> None:
        found = with_controls(windows, 0)
        assert torch.equal(found[CHANCE], windows[CLEAN])
        change = (found[NOISE] - windows[CLEAN]).abs().max().item() * 255
        assert change == pytest.approx(8, abs=0.01)

    def test_equal_pictures_give_equal_edits(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        steps: list[tuple[str, int, int]] = []
        same = with_controls({**windows, PURIFIED: windows[CLEAN]}, 0)
        edit = EditSettings("positive", 0.6, 3, 2, 1.5)
        done = edited(
            same, edit, 0, tools, lambda arm, p, _n, step, _s: steps.append((arm, p, step))
        )
        by_arm = {one.arm: one for one in done}
        assert torch.equal(by_arm[CLEAN].images, by_arm[PURIFIED].images)
        for arm in (CHANCE, PROTECTED):
            features = by_arm[arm].features
            assert features is not None
            assert features.value > 0
            assert by_arm[arm].measures["psnr"].value < 60
        assert steps[:3] == [(CLEAN, 1, 1), (CLEAN, 1, 2), (CLEAN, 2, 1)]
        text, facts = edit_text(done, edit, tools.describe(), seconds=3)
        assert text.startswith("Protecting changes an edit by ")
        assert "purified, 0 % are left" in text
        assert {one["arm"] for one in json.loads(facts)["arms"]} == set(by_arm) - {CLEAN}
