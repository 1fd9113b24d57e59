"""What the mimicry nodes decide without a host: windows, LoRAs, resuming, reports, pictures."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fixative.codecs import load_codec
from fixative.errors import FixativeError, ImageError, SettingError
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.features import Eyes
from fixative.mimicry.imitation import Imitation
from fixative.mimicry.lora import Lora, LoraSettings
from fixative.mimicry.settings import EditSettings
from fixative.mimicry.testbed import read_testbed
from fixative.mimicry.tools import MimicryTools
from fixative.perceptual.distance import LearnedDistance
from nodes.convert import join_alpha
from nodes.editing import CHANCE, NOISE, edit_text, edited, with_controls
from nodes.grids import labelled_rows
from nodes.loras import lora_model
from nodes.mimic_report import Story, mimicry_text
from nodes.mimic_view import MimicView
from nodes.mimic_windows import CLEAN, PROTECTED, PURIFIED, batches_of, fitted
from nodes.mimicking import (
    NO_LORA,
    USUAL_RATE,
    Imitator,
    Studio,
    Wanted,
    has_attention,
    require_peft,
    rows_of,
)

pytest.importorskip("peft")

WANTED = Wanted(
    rank=2,
    steps=4,
    rate=0.0,
    batch=2,
    layers="auto",
    seeds=1,
    seed=0,
    samples=4,
    sampling_steps=2,
    guidance=1.5,
)


class Toy(Denoiser):
    """One convolution that sees clean latents in noisy ones; 64 pixels."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1)).requires_grad_(False)
        super().__init__(network, name="toy", family="sd1", latent_channels=4, resolution=64)

    def condition(self, captions: Sequence[str]) -> Condition:
        return {"words": torch.tensor([[float(bool(caption))] for caption in captions])}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cos(times * 1.5), torch.sin(times * 1.5)

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        return 0.5 * noisy + self.network(noisy) + 0.1 * condition["words"][:, :, None, None]


@pytest.fixture(scope="module")
def tools() -> MimicryTools:
    codec = load_codec()
    return MimicryTools(Toy(), codec, LearnedDistance(), Eyes(codec, None, "not here"))


@pytest.fixture(scope="module")
def windows() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    clean = (torch.rand((3, 3, 64, 64), generator=generator) * 255).round() / 255
    return {CLEAN: clean, PROTECTED: (clean * 255 + 8).clamp(0, 255).round() / 255}


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
    said = replace(WANTED, rate=0.01, layers="attention").settings(testbed=True).lora
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


class Stop(BaseException):
    """As the user's stop is in newer hosts."""


class TestStudio:
    def told(self) -> tuple[list[tuple[str, str, int]], list[Tensor], object]:
        steps: list[tuple[str, str, int]] = []
        pictures: list[Tensor] = []

        def tell(
            arm: str, what: str, step: int, _steps: int, loss: float | None, picture: Tensor | None
        ) -> None:
            assert (loss is not None) == (what == "training")
            steps.append((arm, what, step))
            if picture is not None:
                pictures.append(picture)

        return steps, pictures, tell

    def test_every_batch_gets_a_lora_from_the_same_start(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        steps, pictures, tell = self.told()
        settings = WANTED.settings(testbed=True)
        same = {CLEAN: windows[CLEAN], PROTECTED: windows[CLEAN].clone()}
        found = Studio(tools, settings, tell, {}).imitators(same)  # type: ignore[arg-type]
        assert [one.arm for one in found] == [NO_LORA, CLEAN, PROTECTED]
        none, clean, protected = (one.drawn.images for one in found)
        assert torch.equal(clean, protected)  # the same pictures, the same everything
        assert not torch.equal(clean, none)
        assert [step for arm, what, step in steps if (arm, what) == (CLEAN, "training")] == [
            1,
            2,
            3,
            4,
        ]
        assert {picture.shape for picture in pictures} == {(3, 64, 64)}
        assert len(pictures) >= 6  # while they are trained, and when they are

    def test_other_pictures_make_another_lora(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        _, _, tell = self.told()
        settings = WANTED.settings(testbed=True)
        found = Studio(tools, settings, tell, {}).imitators(windows)  # type: ignore[arg-type]
        assert not torch.equal(found[1].drawn.images, found[2].drawn.images)

    def test_stopped_it_goes_on_with_what_is_finished(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        kept: dict[str, Lora] = {}
        settings = WANTED.settings(testbed=True)

        def stop(arm: str, what: str, step: int, *_rest: object) -> None:
            if (arm, what, step) == (PROTECTED, "training", 2):
                raise Stop

        with pytest.raises(Stop):
            Studio(tools, settings, stop, kept).imitators(windows)
        assert len(kept) == 1
        steps, _, tell = self.told()
        Studio(tools, settings, tell, kept).imitators(windows)  # type: ignore[arg-type]
        trained = [arm for arm, what, _ in steps if what == "training"]
        assert trained == [PROTECTED] * 4
        other = replace(settings, seed=1)
        steps, _, tell = self.told()
        Studio(tools, other, tell, kept).imitators(windows)  # type: ignore[arg-type]
        assert CLEAN in {arm for arm, what, _ in steps if what == "training"}


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
