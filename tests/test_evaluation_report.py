"""The report and the tables: everything is in them, and they need nothing beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixative.evaluation import Results
from fixative.evaluation.markdown import markdown_tables, worst_table
from fixative.evaluation.plots import DARK, LIGHT, purifier_loss, survival, trade_off
from fixative.evaluation.report import write_report
from fixative.evaluation.tables import all_tables, by_worst, signed
from tests.evaluation_parts import TOY, cell_codec, run_toy, toy_tools

TEXT = TOY + "  - {method: 'impress:fast,steps=3', pictures: 1, name: 'IMPRESS <b>'}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    out = tmp_path_factory.mktemp("toy")
    other = cell_codec("other")
    return run_toy(out, text=TEXT, tools=toy_tools(cell_codec("toy"), other)), out


def test_the_report_is_one_file(run: tuple[Results, Path]) -> None:
    found, out = run
    page = write_report(found, out).read_text("utf-8")
    links = re.findall(r'(?:src|href|srcset)="([^"]*)"', page)
    assert links
    assert all(link.startswith("data:") for link in links)
    assert "http" not in re.sub(r"data:[^\"]*", "", page)
    assert "IMPRESS &lt;b&gt;" in page
    assert "IMPRESS <b>" not in page
    assert page.count("<figcaption>difference ×10") == 2, "one picture, two protections"
    assert "other, which was not protected against" in page
    assert re.search(r'class="text">worst countermeasure<', page), "headings stand above their text"
    assert re.search(r'<button type="button">worst pull<', page)


def test_the_plots_are_files_too_in_both_themes(run: tuple[Results, Path]) -> None:
    found, out = run
    write_report(found, out)
    names = {path.name for path in (out / "plots").iterdir()}
    kinds = ("trade-off", "survival", "purifier-loss")
    assert names == {f"{kind}{theme}.png" for kind in kinds for theme in ("", "-dark")}
    for kind in kinds:
        light = np.asarray(Image.open(out / "plots" / f"{kind}.png").convert("L"))
        dark = np.asarray(Image.open(out / "plots" / f"{kind}-dark.png").convert("L"))
        assert light.mean() > 200
        assert dark.mean() < 60


def test_plots_show_what_is_there(run: tuple[Results, Path]) -> None:
    found, _ = run
    whole = np.asarray(trade_off(found))
    fewer = replace(found, protections=found.protections[:2])
    assert not np.array_equal(whole, np.asarray(trade_off(fewer)))
    assert not np.array_equal(np.asarray(survival(found, LIGHT)), np.asarray(survival(found, DARK)))
    counts = [replace(effect, used=len(found.pictures)) for effect in found.effects]
    assert counts != found.effects, "one countermeasure saw one picture only, and is told so"
    uncounted = survival(replace(found, effects=counts))
    assert not np.array_equal(np.asarray(survival(found)), np.asarray(uncounted))
    without = replace(found, rows=[row for row in found.rows if not row.curve])
    assert purifier_loss(without) is None
    nothing = replace(found, protections=[], effects=[], rows=[])
    assert trade_off(nothing).size == trade_off(found).size


def test_worst_cases_come_first(run: tuple[Results, Path]) -> None:
    found, _ = run
    order = [(r.strength, r.worst[0].pull.value) for r in by_worst(found, "toy")]
    assert order == sorted(order, key=lambda pair: (-pair[0], pair[1]))
    first = worst_table(found).splitlines()[4]
    assert first.startswith("| noise | 8 |")


def test_every_row_has_every_column(run: tuple[Results, Path]) -> None:
    found, _ = run
    tables = all_tables(found)
    assert len(tables) == 4
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}
    text = markdown_tables(found)
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    assert "DISTS not measured" in text
    assert found.protocol_sha256[:12] in text


def test_numbers_are_written_as_people_do() -> None:
    assert signed(-0.001, 2) == "0.00"
    assert signed(-0.12, 2) == "−0.12"
    assert signed(3.0, 0) == "3"


def test_a_report_without_pictures_says_what_failed(tmp_path: Path) -> None:
    import torch

    found = run_toy(tmp_path, pictures=[torch.full((1, 3, 64, 64), 2.0)])
    page = write_report(found, tmp_path).read_text("utf-8")
    assert "What was not done" in page
    assert "expected values in [0, 1]" in page
    assert not any(row.latent for row in found.rows)
