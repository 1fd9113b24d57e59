"""Mimicry tests of toys: what they measure, interrupted and gone on, workers, what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from fixative.errors import SettingError
from fixative.evaluation.journal import NAME
from fixative.evaluation.rows import DONE, FAILED, NOT_RUN
from fixative.mimicry.arms import plan_arms
from fixative.mimicry.plan import flat, plan_tasks
from fixative.mimicry.report import write_report
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.run import MimicryProgress
from fixative.mimicry.sets import sets_of_folders
from fixative.mimicry.settings import EditSettings, MimicrySettings
from fixative.mimicry.tools import GivenTools
from fixative.mimicry.verdict import main_verdict, verdicts
from tests.mimicry_parts import (
    BASELINE,
    COUNTERMEASURE,
    PROTECTION,
    SETTINGS,
    ToySource,
    numbers,
    run_toy,
    toy_set,
    toy_tools,
)
from tests.picture_files import save_photo

pytest.importorskip("peft")

SHORT = replace(SETTINGS, lora=replace(SETTINGS.lora, steps=2), seeds=1, samples=2)


class StopHereError(Exception):
    """Raised in the middle of a run."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[MimicryResults, Path]:
    """Two sets with edits, and the report."""
    out = tmp_path_factory.mktemp("mimic") / "out"
    sets = [toy_set("a"), toy_set("b", 5, seed=20)]
    found = run_toy(out, sets=sets, settings=replace(SETTINGS, edit=EditSettings(steps=2)))
    write_report(found, out)
    return found, out


def test_a_clean_imitator_learns_and_the_control_is_no_different(
    run: tuple[MimicryResults, Path],
) -> None:
    found, _ = run
    assert not found.failures
    clean, none = found.arm("all sets", "clean"), found.arm("all sets", "no LoRA")
    control = found.arm("all sets", "clean, other seed")
    assert clean is not None
    assert none is not None
    assert control is not None
    assert clean.main is not None
    assert none.main is not None
    assert control.main is not None
    assert clean.main.similarity.value > none.main.similarity.value + 0.5
    assert clean.main.kid.value < none.main.kid.value
    assert clean.main.distance.value < none.main.distance.value
    assert (clean.main.p_none or 1) < 0.05 < (control.main.p_clean or 0)
    assert control.imitation is not None
    assert control.imitation.value == pytest.approx(1, abs=0.2)
    assert clean.loss is not None
    first = next(row.losses for row in found.rows if row.key == ("LoRA", "a", "clean", 0))
    assert first[-1] < 0.7 * first[0]
    assert {arm.name for arm in found.arms} >= {PROTECTION, BASELINE, "noise"}


def test_arms_differ_by_their_pictures_alone(run: tuple[MimicryResults, Path]) -> None:
    """The toy codec averages cells, so noise of one budget hardly moves latents; 1 bit does."""
    found, _ = run
    losses = {row.arm: row.losses for row in found.rows if row.key[::3] == ("LoRA", 0)}
    assert losses["noise"] == pytest.approx(losses["clean"], rel=0.1)
    assert losses["clean, other seed"] != pytest.approx(losses["clean"], rel=0.01)
    purified = found.arm("a", f"{PROTECTION} → {COUNTERMEASURE}")
    assert purified is not None
    assert purified.main is not None
    clean = found.arm("a", "clean")
    assert clean is not None
    assert clean.main is not None
    assert purified.main.kid.value > 2 * abs(clean.main.kid.value)


def test_the_report_tells_all(run: tuple[MimicryResults, Path]) -> None:
    found, out = run
    page = (out / "report.html").read_text("utf-8")
    for verdict in verdicts(found):
        assert verdict.says
        assert len(verdict.lines) == 6
        assert "The clean imitator learnt something" in verdict.lines[-2]
        assert "There is no LPIPS (not wanted here)" in verdict.lines[-1]
    assert f"all sets: with {PROTECTION} at 8/255 the imitation is" in main_verdict(found)
    assert f"after {COUNTERMEASURE}" in main_verdict(found)
    assert "Control, clean pictures with another seed" in page
    assert "Edits by img2img: all sets" in page
    assert page.count("data:image/webp") == 4
    assert "laboratory animal" not in page, "the toy is not the testbed"
    assert not [mark for mark in ("http:", "https:", 'src="grids') if mark in page]
    stored = json.loads((out / "results.json").read_text("utf-8"))
    assert stored["schema"] == 1
    assert stored["tools"]["features"][0]["name"] == "codec"
    assert len(stored["sets"][1]["pictures"]) == 5
    with Image.open(next((out / "grids").glob("a-*.png"))) as grid:
        assert grid.height > 8 * 100, "originals and seven arms"


def test_edits_are_compared_with_those_of_the_clean_picture(
    run: tuple[MimicryResults, Path],
) -> None:
    found, _ = run
    edits = {(edit.set, edit.arm): edit for edit in found.edits}
    control = edits["a", "clean, other seed"]
    noise = edits["a", "noise"]
    assert ("a", "clean") not in edits
    assert control.used == 4
    assert noise.visual["psnr"].value > control.visual["psnr"].value + 3
    assert noise.features is not None
    assert control.features is not None
    assert noise.features.value < control.features.value
    assert edits["all sets", "noise"].used == 8


