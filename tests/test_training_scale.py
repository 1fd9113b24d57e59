"""Chunks, precision and average: what a training at scale adds, and what its checkpoint tells."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fixative.errors import SettingError
from fixative.training import distill_map
from fixative.training.chunks import ChunkSums, variances
from fixative.training.crops import step_generator
from fixative.training.distributed import ALONE, Team
from fixative.training.moving_average import MovingAverage
from fixative.training.scale import PLAIN, Scale
from tests.training_fleet import codec, made_small, prepare, strength_map, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("lpips", "pytorch_optimizer"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    return prepare(tmp_path_factory.mktemp("scale"))


@pytest.mark.parametrize("kind", ["mixture", "strength-map"])
def test_mixed_precision_trains_nearly_the_same(kind: str, folder: Path, tmp_path: Path) -> None:
    exact = train(kind, folder, ALONE, tmp_path / "exact.pt", steps=2)
    mixed = train(kind, folder, Team(precision="bf16"), tmp_path / "mixed.pt", steps=2)
    assert mixed["losses"][0] == pytest.approx(exact["losses"][0], rel=0.05)
    assert mixed["losses"] != exact["losses"]
    assert any(not torch.equal(mixed["before"][key], t) for key, t in mixed["weights"].items())
    assert all(tensor.dtype == torch.float32 for tensor in mixed["weights"].values())


def test_a_checkpoint_of_another_scale_is_refused_and_kept(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "kept.pt"
    train("strength-map", folder, ALONE, checkpoint, steps=1)
    kept = checkpoint.read_bytes()
    with pytest.raises(SettingError, match="checkpoint: made with precision no, not bf16; give"):
        train("strength-map", folder, Team(precision="bf16"), checkpoint, steps=2)
    assert checkpoint.read_bytes() == kept
    assert len(train("strength-map", folder, ALONE, checkpoint, steps=2)["losses"]) == 1
    with made_small():
        other = codec(folder, ALONE, times=2)
        state = {**other.state(), "made_with": PLAIN.identity(seed=1) | {"average": 0.9}}
        with pytest.raises(SettingError, match="with batch-times 1, not 2; give the same --batch"):
            other.load_state(state)


def test_what_a_checkpoint_must_agree_with() -> None:
    made = {"made_with": PLAIN.identity(seed=1)}
    PLAIN.check(1, made)
    with pytest.raises(SettingError, match="with seed 1, not 2; give the same --seed, or another"):
        PLAIN.check(2, made)
    with pytest.raises(SettingError, match="with chunk 1, not 3; give the same --chunk"):
        Scale(chunk=3).check(1, made)
    with pytest.raises(SettingError, match=r"with average 0\.0, not 0\.5; give the same --average"):
        Scale(average=0.5).check(1, made)
    with pytest.raises(SettingError, match="made by an earlier version; give another folder"):
        PLAIN.check(1, {})


def test_one_chunk_is_the_whole_batch_at_once(folder: Path) -> None:
    """As the weights that ship were made: to the bit what one backward pass gives."""
    with made_small():
        one, whole = (strength_map(folder, ALONE, chunk=99) for _ in range(2))
        one.train_step(0, 0.0)
        errors = whole.errors(*whole._batch(step_generator(0, 0)))
        terms = [distill_map.LOSS_WEIGHTS[name] * error for name, error in errors.items()]
        torch.stack(terms).sum().backward()
    torch.nn.utils.clip_grad_norm_([*whole.student.parameters(), *whole.guides.parameters()], 2.0)
    for a, b in zip(one.student.parameters(), whole.student.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.equal(a.grad, b.grad)


def test_chunks_add_up_to_the_batch_in_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    layer, x = torch.nn.Linear(30, 4), torch.randn(7, 30, generator=generator) * 1e3
    found: list[torch.Tensor] = []
    for order in (range(7), reversed(range(7)), (3, 1, 0, 6, 2, 5, 4)):
        sums = ChunkSums(list(layer.parameters()), ALONE)
        for i in order:
            loss = layer(x[i : i + 1]).square().mean()
            sums.take(loss, {"loss": loss}, 1 / 7)
        losses = sums.finish(7)
        assert losses["loss"] == pytest.approx(layer(x).square().mean().item(), rel=1e-5)
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.clone())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    layer.zero_grad()
    layer(x).square().mean().backward()
    torch.testing.assert_close(layer.weight.grad, found[0], rtol=1e-3, atol=1e-2)
    maps = list(x.split([1, 1, 3, 2]))
    (variance,) = variances([[part] for part in maps], 4, ALONE)
    assert float(variance) == pytest.approx(float(x.var()), rel=1e-5)


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
    with pytest.raises(SettingError, match="average: expected 0"):
        MovingAverage(layer, 1.0)
