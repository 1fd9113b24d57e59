"""What LoRA Mimicry Test tells: verdicts, numbers, the grid, and what is shown while it runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from fixative.mimicry.imitation import Imitation
from fixative.mimicry.lora import Lora, LoraSettings
from fixative.mimicry.tools import MimicryTools
from nodes.grids import labelled_rows
from nodes.mimic_report import Story, mimicry_text
from nodes.mimic_view import MimicView
from nodes.mimic_windows import CLEAN, PROTECTED, PURIFIED
from nodes.mimicking import (
    NO_LORA,
    Imitator,
    rows_of,
)
from tests.node_mimicry_parts import WANTED, toy_tools, toy_windows

pytest.importorskip("peft")


@pytest.fixture
def tools() -> MimicryTools:
    return toy_tools()


@pytest.fixture
def windows() -> dict[str, Tensor]:
    return toy_windows()


def imitator(arm: str, middle: float, spread: float = 0.05) -> Imitator:
    generator = torch.Generator().manual_seed(len(arm))
    vectors = torch.full((6, 8), middle) + spread * torch.randn((6, 8), generator=generator)
    lora = None if arm == NO_LORA else Lora({}, LoraSettings(), (1.0, 0.5))
    losses = () if lora is None else lora.losses
    drawn = Imitation(torch.rand(6, 3, 64, 64), {"codec": vectors}, None, losses)
    return Imitator(arm, 0, lora, drawn)


def story(tools: MimicryTools, *found: Imitator) -> Story:
    generator = torch.Generator().manual_seed(9)
    originals = torch.ones(4, 8) + 0.05 * torch.randn((4, 8), generator=generator)
    settings = WANTED.settings(testbed=True)
    return Story(list(found), settings, tools.describe(), {"codec": originals}, testbed=True)


class TestReport:
    def test_less_faithful_in_words_and_numbers(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        told = story(
            tools,
            imitator(NO_LORA, -1.0),
            imitator(CLEAN, 1.0),
            imitator(PROTECTED, -0.6),
            imitator(PURIFIED, 0.98),
        )
        text, facts = mimicry_text(told, windows, 75.0)
        first, second, *_ = text.splitlines()
        assert "less faithful" in first
        assert "Purified" in second
        assert "laboratory animal" in text
        assert "There is no LPIPS (not here)" in text
        assert "rank 2, 4 steps of 2, learning rate 0.004" in text
        arms = {one["arm"]: one for one in json.loads(facts)["arms"]}
        assert arms[PROTECTED]["weaker"]["value"] > 0.5
        assert abs(arms[PURIFIED]["weaker"]["value"]) < 0.2
        assert len(json.loads(facts)["losses"]) == 3

    def test_a_stop_is_said_first_with_all_that_is_missing(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        arms = (imitator(NO_LORA, -1.0), imitator(CLEAN, 1.0), imitator(PROTECTED, -0.6))
        settings = replace(WANTED, repetitions=2).settings(testbed=True)
        missing = ((PURIFIED, 0), (NO_LORA, 1), (CLEAN, 1), (PROTECTED, 1), (PURIFIED, 1))
        told = replace(story(tools, *arms), settings=settings, missing=missing)
        text, facts = mimicry_text(told, windows, 75.0)
        assert text.startswith(
            "Stopped before the end. Not there: purified (repetition 1); no LoRA, clean, "
            "protected, purified (repetition 2). "
        )
        assert "less faithful" in text
        assert "0 of 2 repetition(s) whole" in text
        assert "purified" not in text.split("Similarity")[1]
        assert json.loads(facts)["stopped"] is True
        assert json.loads(facts)["missing"][0] == {"arm": PURIFIED, "repetition": 0}
        whole, facts = mimicry_text(replace(told, missing=()), windows, 75.0)
        assert "Stopped" not in whole
        assert json.loads(facts)["stopped"] is False

    def test_no_verdict_where_nothing_was_learnt(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        arms = (imitator(name, 0.0, 1.0) for name in (NO_LORA, CLEAN, PROTECTED))
        text, _ = mimicry_text(story(tools, *arms), windows, 1.0)
        assert text.startswith("No verdict: ")

    def test_the_grid_has_what_was_learnt_from_and_what_was_drawn(
        self, windows: dict[str, Tensor]
    ) -> None:
        rows = rows_of(windows, [imitator(NO_LORA, 0.0), imitator(CLEAN, 0.0)])
        assert [label for label, _ in rows] == [
            "learnt from: clean",
            "learnt from: protected",
            "drawn, no LoRA",
            "drawn, clean",
        ]
        sheet = labelled_rows(rows, side=64)
        assert sheet.width > 6 * 64
        assert sheet.height > 4 * 64
        assert sheet.getpixel((sheet.width - 20, 40)) == (255, 255, 255)  # three pictures only
        assert sheet.getpixel((10, 40)) != (255, 255, 255)
        narrow = labelled_rows(
            [("a label wider than its only picture", windows[CLEAN][:1])], side=32
        )
        assert narrow.width > 150


def test_the_view_counts_imitators_and_shows_the_newest_pictures() -> None:
    shown: list[tuple[int, str, Image.Image | None]] = []
    view = MimicView(lambda *told: shown.append(told))
    view.tell(NO_LORA, "drawn", 1, 1, None, torch.zeros(3, 64, 64))
    for step in (1, 2):
        view.tell(CLEAN, "training", step, 2, 1 / step, torch.ones(3, 64, 64))
    view.tell(CLEAN, "drawn", 1, 1, None, torch.ones(3, 64, 64))
    counts = [count for count, _, _ in shown]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1000, 2000)
    assert shown[2][1] == "clean: training 2/2, loss 0.7500"
    assert all(picture is not None for _, _, picture in shown)
