"""The two environments: pinned wholly, and what is pinned wins over the tests' own packages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.webui import environments
from tests.webui.environments import EnvironmentUnavailableError, make_environment

PINS = {gradio: Path(__file__).with_name(f"gradio{gradio}.txt") for gradio in (3, 4)}
WATCHED = ("gradio", "numpy", "pillow", "pydantic", "fastapi")
VERSIONS = """
import importlib, json, sys
found = {name: importlib.import_module(module).__version__
         for name, module in {"gradio": "gradio", "numpy": "numpy", "pillow": "PIL",
                              "pydantic": "pydantic", "fastapi": "fastapi"}.items()}
import torch, einops, safetensors
print(json.dumps({**found, "torch": torch.__file__, "path": sys.path}))
"""


def pinned(gradio: int) -> dict[str, str]:
    lines = PINS[gradio].read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("gradio", PINS)
def test_every_pin_is_exact(gradio: int) -> None:
    lines = [x for x in PINS[gradio].read_text("utf-8").splitlines() if not x.startswith("#")]
    assert len(lines) > 40
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines), lines
    assert pinned(gradio)["gradio"] == {3: "3.41.2", 4: "4.40.0"}[gradio]
    assert "torch" not in pinned(gradio)


@pytest.mark.parametrize("gradio", PINS)
def test_pins_win_and_torch_is_the_tests_own(gradio: int) -> None:
    try:
        python = make_environment(gradio)
    except EnvironmentUnavailableError as error:
        pytest.skip(str(error))
    done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {name: found[name] for name in WATCHED} == {
        name: pinned(gradio)[name] for name in WATCHED
    }
    own = environments.site_packages_of_the_tests()
    assert Path(found["torch"]).is_relative_to(own)
    assert found["path"][-1] == own


def test_a_second_call_makes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[int] = []
    monkeypatch.setattr(environments, "_make", lambda gradio, venv: made.append(gradio))
    python = make_environment(3, tmp_path)
    assert make_environment(3, tmp_path) == python
    assert made == [3]
    (tmp_path / ".fixative-webui3" / "complete.txt").write_text("another recipe", "utf-8")
    make_environment(3, tmp_path)
    assert made == [3, 3]


def test_another_python_is_told_which_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environments, "SUITABLE", {(3, 2)})
    with pytest.raises(EnvironmentUnavailableError, match=r"need CPython 3\.2.*python3\.2"):
        make_environment(3, tmp_path)
