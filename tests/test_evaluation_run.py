"""Runs: interrupted and gone on, broken pictures, missing decoders, other protocols."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fixative.codecs import CallableCodec
from fixative.countermeasures.base import Need
from fixative.errors import SettingError
from fixative.evaluation import Progress, Results, Subject, evaluate, subjects_of_folder
from fixative.evaluation.journal import NAME
from fixative.evaluation.rows import DONE, FAILED, NOT_RUN
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import (
    PICTURES,
    TOY,
    average_cells,
    cell_codec,
    protocol,
    run_toy,
    toy_tools,
)
from tests.toy_models import toy_codec

#: Nothing but noise and JPEG.
BRIEF = """
version: 1
name: brief
strengths: 8
protections: [noise]
countermeasures: ["jpeg:75"]
"""


class StopHereError(Exception):
    """Raised in the middle of a run."""


def numbers(found: Results) -> Any:
    """Everything but what differs between two equal runs."""
    rows = [replace(row, seconds=None, peak_mb=None) for row in found.rows]
    effects = [effect.__dict__ for effect in found.effects]
    return sorted(map(str, rows)), effects, found.protocol_sha256


def test_an_interrupted_run_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed = run_toy(tmp_path / "whole")

    def stop(progress: Progress) -> None:
        if progress.row is not None and progress.done >= 9:
            raise StopHereError

    with pytest.raises(StopHereError):
        run_toy(tmp_path / "parts", on_progress=stop)
    journal = tmp_path / "parts" / NAME
    lines = journal.read_text("utf-8").splitlines()
    assert len(lines) == 1 + 9
    journal.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:50], "utf-8")  # cut off
    made: list[str] = []

    def note(progress: Progress) -> None:
        if progress.row is not None:
            made.append(progress.doing)

    again = run_toy(tmp_path / "parts", on_progress=note)
    assert len(made) == len(undisturbed.rows) - 8, "what was done is not done again"
    assert numbers(again) == numbers(undisturbed)
    assert json.loads((tmp_path / "parts" / "results.json").read_text("utf-8"))["schema"] == 1


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    first = run_toy(tmp_path)
    told: list[Progress] = []
    again = run_toy(tmp_path, on_progress=told.append)
    assert not told
    assert again == first


def test_another_evaluation_is_refused_and_fresh_starts_over(tmp_path: Path) -> None:
    run_toy(tmp_path)
    with pytest.raises(SettingError, match="differs in: protocol"):
        run_toy(tmp_path, text=TOY.replace("[4, 8]", "[4, 6]"))
    with pytest.raises(SettingError, match="differs in: pictures"):
        run_toy(tmp_path, pictures=[PICTURES[0], drawn_picture(seed=9)])
    with pytest.raises(SettingError, match="differs in: codecs"):
        run_toy(tmp_path, tools=toy_tools(toy_codec("sd1")))
    with pytest.raises(SettingError, match="--fresh"):
        run_toy(tmp_path, tools=toy_tools(mixture=True))
    (tmp_path / "mine.txt").write_text("x", "utf-8")
    again = run_toy(tmp_path, text=TOY.replace("[4, 8]", "[4, 6]"), fresh=True)
    assert {result.strength for result in again.protections} == {4, 6}
    assert (tmp_path / "mine.txt").is_file(), "only an evaluation's own files are removed"


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x", "utf-8")
    with pytest.raises(SettingError, match="holds no evaluation"):
        run_toy(tmp_path)
    with pytest.raises(SettingError, match="is a file"):
        run_toy(tmp_path / "mine.txt")


def test_a_broken_picture_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "c"):
        save(drawn_picture(64, 64), folder / f"{name}.png")
    (folder / "b.png").write_bytes(b"\x89PNG no more")
    subjects = subjects_of_folder(folder, out=tmp_path / "out")
    found = evaluate(protocol(), subjects, tmp_path / "out", tools=toy_tools())
    broken = [row for row in found.rows if row.picture == "b.png"]
    assert broken
    assert {row.status for row in broken} == {FAILED}
    assert "is not an image" in broken[0].note
    assert {row.status for row in found.rows if row.picture != "b.png"} == {DONE}
    effect = found.effect("PGD", 8, "jpeg:75", "toy")
    assert effect is not None
    assert (effect.asked, effect.used) == (3, 2)
    assert "b.png" in effect.note
    save(drawn_picture(64, 64, seed=1), folder / "b.png")
    with pytest.raises(SettingError, match="differs in: pictures"):
        evaluate(protocol(), subjects, tmp_path / "out", tools=toy_tools())


def test_results_inside_the_folder_of_pictures_are_no_pictures(tmp_path: Path) -> None:
    save(drawn_picture(64, 64), tmp_path / "a.png")
    out = tmp_path / "out"
    for _ in range(2):
        found = evaluate(protocol(), subjects_of_folder(tmp_path, out=out), out, tools=toy_tools())
        assert [picture.name for picture in found.pictures] == ["a.png"]


def test_without_a_decoder_it_is_not_run_and_says_why(tmp_path: Path) -> None:
    text = TOY + "  - roundtrip\n  - {method: 'impress:fast,steps=2', pictures: 1}\n"
    found = run_toy(tmp_path / "without", text=text)
    skipped = [row for row in found.rows if row.status == NOT_RUN]
    assert {row.countermeasure for row in skipped} == {"roundtrip", "impress:fast,steps=2"}
    assert all("has no decoder" in row.note for row in skipped)
    assert not found.failures
    effect = found.effect("PGD", 8, "roundtrip", "toy")
    assert effect is not None
    assert (effect.used, effect.pull) == (0, None)
    assert "has no decoder" in effect.note
    found = run_toy(tmp_path / "with", text=text, tools=toy_tools(cell_codec()))
    assert {row.status for row in found.rows} == {DONE}
    purified = [row for row in found.rows if row.countermeasure.startswith("impress")]
    assert all(len(row.curve["loss"]) == 3 for row in purified)


def test_without_a_mixture_what_needs_it_is_not_run(tmp_path: Path) -> None:
    text = TOY.replace("  - noise\n", "  - 'mixture:off'\n  - noise\n")
    found = run_toy(tmp_path / "without", text=text)
    rows = [row for row in found.rows if row.protection == "mixture:off"]
    assert {row.status for row in rows} == {NOT_RUN}
    assert "needs a mixture" in rows[0].note
    found = run_toy(tmp_path / "with", text=text, tools=toy_tools(mixture=True))
    assert {row.status for row in found.rows} == {DONE}


def test_an_unforeseen_error_stays_in_its_cell(tmp_path: Path) -> None:
    def moody(images: Tensor) -> Tensor:
        if images.shape[-2:] == (32, 32) and images[0, 0, 0, 0] != images[0, 0, 0, 8]:
            raise RuntimeError("no more")
        return average_cells(images)

    pictures = [drawn_picture(32, 32), drawn_picture(64, 64)]
    found = run_toy(tmp_path, text=BRIEF, pictures=pictures, tools=toy_tools(hosted(moody)))
    assert {row.picture for row in found.failures} == {"picture 1"}
    assert {row.note for row in found.failures} == {"RuntimeError: no more"}
    assert {row.status for row in found.rows if row.picture == "picture 2"} == {DONE}


def test_a_hosts_interrupt_ends_the_run(tmp_path: Path) -> None:
    calls = 0

    def interrupted(images: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise StopHereError
        return average_cells(images)

    tools, stops = toy_tools(hosted(interrupted)), (StopHereError,)
    with pytest.raises(StopHereError):
        evaluate(protocol(), PICTURES, tmp_path, tools=tools, stops=stops)
    assert (tmp_path / NAME).is_file()
    assert not (tmp_path / "results.json").exists()


def test_an_attack_learns_from_pictures_that_are_not_measured(tmp_path: Path) -> None:
    text = TOY.replace("  - noise\n", "  - universal\n") + (
        "  - {method: 'average:4', against: [universal, PGD]}\npairs: 4\n"
    )
    pictures = [drawn_picture(128, 128, seed=seed) for seed in range(6)]
    found = run_toy(tmp_path, text=text, pictures=pictures, tools=toy_tools(mixture=True))
    assert len(found.pairs) == 4
    assert not set(found.pairs) & {picture.name for picture in found.pictures}
    removed = [row for row in found.rows if row.key[1::2] == ("universal", "average:4")]
    assert {row.status for row in removed} == {DONE}
    assert {row.reference for row in removed} == {"original"}
    for row in removed:
        before, after = row.latent["toy"].shift_before, row.latent["toy"].shift
        assert before is not None
        assert after is not None
        assert after < 0.2 * before, "what all pictures share is found and taken off"


def test_too_few_pairs_is_not_run(tmp_path: Path) -> None:
    text = TOY + "  - {method: average, against: [noise]}\n"
    found = run_toy(tmp_path, text=text)
    skipped = [row for row in found.rows if row.status == NOT_RUN]
    assert {row.countermeasure for row in skipped} == {"average"}
    assert "there are 0" in skipped[0].note


def test_transfer_is_measured_with_codecs_that_were_not_protected_against(tmp_path: Path) -> None:
    other = cell_codec("other")
    found = run_toy(tmp_path, tools=toy_tools(cell_codec("toy"), other))
    assert found.codecs == ["toy", "other"]
    assert {effect.codec for effect in found.effects} == {"toy", "other"}
    assert all(row.latent.keys() == {"toy", "other"} for row in found.rows)
    with pytest.raises(SettingError, match="different names"):
        toy_tools(cell_codec(), cell_codec())


def test_pictures_from_memory_are_checked(tmp_path: Path) -> None:
    found = run_toy(tmp_path, pictures=[torch.full((1, 3, 64, 64), 2.0), PICTURES[0]])
    assert "expected values in [0, 1]" in found.failures[0].note
    subjects = [Subject("same", image=PICTURES[0])] * 2
    with pytest.raises(SettingError, match="all different"):
        evaluate(protocol(), subjects, tmp_path / "b", tools=toy_tools())


def test_the_registry_says_what_learns() -> None:
    from fixative.countermeasures import COUNTERMEASURES

    learns = {name for name, kind in COUNTERMEASURES.items() if kind.needs == Need.PAIRS}
    assert learns == {"average", "remover"}


def hosted(encode: Callable[[Tensor], Tensor]) -> CallableCodec:
    return CallableCodec(encode, name="toy", latent_channels=4, downscale=8, family="sd1")


def save(image: Tensor, path: Path) -> None:
    pixels = (image[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
