"""Evaluations with what needs a denoiser: carried out with one, told why not without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixative.errors import SettingError
from fixative.evaluation import Results, Tools, load_protocol
from fixative.evaluation.goals import PATTERN, aim_of
from fixative.evaluation.markdown import origin
from fixative.evaluation.report import write_report
from fixative.evaluation.rows import DONE, NOT_RUN
from fixative.evaluation.tools import load_tools
from fixative.mimicry.denoiser import Denoiser
from fixative.perceptual.distance import LearnedDistance
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import cell_codec, protocol, run_toy
from tests.test_cli_evaluate import run
from tests.toy_denoisers import ToyDenoiser

TEXT = """
version: 1
name: toy
strengths: [8]
gallery: 0
resamples: 200
protections: [noise, "advdm:2", "mist-fused:2", "sds:2"]
countermeasures: ["img2img:0.2,steps=2", "diffpure:3", "gridpure:1,t=2"]
"""
PICTURE = drawn_picture(64, 64)
THROUGH = {"advdm:2", "mist-fused:2", "sds:2"}


def evaluated(out: Path, denoiser: Denoiser | None) -> Results:
    tools = Tools((cell_codec(),), LearnedDistance(), denoiser=denoiser)
    return run_toy(out, text=TEXT, pictures=[PICTURE], tools=tools)


def test_all_is_measured_with_one(tmp_path: Path) -> None:
    found = evaluated(tmp_path, ToyDenoiser())
    assert {row.status for row in found.rows} == {DONE}, [row.note for row in found.rows]
    assert len(found.rows) == 3 + 4 * (1 + 3)
    moved = {
        row.protection: row.latent["cells"].shift
        for row in found.rows
        if row.countermeasure == "none"
    }
    assert all(shift is not None and shift > 0 for shift in moved.values())
    assert found.tools["denoiser"] == {"name": "toy", "family": "sd1", "resolution": 64}
    assert "denoiser toy" in origin(found)
    assert "toy (sd1, 64 px)" in write_report(found, tmp_path).read_text("utf-8")
    with pytest.raises(SettingError, match="differs in: denoiser"):
        evaluated(tmp_path, None)


@pytest.mark.parametrize(
    ("denoiser", "said"),
    [(None, "needs a denoiser"), (ToyDenoiser(family="sdxl"), "works in latents of the family")],
)
def test_without_one_that_fits_the_rows_say_so(
    tmp_path: Path, denoiser: Denoiser | None, said: str
) -> None:
    found = evaluated(tmp_path, denoiser)
    done = {(row.protection, row.countermeasure) for row in found.rows if row.status == DONE}
    assert done == {("noise", "none")}
    left = [row for row in found.rows if row.status != DONE]
    assert {row.status for row in left} == {NOT_RUN}
    assert all(said in row.note for row in left), [row.note for row in left]
    assert {row.protection for row in left} >= THROUGH


def test_fused_mist_is_measured_towards_its_pattern() -> None:
    assert aim_of("mist-fused:3").target == PATTERN


def test_paper_names_one_and_quick_needs_none() -> None:
    paper, quick = load_protocol("paper"), load_protocol("quick")
    assert (paper.denoiser, paper.needs_denoiser) == ("testbed", True)
    assert (quick.denoiser, quick.needs_denoiser) == ("", False)
    named = {entry.method.partition(":")[0] for entry in paper.protections}
    assert named >= {"advdm", "mist-fused", "sds"}
    tried = {entry.method.partition(":")[0] for entry in paper.countermeasures}
    assert tried >= {"img2img", "diffpure", "gridpure"}
    assert replace(quick, denoiser="testbed").digest() != quick.digest()


def test_mistakes_with_it_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="denoiser: no method of protocol toy needs one"):
        load_tools(protocol(), denoiser="testbed")
    with pytest.raises(SettingError, match="denoiser nothing: no such file"):
        load_tools(protocol(TEXT), denoiser="nothing")
    (tmp_path / "toy.yaml").write_text(TEXT, "utf-8")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"not read")
    place = ("--images", tmp_path / "pictures", "--out", tmp_path / "out")
    result = run(tmp_path / "toy.yaml", *place, "--denoiser", "nothing")
    assert result.exit_code == 2, result.output
    assert "denoiser nothing: no such file" in result.output
    assert not (tmp_path / "out").exists()
