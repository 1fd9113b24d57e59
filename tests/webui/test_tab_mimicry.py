"""The mimicry test of the tab: the smallest there is, interrupted and gone on; without gradio."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from fixative.errors import SettingError
from tests.webui.hosting import Hosted, hosted
from tests.webui.tab_pictures import keep

pytest.importorskip("peft")

FIELDS = ("noise", "", "", 8.0, 1, 2, 1, False)


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
    names = [one["name"] for one in found["arms"]]
    assert names == ["no LoRA", "clean", "clean, other seed", "noise"]
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
