"""Evaluate in the real ComfyUI: a protocol on the graph's pictures, stopped and gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.host.client import ComfyClient, Graph, Run
from tests.host.platform_graphs import (
    NODE,
    failed,
    platform_graph,
    progress_of,
    refused,
    stopped,
    told,
)
from tests.host.server import RunningHost

pytestmark = pytest.mark.host

EVALUATE = "FixativeEvaluate"
PROTOCOL = """\
version: 1
name: tiny
strengths: [8]
protections:
  - {method: "photoguard:steps=1,goal=zero", name: one step}
  - {method: "photoguard:steps=3,goal=zero", name: three steps}
countermeasures:
  - "jpeg:75"
  - roundtrip
  - {method: "impress:fast,steps=2", name: IMPRESS, against: [one step]}
resamples: 100
"""
#: Two pictures: each clean through 3 countermeasures, 2 protections, and 3 + 2 countermeasures.
CELLS = 2 * (3 + 2 + 5)


def evaluate_graph(
    client: ComfyClient, *, count: int = 2, vae: str = "taesd", **settings: Any
) -> Graph:
    asked = {"custom": PROTOCOL, **settings}
    return platform_graph(client, EVALUATE, vae=vae, count=count, **asked)


def report_of(run: Run) -> Path:
    return Path(told(run, "path"))


def test_stopped_it_goes_on_and_reports(client: ComfyClient, host: RunningHost) -> None:
    cut = stopped(client, evaluate_graph(client), after=3)
    assert cut.status == "interrupted"
    done = max(progress_of(cut))
    assert 3 <= done < CELLS
    [journal] = (host.base / "output" / "fixative" / "evaluation").glob("tiny-*/journal.jsonl")
    kept = journal.read_text("utf-8").splitlines()
    assert len(kept) - 1 >= done

    run = client.run(evaluate_graph(client))
    path = report_of(run)
    assert path == journal.with_name("report.html")
    assert journal.read_text("utf-8").splitlines()[: len(kept)] == kept  # nothing was done again
    assert min(progress_of(run)) >= done
    assert progress_of(run)[-1] == CELLS
    assert any(b"picture 2" in message for message in run.previews)

    table = told(run, "table")
    assert f"{CELLS} cells measured, 0 failed, 0 not run\n" in table
    shown = path.relative_to(host.base / "output").as_posix()
    assert f"report, in the output folder: {shown}\n" in table
    assert "### Protections at their worst" in table
    assert "| three steps |" in table
    assert "the graph's VAE" in table
    assert "IMPRESS" in table
    assert path.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    found = json.loads(path.with_name("results.json").read_text("utf-8"))
    assert [codec["family"] for codec in found["tools"]["codecs"]] == ["sd1"]
    assert len(found["rows"]) == CELLS
    assert {row["status"] for row in found["rows"]} == {"done"}
    [plots] = client.pictures(run, "plots")
    assert plots.shape[1] == 1200
    assert plots.std() > 10


def test_another_vae_gets_a_folder_of_its_own_and_files_are_offered(
    client: ComfyClient, host: RunningHost
) -> None:
    folder = host.base / "models" / "fixative" / "protocols"
    folder.mkdir(parents=True, exist_ok=True)
    small = "protections: ['photoguard:steps=1,goal=zero', 'universal:low']\nresamples: 100\n"
    head = "version: 1\nname: mine\nstrengths: [4]\n"
    (folder / "mine.yaml").write_text(head + small, "utf-8")
    try:
        options = client.object_info(EVALUATE)["input"]["required"]["protocol"][1]["options"]
        assert options == ["quick", "paper", "mine.yaml", "custom"]
        paths: list[Path] = []
        for vae in ("taesd", "taesdxl"):
            graph = evaluate_graph(client, protocol="mine.yaml", vae=vae, folder="a/b", count=1)
            run = client.run(graph)
            paths.append(report_of(run))
            assert paths[-1].parent.parent == host.base / "output" / "a" / "b"
        assert paths[0].parent != paths[1].parent
        # The second VAE is a stranger's: what needs a mixture is reported as not run.
        assert "1 cells measured, 0 failed, 1 not run" in told(run, "table")
    finally:
        (folder / "mine.yaml").unlink()


def test_bad_input_is_refused_before_anything_runs(client: ComfyClient) -> None:
    cases: dict[str, dict[str, Any]] = {
        "protocol: expected one of quick, paper, custom": {"protocol": "slow"},
        "custom: is not YAML": {"custom": "protections: [noise"},
        "custom": {"custom": ""},
        "did you mean photoguard": {"custom": PROTOCOL.replace("photoguard", "fotoguard")},
        "folder: expected a name inside the host's output folder": {"folder": "../out"},
        "folder: expected the beginning of a file name": {"folder": "  "},
    }
    for message, settings in cases.items():
        assert message in refused(client, evaluate_graph(client, **settings)), message
    graph = evaluate_graph(client)
    graph[NODE]["inputs"]["vae"] = ["load", 0]
    assert "return_type_mismatch" in refused(client, graph)
    assert "vae: pixel_space" in failed(client, evaluate_graph(client, vae="pixel_space"))