def test_an_interrupted_run_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed = run_toy(tmp_path / "whole", settings=SHORT)

    def stop(progress: MimicryProgress) -> None:
        if progress.row is None and progress.done >= 7:  # in the middle of a task
            raise StopHereError

    with pytest.raises(StopHereError):
        run_toy(tmp_path / "parts", settings=SHORT, on_progress=stop)
    journal = tmp_path / "parts" / NAME
    assert len(journal.read_text("utf-8").splitlines()) == 1 + 7
    made: list[str] = []

    def note(progress: MimicryProgress) -> None:
        if progress.row is not None:
            made.append(progress.doing)

    again = run_toy(tmp_path / "parts", settings=SHORT, on_progress=note)
    assert len(made) == len(undisturbed.rows) - 7, "what was done is not done again"
    assert numbers(again) == numbers(undisturbed)
    lost = tmp_path / "parts" / again.rows[-1].file
    lost.unlink()
    made.clear()
    assert numbers(run_toy(tmp_path / "parts", settings=SHORT, on_progress=note)) == numbers(again)
    assert made == [plan_title(SHORT)], "a file that is gone is made again"


def plan_title(settings: MimicrySettings) -> str:
    return flat(plan_tasks([toy_set()], settings))[-1].title


def test_workers_do_not_change_results(tmp_path: Path) -> None:
    alone = run_toy(tmp_path / "alone", settings=SHORT)
    told: list[MimicryProgress] = []
    many = run_toy(
        tmp_path / "many", settings=SHORT, source=ToySource(), workers=2, on_progress=told.append
    )
    assert numbers(many) == numbers(alone)
    assert {step.done for step in told if step.row is not None} == set(range(1, len(many.rows) + 1))


def test_another_test_is_refused_and_fresh_starts_over(tmp_path: Path) -> None:
    first = run_toy(tmp_path, settings=SHORT)
    told: list[MimicryProgress] = []
    assert run_toy(tmp_path, settings=SHORT, on_progress=told.append) == first
    assert not told
    other = replace(SHORT, strength=4.0)
    with pytest.raises(SettingError, match="a mimicry test that differs in: settings"):
        run_toy(tmp_path, settings=other)
    with pytest.raises(SettingError, match="differs in: sets"):
        run_toy(tmp_path, settings=SHORT, sets=[toy_set(seed=3)])
    (tmp_path / "mine.txt").write_text("x", "utf-8")
    assert run_toy(tmp_path, settings=other, fresh=True).settings["strength"] == 4
    assert (tmp_path / "mine.txt").is_file()


def test_what_fails_stays_in_its_row(tmp_path: Path) -> None:
    """The mixture is not there: its arms fail, the others are measured."""
    arms = plan_arms(["mixture"], ["jpeg:75"], baseline=None)
    found = run_toy(tmp_path, settings=replace(SHORT, arms=arms))
    status = {row.key: row.status for row in found.rows}
    assert status["pictures", "toy", "mixture", 0] == FAILED
    assert status["LoRA", "toy", "mixture", 0] == NOT_RUN
    assert status["pictures", "toy", "mixture → jpeg:75", 0] == NOT_RUN
    assert status["LoRA", "toy", "clean", 0] == DONE
    assert "needs a mixture" in found.failures[0].note
    assert "needs a mixture" in (write_report(found, tmp_path)).read_text("utf-8")
    mixture = found.arm("toy", "mixture")
    assert mixture is not None
    assert (mixture.used, mixture.imitation) == (0, None)


def test_a_training_that_runs_away_is_told(tmp_path: Path) -> None:
    tools = toy_tools()
    with torch.no_grad():
        next(tools.denoiser.network.parameters()).fill_(float("nan"))
    found = run_toy(tmp_path, settings=SHORT, source=GivenTools(tools))
    assert {row.stage for row in found.failures} == {"LoRA"}
    assert all("lower the rate" in row.note for row in found.failures)
    assert not any(result.used for result in found.results)


def test_a_model_of_another_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"latents of the family 'sdxl'.*those of 'sd1'"):
        run_toy(tmp_path, source=GivenTools(toy_tools(family="sdxl")))


def test_pictures_that_cannot_be_read_do_not_count(tmp_path: Path) -> None:
    for number in range(3):
        save_photo(tmp_path / f"in/{number}.png", 40, 32)
    (tmp_path / "in/2.png").write_bytes(b"none")
    one = sets_of_folders([tmp_path / "in"], out=tmp_path / "out")[0]
    found = run_toy(tmp_path / "out", sets=[one], settings=SHORT)
    assert "could be read: 2" in found.failures[0].note
    assert "2.png" in found.failures[0].note
    assert not found.results
    assert main_verdict(found) == "nothing was measured: see what failed"
    assert write_report(found, tmp_path / "out").is_file()


def test_an_imitator_that_learnt_nothing_says_nothing(tmp_path: Path) -> None:
    lazy = replace(SHORT, lora=replace(SHORT.lora, steps=1, rate=1e-9), samples=4)
    found = run_toy(tmp_path, settings=lazy)
    told = verdicts(found)[0]
    assert not told.says
    assert "nothing can be said" in told.lines[0]


def test_no_percentages_of_a_gain_that_may_be_none(run: tuple[MimicryResults, Path]) -> None:
    """An infinite end is a draw of imitators in which the clean ones gained nothing."""
    found, _ = run
    unsure = [
        replace(one, weaker=replace(one.weaker, low=None)) if one.weaker else one
        for one in found.results
    ]
    told = verdicts(replace(found, results=unsure))
    assert not any(one.says for one in told)
    assert "nothing can be said in percent" in told[0].lines[0]
