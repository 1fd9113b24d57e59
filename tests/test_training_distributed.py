"""Two processes train what one trains; alone, nothing of it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from fixative.cli import app
from fixative.errors import SettingError
from fixative.threads import one_thread
from fixative.training.distributed import ALONE, Team, joined_team
from fixative.training.loop import LoopSettings, run_training
from tests.training_fleet import (
    BACKBONE,
    BEGUN,
    CUT,
    KINDS,
    PICTURES,
    SOAP,
    STEPS,
    cut_of,
    made_small,
    prepare,
    strength_map,
    train,
    whole_mixture,
)

ROOT = Path(__file__).resolve().parent.parent
#: Losses, and weights as a share of how far they moved, may differ by as much where a batch is
#: computed in other parts; SOAP's trainings may not differ at all.
CLOSE = {"mixture": (1e-5, 1e-2), "testbed": (1e-5, 1e-2)}
Alone = tuple[Path, dict[str, Any]]


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a module on two processes of one thread each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return subprocess.run(
        [sys.executable, *torchrun, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """What one process of one thread makes of every training, and where."""
    for needed in ("accelerate", "lpips", "pytorch_optimizer", "diffusers"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    here = prepare(tmp_path_factory.mktemp("alone"))
    with one_thread():
        return here, {kind: train(kind, here, ALONE, here / f"{kind}.pt") for kind in KINDS}


@pytest.fixture(scope="module")
def team(alone: Alone) -> list[dict[str, Any]]:
    """What each of two processes has made of every training."""
    here, _ = alone
    shutil.copy(cut_of(here / f"{BEGUN}.pt"), here / "begun.pt")
    done = launch("tests.training_fleet", str(here))
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(here / f"rank{i}.pt", weights_only=True) for i in (0, 1)]


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return sum(float((a[key].double() - b[key].double()).square().sum()) for key in a) ** 0.5


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_two_processes_give_what_one_gives(
    kind: str, alone: Alone, team: list[dict[str, Any]]
) -> None:
    one, (two, other) = alone[1][kind], (rank[kind] for rank in team)
    assert team[0]["size"] == team[1]["size"] == 2
    assert two["losses"] == other["losses"]
    assert distance(two["weights"], other["weights"]) == 0  # replicas, to the bit
    assert len(one["losses"]) == len(two["losses"]) == STEPS[kind]
    assert distance(one["before"], two["before"]) == 0
    moved = distance(one["before"], one["weights"])
    assert moved > 0.01
    if kind in SOAP:
        assert one["losses"] == two["losses"]
        assert distance(one["weights"], two["weights"]) == 0
        return
    loss, weight = CLOSE[kind]
    for a, b in zip(one["losses"], two["losses"], strict=True):
        assert b == pytest.approx(a, rel=loss)
    assert distance(one["weights"], two["weights"]) < weight * moved


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_two_began_one_ends(
    kind: str, alone: Alone, team: list[dict[str, Any]], tmp_path: Path
) -> None:
    here, whole = alone[0], team[0][kind]
    checkpoint = tmp_path / "cut.pt"
    shutil.copy(cut_of(here / f"{kind}-team.pt"), checkpoint)
    rest = train(kind, here, ALONE, checkpoint)
    assert len(rest["losses"]) == STEPS[kind] - CUT
    exact = kind in SOAP
    for one, two in zip(rest["losses"], whole["losses"][CUT:], strict=True):
        assert one == (two if exact else pytest.approx(two, rel=CLOSE[kind][0]))
    apart = distance(rest["weights"], whole["weights"])
    assert apart <= (0 if exact else CLOSE[kind][1] * distance(rest["before"], rest["weights"]))


def test_what_one_began_two_end(alone: Alone, team: list[dict[str, Any]]) -> None:
    whole, rest = alone[1][BEGUN], team[0]["resumed"]
    assert rest["losses"] == whole["losses"][CUT:]
    assert distance(rest["weights"], whole["weights"]) == 0


def test_pictures_are_prepared_together(alone: Alone, team: list[dict[str, Any]]) -> None:
    with one_thread():
        one = whole_mixture(alone[0], ALONE, alone[0] / "whole.pt")
    assert one["told"] == team[0]["whole"]["told"] == team[1]["whole"]["told"]
    assert one["tensors"]["shared"].abs().max() > 0
    for key, tensor in one["tensors"].items():
        torch.testing.assert_close(team[0]["whole"]["tensors"][key], tensor, msg=key)
        assert torch.equal(team[0]["whole"]["tensors"][key], team[1]["whole"]["tensors"][key])


def test_the_command_writes_the_same_file_on_two_processes(alone: Alone, tmp_path: Path) -> None:
    command = ["fixative", "train", "strength-map", "--images", str(alone[0] / PICTURES)]
    command += ["--lpips-backbone", str(alone[0] / BACKBONE), "--steps", "2"]
    done = launch(*command, "--out", str(tmp_path / "two.st"), "--runs", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("wrote") == 1  # one of them talks
    with one_thread():
        ours = ["--out", str(tmp_path / "one.st"), "--runs", str(tmp_path / "one")]
        result = CliRunner().invoke(app, [*command[1:], *ours])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "one.st").read_bytes() == (tmp_path / "two.st").read_bytes()


def test_every_thing_is_one_processs_share() -> None:
    for size in (1, 2, 3, 5):
        for count in (5, 6, 17):
            shares = [Team(rank, size).mine(list(range(count))) for rank in range(size)]
            assert [thing for share in shares for thing in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_batch_smaller_than_the_processes_is_refused(alone: Alone) -> None:
    folder, four = alone[0], Team(0, 4)
    told = r"batch: expected at least .* \(4\), got 3; raise batch, or start fewer processes"
    for kind in ("mixture", "testbed"):
        with pytest.raises(SettingError, match=told):
            KINDS[kind](folder, four)
    told = r"chunks of crops a step: .* \(4\), got 3; raise --batch-times, lower --chunk, or"
    with made_small(), pytest.raises(SettingError, match=told):
        KINDS["codec"](folder, four)
    told = r"chunks of crops a step: .* \(2\), got 1; raise"
    with pytest.raises(SettingError, match=told):
        strength_map(folder, Team(0, 2), chunk=4)


def test_alone_nothing_is_copied_and_wrong_settings_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensor = torch.rand(3)
    assert ALONE.summed(tensor) is tensor
    assert ALONE.gathered(tensor, 3) is tensor
    assert ALONE.facts() == {}
    wrong = pytest.raises(SettingError, match="--precision: expected no or bf16, got fp8")
    with wrong, joined_team(precision="fp8"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    absent = pytest.raises(SettingError, match=r"needs accelerate; pip install 'fixative\[distrib")
    with absent, joined_team():
        pass


def test_processes_that_see_something_else_are_stopped(tmp_path: Path) -> None:
    class Apart(Team):
        """The first of two; the other one says 7."""

        def summed(self, tensor: torch.Tensor) -> torch.Tensor:
            return tensor + torch.tensor([0.0, 7.0], dtype=tensor.dtype)

    class Recipe:
        def train_step(self, step: int, progress: float) -> dict[str, float]:
            return {"loss": step + progress}

        def state(self) -> dict[str, Any]:
            return {"weights": [torch.ones(3)]}

        def load_state(self, state: dict[str, Any]) -> None: ...

    Apart(0, 2).same_everywhere(7, "step", "do")
    with pytest.raises(SettingError, match=r"step: .* do not have the same \(3, 7\); do"):
        Apart(0, 2).same_everywhere(3, "step", "do")
    checkpoint = tmp_path / "kept.pt"
    with pytest.raises(
        SettingError, match=r"checkpoint kept.pt, its step: .* \(0, 7\); give --runs"
    ):
        run_training(Recipe(), LoopSettings(8, checkpoint), team=Apart(0, 2))
    torch.save({"step": 7, "recipe": {}}, checkpoint)
    with pytest.raises(SettingError, match=r"weights after step 8, their checksum: .* of one kind"):
        run_training(Recipe(), LoopSettings(8, checkpoint), team=Apart(0, 2))
