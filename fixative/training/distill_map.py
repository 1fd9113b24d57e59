"""Distil the strength map network from LPIPS-Alex.

Every step draws new crops and new changes and asks the teacher, so that nothing is kept but the
network, the optimiser and a small bank of attacks on an encoder. A crop's features are computed
once and compared with those of all its changed copies. Besides the maps, the student's layers are
made to tell how the teacher's features changed (as in FitNets, Romero et al. 2015): a map is one
number a position, the change of features some hundreds.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_optimizer import SOAP
from torch import Tensor, nn

from fixative.perceptual.lpips_map import LpipsMap
from fixative.perceptual.map_network import WIDTHS, MapNetwork, random_map_network, unit_pair
from fixative.training.chunks import ChunkSums
from fixative.training.crops import CropSampler, step_generator
from fixative.training.loop import Losses, cosine_rate
from fixative.training.map_changes import (
    Attacked,
    Encode,
    attack_bank,
    random_change,
    random_strength,
)
from fixative.training.map_losses import map_error, relative_error
from fixative.training.moving_average import MovingAverage
from fixative.training.scale import PLAIN, Scale
from fixative.training.shards import ShardSampler

#: Side of the crops, new crops a step (one of the bank's comes with them), changes a crop.
CROP, CROPS, CHANGES = 192, 3, 3
#: The teacher's maps to match (all of it, its layers 1 and 2, its layers 3 to 5), and the weights
#: of all terms of the loss.
MAPS = ("total", "shallow", "deep")
LOSS_WEIGHTS = {"total": 1.0, "shallow": 0.5, "deep": 0.5, "features": 0.5}
#: Channels of the student at strides 4, 8, 16, 16 and of the teacher's layers that guide them.
GUIDES = ((WIDTHS[0], 64), (WIDTHS[1], 192), (WIDTHS[2], 384), (WIDTHS[2], 512))
#: The step whose generator draws the bank: no training is that long.
BANK_STEP = 999_983


class MapDistillation:
    """One map network against LPIPS-Alex.

    Args:
        teacher: the reference.
        crops: training pictures.
        encode: an encoder whose attacks the network should know, or None for drawn patterns only.
        peak_rate: learning rate after warm-up.
        seed: of weights, crops and changes.
        scale: processes, moving average, and how many times ``CROPS`` crops a step takes.
    """

    def __init__(
        self,
        teacher: LpipsMap,
        crops: CropSampler | ShardSampler,
        *,
        encode: Encode | None = None,
        peak_rate: float = 3e-3,
        seed: int = 0,
        scale: Scale = PLAIN,
    ) -> None:
        scale.require(CROPS * scale.times + (encode is not None))
        self._scale, self._team = scale, scale.team
        self.student = random_map_network(seed).to(self._team.device)
        self._average = MovingAverage(self.student, scale.average)
        self._teacher, self._crops, self._encode = teacher, crops, encode
        self._peak_rate, self._seed = peak_rate, seed
        self._bank: list[Attacked] | None = None
        self.guides = _guides(seed).to(self._team.device)
        self._parameters = [*self.student.parameters(), *self.guides.parameters()]
        kernels = [p for p in self._parameters if p.dim() > 1]
        vectors = [p for p in self._parameters if p.dim() == 1]
        groups = [{"params": kernels, "merge_dims": True}, {"params": vectors}]
        self._optimizer = SOAP(
            groups, betas=(0.95, 0.95), weight_decay=0.0, max_precondition_dim=512
        )

    def train_step(self, step: int, progress: float) -> Losses:
        self._crops.seek(step)
        pictures, changed = self._batch(step_generator(self._seed, step))
        chunks = self._scale.chunks(len(pictures))
        sums = ChunkSums(self._parameters, self._team)
        for chunk in self._team.mine(chunks):
            copies = slice(chunk.start * CHANGES, chunk.stop * CHANGES)
            with self._team.autocast():
                errors = self.errors(
                    pictures[chunk].to(self._team.device), changed[copies].to(self._team.device)
                )
            terms = [LOSS_WEIGHTS[name] * error for name, error in errors.items()]
            share = (chunk.stop - chunk.start) / len(pictures)
            sums.take(torch.stack(terms).sum(), errors, share)
        losses = sums.finish(len(chunks))
        torch.nn.utils.clip_grad_norm_(self._parameters, 2.0)
        for group in self._optimizer.param_groups:
            group["lr"] = cosine_rate(self._peak_rate, progress)
        self._optimizer.step()
        self._average.update(step)
        return losses

    @property
    def result(self) -> MapNetwork:
        """What to ship: the moving average where one is kept, else the student."""
        return self._average.result

    def errors(self, pictures: Tensor, changed: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name."""
        levels, wanted = self._teacher_view(pictures, changed)
        stem = self.student.first_layer(torch.cat([pictures, changed]))
        features = _paired(F.relu_(self.student.down8(stem)), len(pictures))
        pairs = self.student.pairs(features)
        got = with_total(*self.student.weigh(pairs))
        errors = {
            n: map_error(a.float(), b.float()) for n, a, b in zip(MAPS, got, wanted, strict=True)
        }
        ours = [unit_pair(_paired(stem, len(pictures))), *pairs]
        guesses = [guide(one.difference) for guide, one in zip(self.guides, ours, strict=True)]
        errors["features"] = torch.stack(
            [relative_error(a.float(), b.float()) for a, b in zip(guesses, levels, strict=True)]
        ).mean()
        return errors

    def state(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(),
            "guides": self.guides.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "bank": self._bank,
            "made_with": self._scale.identity(self._seed),
            **self._average.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._scale.check(self._seed, state)
        self.student.load_state_dict(state["student"])
        self.guides.load_state_dict(state["guides"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._bank = state["bank"]
        self._average.load_state(state)

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Crops (N, 3, S, S) and, crop after crop, their changed copies (N · CHANGES, 3, S, S)."""
        bank = self._attacks()
        pictures = list(self._crops.sample(CROPS * self._scale.times, CROP, generator)[:, None])
        changed = [random_change(p, bank, generator) for p in pictures for _ in range(CHANGES)]
        if bank:
            own, pattern = bank[int(torch.randint(len(bank), (), generator=generator))]
            attacked = (own + random_strength(generator) * pattern).clamp(0, 1)
            others = [random_change(own, bank, generator) for _ in range(CHANGES - 1)]
            pictures, changed = [*pictures, own], [*changed, attacked, *others]
        return torch.cat(pictures), torch.cat(changed)

    def _attacks(self) -> list[Attacked]:
        if self._bank is None:
            generator = step_generator(self._seed, BANK_STEP)
            encode = self._encode
            self._bank = attack_bank(encode, self._crops, CROP, generator) if encode else []
        return self._bank

    @torch.no_grad()
    def _teacher_view(
        self, pictures: Tensor, changed: Tensor
    ) -> tuple[list[Tensor], tuple[Tensor, Tensor, Tensor]]:
        """The teacher's feature differences for each guide, and its total and partial maps."""
        features = self._teacher.features(torch.cat([pictures, changed]))
        before = [_repeated(level[: len(pictures)]) for level in features]
        after = [level[len(pictures) :] for level in features]
        maps = self._teacher.level_maps(before, after)
        shallow = maps[1] + F.interpolate(maps[0], maps[1].shape[-2:], mode="bilinear")
        levels = [b - a for a, b in zip(before, after, strict=True)]
        levels[3:] = [torch.cat(levels[3:], 1)]
        return levels, with_total(shallow, torch.stack(maps[2:]).sum(0))


def _guides(seed: int) -> nn.ModuleList:
    """Linear guesses of the teacher's feature differences from the student's; not shipped."""
    generator = torch.Generator().manual_seed(seed + 1)
    guides = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in GUIDES)
    for weight in guides.parameters():
        nn.init.normal_(weight, 0, 0.05, generator=generator)
    return guides


def with_total(shallow: Tensor, deep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The whole map at stride 8, and its two parts."""
    return shallow + F.interpolate(deep, shallow.shape[-2:], mode="bilinear"), shallow, deep


def _paired(features: Tensor, count: int) -> Tensor:
    """Of ``count`` crops and their changed copies: each copy's crop, then the copies."""
    return torch.cat([_repeated(features[:count]), features[count:]])


def _repeated(features: Tensor) -> Tensor:
    return features.repeat_interleave(CHANGES, 0)
