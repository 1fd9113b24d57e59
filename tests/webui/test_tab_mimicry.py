"""The mimicry test of the tab: the smallest there is, interrupted and gone on.

On both gradios in a browser; and without either, for Pythons that the pins do not exist for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fixative.errors import SettingError
from fixative.evaluation.journal import NAME as JOURNAL
from tests.webui.hosting import Hosted, hosted
from tests.webui.tab_page import JOB_MS, TabPage
from tests.webui.tab_pictures import keep

pytest.importorskip("peft")

FIELDS = ("noise", "", "", 8.0, 1, 2, 1, False)
ARMS = ["no LoRA", "clean", "clean, other seed", "noise"]
#: As FIELDS, by the names of the fields.
WRITTEN = {
    "protections": "noise",
    "countermeasures": "",
    "baseline": "",
    "seeds": "1",
    "samples": "2",
    "steps": "1",
}


@pytest.mark.browser
def test_a_test_runs_in_the_browser_is_interrupted_and_goes_on(
    tab: TabPage, tmp_path: Path
) -> None:
    tab.open("Mimicry test")
    assert "pictures: there are none" in tab.run("mimicry")
    sources = [keep(tmp_path / f"m{number}.png", seed=number) for number in range(3)]
    tab.give("mimicry_pictures", *sources)
    for field, text in WRITTEN.items():
        tab.write(f"mimicry_{field}", text)
    fresh = tab.page.locator("#fixative_mimicry_fresh input[type=checkbox]")
    fresh.check()
    tab.begin("mimicry")
    bar = tab.page.locator(".progressDiv")
    expect(bar).to_contain_text(re.compile(r"\b[2-9] of \d+: .*drawing"), timeout=JOB_MS)
    tab.page.locator("#fixative_mimicry_interrupt").click()
    assert "Interrupted; nothing is lost" in tab.report("mimicry")
    journal = _journal(tab)
    half = journal.read_text("utf-8")
    assert len(half.splitlines()) > 2

    fresh.uncheck()
    told = tab.run("mimicry")
    whole = journal.read_text("utf-8")
    assert whole.startswith(half)
    assert len(whole) > len(half)
    # One step teaches an imitator nothing, and the verdict must say so.
    assert "pictures: nothing can be said: what the clean imitator draws cannot be told" in told
    for row in ("no LoRA", "clean pictures", "noise of the same budget"):
        assert re.search(rf"^{row}\t", told, re.MULTILINE), told
    grid = tab.page.locator("#fixative_mimicry_view img")
    assert all(width > 256 for width in tab.loaded(grid))
    expect(grid).to_have_count(1)
    report, numbers = tab.downloads("mimicry", tmp_path / "got", 2)
    assert (report.name, numbers.name) == ("report.html", "results.json")
    found = json.loads(numbers.read_text("utf-8"))
    assert [one["name"] for one in found["arms"]] == ARMS
    assert "data:image/png" in report.read_text("utf-8")
    tab.shot("mimicry")


def _journal(tab: TabPage) -> Path:
    """What the newest test has measured so far, in the host's folder of outputs."""
    journals = tab.webui.base.rglob(f"mimicry-*/{JOURNAL}")
    return max(journals, key=lambda path: path.stat().st_mtime)


@pytest.fixture
def webui_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hosted]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    (tmp_path / "data").mkdir()
    with hosted("a1111-1.10.1", tmp_path / "data") as found:
        yield found


def test_a_test_runs_goes_on_and_reports(webui_modules: Hosted, tmp_path: Path) -> None:
    run = webui_modules.module("fixative_webui.tab_mimicry_run")
    sources = [keep(tmp_path / f"m{number}.png", seed=number) for number in range(3)]
    state, tell, told = webui_modules.state, webui_modules.host.tell, list[str]()

    def interrupted(step: int, steps: int, text: str = "") -> None:
        told.append(text)
        state.interrupted = len(told) > 1 and "LoRA" in text and told[-2][:1] != text[:1]
        tell(step, steps, text)

    webui_modules.host.tell = interrupted
    answer: Any = run.run(sources, run.Wanted(*FIELDS))
    assert "Interrupted; nothing is lost" in answer.report
    before = len(told)
    webui_modules.host.tell, state.interrupted = tell, False
    answer = run.run(sources, run.Wanted(*FIELDS))
    report, numbers = answer.files
    assert (report.name, numbers.name) == ("report.html", "results.json")
    found = json.loads(numbers.read_text("utf-8"))
    assert [one["name"] for one in found["arms"]] == ARMS
    for row in ("no LoRA", "clean pictures", "noise of the same budget"):
        assert f"<td>{row}</td>" in answer.report
    assert "report.html shows it all" in answer.report
    [copy] = (tmp_path / "served").rglob("*.png")
    assert os.fspath(copy.name) in answer.view
    assert before > 1


def test_an_unknown_method_is_told_at_once(webui_modules: Hosted, tmp_path: Path) -> None:
    run = webui_modules.module("fixative_webui.tab_mimicry_run")
    with pytest.raises(SettingError, match="did you mean mixture"):
        run.run([keep(tmp_path / "a.png")], run.Wanted("mixtur", *FIELDS[1:]))
    with pytest.raises(SettingError, match="samples: expected at least 2"):
        run.run([keep(tmp_path / "a.png")], run.Wanted(*FIELDS[:5], 1, *FIELDS[6:]))
