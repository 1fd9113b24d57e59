"""Two processes train what one trains; alone, nothing of it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from fixative.errors import SettingError
from fixative.mixture import load_mixture
from fixative.training.distributed import ALONE, Team, joined_team
from fixative.training.moving_average import MovingAverage
from tests.map_pairs import save_random_backbone
from tests.training_fleet import BACKBONE, CUT, KINDS, PICTURES, STEPS, train, write_pictures

ROOT = Path(__file__).resolve().parent.parent
#: Of losses of two processes against one: sums in another order.
CLOSE = 2e-3
#: SOAP turns rounding into other directions, which a loss shows from the third step on.
SAME_STEPS, SOAP = 2, ("codec", "strength-map")


def launch(*command: str) -> None:
    """Run a module on two processes of one thread each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have trained everything."""
    for needed in ("accelerate", "lpips", "pytorch_optimizer", "diffusers"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    here = tmp_path_factory.mktemp("team")
    write_pictures(here / PICTURES)
    save_random_backbone(here / BACKBONE)
    launch("tests.training_fleet", str(here))
    return here


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[key].float() - b[key].float()).abs().max()) for key in a)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_two_processes_give_what_one_gives(kind: str, folder: Path, tmp_path: Path) -> None:
    first, second = (torch.load(folder / f"rank{i}.pt", weights_only=True) for i in (0, 1))
    assert first["size"] == second["size"] == 2
    alone = train(kind, folder, ALONE, tmp_path / "alone.pt")
    assert len(alone["losses"]) == len(first[kind]["losses"]) == STEPS
    assert first[kind]["losses"] == second[kind]["losses"]
    for key, tensor in first[kind]["weights"].items():
        assert torch.equal(tensor, second[kind]["weights"][key]), key  # replicas, to the bit
    for one, two in list(zip(alone["losses"], first[kind]["losses"], strict=True))[:SAME_STEPS]:
        assert two == pytest.approx(one, rel=CLOSE)
    start = train(kind, folder, ALONE, tmp_path / "cut.pt", cut=True)
    moved = largest_difference(start["weights"], alone["weights"])
    apart = largest_difference(first[kind]["weights"], alone["weights"])
    assert moved > 1e-4  # the training did something, and much more than what parts the two
    assert kind in SOAP or apart < 0.05 * moved


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_two_began_one_ends(kind: str, folder: Path, tmp_path: Path) -> None:
    whole = torch.load(folder / "rank0.pt", weights_only=True)[kind]
    checkpoint = tmp_path / "cut.pt"
    checkpoint.write_bytes((folder / f"{kind}-cut.pt").read_bytes())
    rest = train(kind, folder, ALONE, checkpoint)
    assert len(rest["losses"]) == STEPS - CUT
    for one, two in zip(rest["losses"], whole["losses"][CUT:], strict=True):
        assert one == pytest.approx(two, rel=0.05 if kind in SOAP else CLOSE)


def test_the_command_trains_on_two_processes(tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="the extra 'distributed' is not installed")
    write_pictures(tmp_path / "pictures")
    command = ["fixative", "train", "mixture", "--images", str(tmp_path / "pictures")]
    command += ["--pictures", "8", "--crop", "64", "--batch", "2", "--steps", "2"]
    launch(*command, "--out", str(tmp_path / "two.st"), "--runs", str(tmp_path / "two"))
    from typer.testing import CliRunner

    from fixative.cli import app

    alone = ["--out", str(tmp_path / "one.st"), "--runs", str(tmp_path / "one")]
    done = CliRunner().invoke(app, [*command[1:], *alone])
    assert done.exit_code == 0, done.output
    one, two = (load_mixture(tmp_path / f"{name}.st") for name in ("one", "two"))
    assert one.recipe["grouped_as"] == two.recipe["grouped_as"]
    assert one.shared.abs().max() > 0
    apart = (one.shared.float() - two.shared.float()).abs()
    assert apart.mean() < 0.01 * one.shared.float().abs().mean()


def test_every_thing_is_one_processs_share() -> None:
    for size in (1, 2, 3, 5):
        for count in (5, 6, 17):
            shares = [Team(rank, size).mine(list(range(count))) for rank in range(size)]
            assert [thing for share in shares for thing in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(SettingError, match=r"batch: expected at least .* \(3\), got 2"):
        Team(0, 3).require(2, "batch")


def test_alone_nothing_is_copied_and_wrong_settings_are_told() -> None:
    tensor = torch.rand(3)
    assert ALONE.summed(tensor) is tensor
    assert ALONE.gathered(tensor, 3) is tensor
    assert ALONE.facts() == {}
    wrong = pytest.raises(SettingError, match="--precision: expected no or bf16, got fp8")
    with wrong, joined_team(precision="fp8"):
        pass


def test_mixed_precision_trains_nearly_the_same(tmp_path: Path) -> None:
    exact = train("mixture", tmp_path, ALONE, tmp_path / "a.pt")
    mixed = train("mixture", tmp_path, Team(precision="bf16"), tmp_path / "b.pt")
    pairs: list[tuple[Any, Any]] = list(zip(exact["losses"], mixed["losses"], strict=True))
    assert all(b["latent"] == pytest.approx(a["latent"], rel=0.05) for a, b in pairs)
    assert any(a["latent"] != b["latent"] for a, b in pairs)
    assert mixed["weights"]["shared"].dtype == torch.float32


def test_the_moving_average_by_hand() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    average = MovingAverage(layer, 0.5)
    layer.weight.data.fill_(2.0)
    average.update(0)  # keeps a tenth at first
    assert float(average.result.weight) == pytest.approx(1.9)
    average.update(99)  # then no more than it was told
    assert float(average.result.weight) == pytest.approx(1.95)
    assert MovingAverage(layer, 0.0).result is layer
    with pytest.raises(SettingError, match="average: the checkpoint was made with another choice"):
        average.load_state({})
    with pytest.raises(SettingError, match="average: expected 0"):
        MovingAverage(layer, 1.0)
