"""Distil a tiny autoencoder of our own from a teacher in the same file format.

The student starts from random weights. The encoder learns the teacher's latents and its feature
maps at the end of each resolution stage (FitNets, Romero et al. 2015). At first every stage is fed
the teacher's features, so that four shallow regressions run side by side; then the stages are
joined. The optimiser is SOAP (Vyas et al. 2024): a picture's mean dominates the features, which
makes the problem so ill-conditioned that plain Adam crawls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_optimizer import SOAP
from torch import Tensor, nn

from fixative.codecs.tiny import (
    WIDTH,
    channels_last,
    frozen,
    tiny_decoder,
    tiny_encoder,
)
from fixative.training.chunks import ChunkSums, variances
from fixative.training.codec_students import random_student, stage_outputs
from fixative.training.crops import CropSampler, step_generator
from fixative.training.loop import Losses, cosine_rate
from fixative.training.moving_average import MovingAverage
from fixative.training.scale import PLAIN, Scale
from fixative.training.shards import ShardSampler

#: Ends of the encoder's stages: after the full-resolution block and after each group of three.
ENCODER_STAGE_ENDS = (1, 5, 9, 13)
#: Ends of the decoder's stages, from the smallest resolution up.
DECODER_STAGE_ENDS = (5, 10, 15)
#: (crops, size) taken in turn: many pictures, then a view wider than the network's reach.
CROP_SHAPES = ((8, 64), (2, 128))
#: Share of the training in which each stage is fed by the teacher.
TEACHER_FED = 0.35


@dataclass(frozen=True)
class Lesson:
    """What the teacher shows the student of some crops.

    Attributes:
        given: what the student's first layer is fed.
        feed: what its later stages are fed, or None: what the stage before made of it.
        wanted: the maps that its stages and, last, its output should give.
    """

    given: Tensor
    feed: list[Tensor] | None
    wanted: list[Tensor]


class CodecDistillation(ABC):
    """What encoder and decoder distillation share: optimiser, schedule, checkpoint.

    Args:
        student: what is trained.
        crops: training pictures.
        ends: the student's layers that end its stages.
        output: name of the last term of the loss, that of the student's output.
        output_weight: weight of that term; stages have 1.
        peak_rate: learning rate after warm-up.
        seed: of weights and crops.
        scale: processes, moving average, and how many times ``CROP_SHAPES`` crops a step takes.
    """

    def __init__(
        self,
        student: nn.Sequential,
        crops: CropSampler | ShardSampler,
        *,
        ends: tuple[int, ...],
        output: str,
        output_weight: float = 1.0,
        peak_rate: float,
        seed: int,
        scale: Scale,
    ) -> None:
        scale.require(min(count for count, _ in CROP_SHAPES) * scale.times)
        self.student = channels_last(student).to(scale.team.device)
        self._crops, self._peak_rate, self._seed = crops, peak_rate, seed
        self._average, self._scale = MovingAverage(self.student, scale.average), scale
        self._team, self._ends = scale.team, ends
        stages = {f"stage{i + 1}": 1.0 for i in range(len(ends))}
        self._weights = {**stages, output: output_weight}
        # A kernel is preconditioned as one (out, in × 3 × 3) matrix; biases need none.
        kernels = [p for p in student.parameters() if p.dim() > 1]
        biases = [p for p in student.parameters() if p.dim() == 1]
        groups = [{"params": kernels, "merge_dims": True}, {"params": biases}]
        self._optimizer = SOAP(
            groups, betas=(0.95, 0.95), weight_decay=0.0, max_precondition_dim=9 * WIDTH
        )

    def train_step(self, step: int, progress: float) -> Losses:
        count, size = CROP_SHAPES[step % len(CROP_SHAPES)]
        count *= self._scale.times
        self._crops.seek(step)
        pictures = self._crops.sample(count, size, step_generator(self._seed, step))
        chunks = self._scale.chunks(count)
        mine = self._team.mine(chunks)
        with self._team.autocast(), torch.no_grad():
            lessons = [self.lesson(self._placed(pictures[chunk]), progress) for chunk in mine]
        wanted = [[maps.float() for maps in lesson.wanted] for lesson in lessons]
        spreads = variances(wanted, len(chunks), self._team)
        sums = ChunkSums(list(self.student.parameters()), self._team)
        for chunk, lesson in zip(mine, lessons, strict=True):
            with self._team.autocast():
                errors = self._errors(lesson, spreads)
            loss = torch.stack(list(errors.values())).sum()
            sums.take(loss, errors, (chunk.stop - chunk.start) / count)
        losses = sums.finish(len(chunks))
        for group in self._optimizer.param_groups:
            group["lr"] = cosine_rate(self._peak_rate, progress)
        self._optimizer.step()
        self._average.update(step)
        return losses

    @property
    def result(self) -> nn.Sequential:
        """What to ship: the moving average where one is kept, else the student."""
        return self._average.result

    @abstractmethod
    def lesson(self, pictures: Tensor, progress: float) -> Lesson:
        """What the teacher shows of (B, 3, S, S) in [0, 1]; called without gradients."""

    def state(self) -> dict[str, Any]:
        return {
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "made_with": self._scale.identity(self._seed),
            **self._average.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._scale.check(self._seed, state)
        self.student.load_state_dict(state["student"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average.load_state(state)

    def _placed(self, pictures: Tensor) -> Tensor:
        return pictures.to(self._team.device).contiguous(memory_format=torch.channels_last)

    def _errors(self, lesson: Lesson, spreads: Sequence[Tensor]) -> dict[str, Tensor]:
        """The terms of the loss: mean square errors as shares of the spread of what was wanted.

        0 is perfect, 1 as good as the mean; the spread is the variance in the whole batch.
        """
        got = stage_outputs(self.student, lesson.given, self._ends, feed=lesson.feed)
        return {
            name: weight * (F.mse_loss(maps.float(), wanted.float()) / spread.clamp_min(1e-6))
            for (name, weight), maps, wanted, spread in zip(
                self._weights.items(), got, lesson.wanted, spreads, strict=True
            )
        }


class EncoderDistillation(CodecDistillation):
    """One student encoder against one frozen teacher encoder."""

    def __init__(
        self,
        teacher: nn.Sequential,
        crops: CropSampler | ShardSampler,
        *,
        latent_channels: int = 4,
        peak_rate: float = 3e-3,
        seed: int = 0,
        scale: Scale = PLAIN,
    ) -> None:
        self._teacher = frozen(teacher)
        sample = crops.sample(24, 96, torch.Generator().manual_seed(seed))
        student = random_student(tiny_encoder(latent_channels), teacher, sample, seed)
        self._teacher.to(scale.team.device)
        super().__init__(
            student,
            crops,
            ends=ENCODER_STAGE_ENDS,
            output="latent",
            peak_rate=peak_rate,
            seed=seed,
            scale=scale,
        )

    def lesson(self, pictures: Tensor, progress: float) -> Lesson:
        wanted = stage_outputs(self._teacher, pictures, ENCODER_STAGE_ENDS)
        return Lesson(pictures, wanted if progress < TEACHER_FED else None, wanted)


class DecoderDistillation(CodecDistillation):
    """One student decoder, fed by the finished student encoder.

    At first the stages learn the teacher decoder's features one by one; then the joined decoder
    learns the picture itself, with the features as a guide.
    """

    def __init__(
        self,
        teacher_encoder: nn.Sequential,
        teacher_decoder: nn.Sequential,
        encoder: nn.Sequential,
        crops: CropSampler | ShardSampler,
        *,
        latent_channels: int = 4,
        peak_rate: float = 3e-3,
        picture_weight: float = 10.0,
        seed: int = 0,
        scale: Scale = PLAIN,
    ) -> None:
        self._teacher_encoder = frozen(teacher_encoder)
        self._teacher, self._encoder = frozen(teacher_decoder), frozen(encoder)
        sample = crops.sample(24, 96, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            latents = self._teacher_encoder(sample)
        student = random_student(tiny_decoder(latent_channels), teacher_decoder, latents, seed)
        for network in (self._teacher_encoder, self._teacher, self._encoder):
            network.to(scale.team.device)
        super().__init__(
            student,
            crops,
            ends=DECODER_STAGE_ENDS,
            output="picture",
            output_weight=picture_weight,
            peak_rate=peak_rate,
            seed=seed,
            scale=scale,
        )

    def lesson(self, pictures: Tensor, progress: float) -> Lesson:
        latents = self._teacher_encoder(pictures)
        wanted = stage_outputs(self._teacher, latents, DECODER_STAGE_ENDS)
        if progress < TEACHER_FED:
            return Lesson(latents, wanted, wanted)
        return Lesson(self._encoder(pictures), None, [*wanted[:-1], pictures])
