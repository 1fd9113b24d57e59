"""Where imitators of LoRA Mimicry Test work: equal starts, what a stop leaves, and going on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from fixative.mimicry.lora import Lora
from fixative.mimicry.tools import MimicryTools
from nodes.mimic_stops import Stops, finished
from nodes.mimic_windows import CLEAN, PROTECTED, PURIFIED
from nodes.mimicking import NO_LORA, Imitator, Studio
from tests.node_mimicry_parts import WANTED, toy_tools, toy_windows

pytest.importorskip("peft")

SETTINGS = WANTED.settings(testbed=True)


@pytest.fixture
def tools() -> MimicryTools:
    return toy_tools()


@pytest.fixture
def windows() -> dict[str, Tensor]:
    return toy_windows()


class Stop(BaseException):
    """As the user's stop is in newer hosts."""


@dataclass
class Told:
    """Listens, and stops where it is asked to: at an arm, what it does, step and repetition."""

    stop: tuple[str, str, int, int] | None = None
    steps: list[tuple[str, str, int]] = field(default_factory=list)
    pictures: list[Tensor] = field(default_factory=list)

    def __call__(
        self, arm: str, what: str, step: int, _steps: int, loss: float | None, shown: Tensor | None
    ) -> None:
        assert (loss is not None) == (what == "training")
        self.steps.append((arm, what, step))
        if shown is not None:
            self.pictures.append(shown)
        if self.stop == (arm, what, step, self.steps.count((arm, what, step))):
            raise Stop

    def trained(self) -> list[str]:
        return [arm for arm, what, _ in self.steps if what == "training"]


class TestStudio:
    def test_every_batch_gets_a_lora_from_the_same_start(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        told = Told()
        same = {CLEAN: windows[CLEAN], PROTECTED: windows[CLEAN].clone()}
        found = list(Studio(tools, SETTINGS, told, {}).imitators(same))
        assert [one.arm for one in found] == [NO_LORA, CLEAN, PROTECTED]
        none, clean, protected = (one.drawn.images for one in found)
        assert torch.equal(clean, protected)  # the same pictures, the same everything
        assert not torch.equal(clean, none)
        steps = [step for arm, what, step in told.steps if (arm, what) == (CLEAN, "training")]
        assert steps == [1, 2, 3, 4]
        assert {picture.shape for picture in told.pictures} == {(3, 64, 64)}
        assert len(told.pictures) >= 6  # while they are trained, and when they are

    def test_other_pictures_make_another_lora(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        _, clean, protected = Studio(tools, SETTINGS, Told(), {}).imitators(windows)
        assert not torch.equal(clean.drawn.images, protected.drawn.images)

    def test_stopped_it_goes_on_with_what_is_finished(
        self, tools: MimicryTools, windows: dict[str, Tensor]
    ) -> None:
        kept: dict[str, Lora] = {}
        with pytest.raises(Stop):
            list(
                Studio(tools, SETTINGS, Told((PROTECTED, "training", 2, 1)), kept).imitators(
                    windows
                )
            )
        assert len(kept) == 1
        again = Told()
        list(Studio(tools, SETTINGS, again, kept).imitators(windows))
        assert again.trained() == [PROTECTED] * 4
        other = Told()
        list(Studio(tools, replace(SETTINGS, seed=1), other, kept).imitators(windows))
        assert CLEAN in other.trained()


def stopped(at: tuple[str, str, int, int], kept: dict[str, Lora], seeds: int = 1) -> list[Imitator]:
    """What is left of three arms that were stopped there."""
    windows = toy_windows()
    three = {**windows, PURIFIED: windows[CLEAN].flip(-1)}
    studio = Studio(toy_tools(), replace(SETTINGS, seeds=seeds), Told(at), kept)
    return finished(studio, three, (Stop,))


class TestStops:
    def test_what_was_finished_is_there(self) -> None:
        kept: dict[str, Lora] = {}
        found = stopped((PURIFIED, "training", 1, 1), kept)
        assert [(one.arm, one.number) for one in found] == [
            (NO_LORA, 0),
            (CLEAN, 0),
            (PROTECTED, 0),
        ]
        assert len(kept) == 2
        later = stopped((CLEAN, "drawn", 1, 2), {}, seeds=2)
        assert [one.arm for one in later if one.number == 1] == [NO_LORA, CLEAN]

    def test_it_is_not_lost_where_the_stop_comes_as_it_is_told(self) -> None:
        assert [one.arm for one in stopped((PROTECTED, "drawn", 1, 1), {})][-1] == PROTECTED
        assert [one.arm for one in stopped((PURIFIED, "drawn", 1, 1), {})][-1] == PURIFIED

    @pytest.mark.parametrize("arm", [CLEAN, PROTECTED])
    def test_too_little_to_compare_is_a_stop_as_any(self, arm: str) -> None:
        with pytest.raises(Stop):
            stopped((arm, "training", 3, 1), {})

    def test_the_next_run_of_the_same_widgets_is_another(self) -> None:
        stops = Stops()
        known = {"rank": WANTED.rank, "steps": WANTED.steps, "learning_rate": 0, "side": 64}
        assert stops.count(known) == 0
        stops.add(WANTED)
        assert stops.count(known) == 1
        assert stops.count({**known, "rank": WANTED.rank + 1}) == 0
        assert stops.count({**known, "rank": None, "clean": None}) == 1  # wired: it may be the same
        stops.add(WANTED)
        assert stops.count(known) == 2
