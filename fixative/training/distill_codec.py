"""Distil a tiny autoencoder of our own from a teacher in the same file format.

The student starts from random weights. The encoder learns the teacher's latents and its feature
maps at the end of each resolution stage (FitNets, Romero et al. 2015). At first every stage is fed
the teacher's features, so that four shallow regressions run side by side; then the stages are
joined. The optimiser is SOAP (Vyas et al. 2024): a picture's mean dominates the features, which
makes the problem so ill-conditioned that plain Adam crawls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_optimizer import SOAP
from torch import Tensor, nn

from fixative.codecs.tiny import (
    WIDTH,
    Block,
    channels_last,
    frozen,
    tiny_decoder,
    tiny_encoder,
)
from fixative.training.crops import CropSampler, step_generator
from fixative.training.loop import Losses, cosine_rate

#: Ends of the encoder's stages: after the full-resolution block and after each group of three.
ENCODER_STAGE_ENDS = (1, 5, 9, 13)
#: Ends of the decoder's stages, from the smallest resolution up.
DECODER_STAGE_ENDS = (5, 10, 15)
#: (crops, size) taken in turn: many pictures, then a view wider than the network's reach.
CROP_SHAPES = ((8, 64), (2, 128))
#: Share of the training in which each stage is fed by the teacher.
TEACHER_FED = 0.35


class CodecDistillation(ABC):
    """What encoder and decoder distillation share: optimiser, schedule, checkpoint."""

    def __init__(
        self, student: nn.Sequential, crops: CropSampler, *, peak_rate: float, seed: int
    ) -> None:
        self.student = channels_last(student)
        self._crops, self._peak_rate, self._seed = crops, peak_rate, seed
        # A kernel is preconditioned as one (out, in × 3 × 3) matrix; biases need none.
        kernels = [p for p in student.parameters() if p.dim() > 1]
        biases = [p for p in student.parameters() if p.dim() == 1]
        groups = [{"params": kernels, "merge_dims": True}, {"params": biases}]
        self._optimizer = SOAP(
            groups, betas=(0.95, 0.95), weight_decay=0.0, max_precondition_dim=9 * WIDTH
        )

    def train_step(self, step: int, progress: float) -> Losses:
        count, size = CROP_SHAPES[step % len(CROP_SHAPES)]
        pictures = self._crops.sample(count, size, step_generator(self._seed, step))
        errors = self.errors(pictures.contiguous(memory_format=torch.channels_last), progress)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack(list(errors.values())).sum().backward()
        for group in self._optimizer.param_groups:
            group["lr"] = cosine_rate(self._peak_rate, progress)
        self._optimizer.step()
        return {name: error.item() for name, error in errors.items()}

    @abstractmethod
    def errors(self, pictures: Tensor, progress: float) -> dict[str, Tensor]:
        """The terms of the loss by name."""

    def state(self) -> dict[str, Any]:
        return {"student": self.student.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state["student"])
        self._optimizer.load_state_dict(state["optimizer"])


class EncoderDistillation(CodecDistillation):
    """One student encoder against one frozen teacher encoder."""

    def __init__(
        self,
        teacher: nn.Sequential,
        crops: CropSampler,
        *,
        latent_channels: int = 4,
        peak_rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        self._teacher = frozen(teacher)
        sample = crops.sample(24, 96, torch.Generator().manual_seed(seed))
        student = random_student(tiny_encoder(latent_channels), teacher, sample, seed)
        super().__init__(student, crops, peak_rate=peak_rate, seed=seed)

    def errors(self, pictures: Tensor, progress: float) -> dict[str, Tensor]:
        with torch.no_grad():
            wanted = stage_outputs(self._teacher, pictures, ENCODER_STAGE_ENDS)
        feed = wanted if progress < TEACHER_FED else None
        got = stage_outputs(self.student, pictures, ENCODER_STAGE_ENDS, feed=feed)
        names = [f"stage{i + 1}" for i in range(len(ENCODER_STAGE_ENDS))] + ["latent"]
        pairs = zip(names, got, wanted, strict=True)
        return {name: relative_error(a, b) for name, a, b in pairs}


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
        crops: CropSampler,
        *,
        latent_channels: int = 4,
        peak_rate: float = 3e-3,
        picture_weight: float = 10.0,
        seed: int = 0,
    ) -> None:
        self._teacher_encoder = frozen(teacher_encoder)
        self._teacher, self._encoder = frozen(teacher_decoder), frozen(encoder)
        sample = crops.sample(24, 96, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            latents = self._teacher_encoder(sample)
        student = random_student(tiny_decoder(latent_channels), teacher_decoder, latents, seed)
        self._picture_weight = picture_weight
        super().__init__(student, crops, peak_rate=peak_rate, seed=seed)

    def errors(self, pictures: Tensor, progress: float) -> dict[str, Tensor]:
        with torch.no_grad():
            latents = self._teacher_encoder(pictures)
            wanted = stage_outputs(self._teacher, latents, DECODER_STAGE_ENDS)
            if progress >= TEACHER_FED:
                latents = self._encoder(pictures)
        feed = wanted if progress < TEACHER_FED else None
        got = stage_outputs(self.student, latents, DECODER_STAGE_ENDS, feed=feed)
        names = [f"stage{i + 1}" for i in range(len(DECODER_STAGE_ENDS))]
        errors = {
            name: relative_error(a, b) for name, a, b in zip(names, got, wanted, strict=False)
        }
        goal = wanted[-1] if feed is not None else pictures
        return {**errors, "picture": self._picture_weight * relative_error(got[-1], goal)}


def stage_outputs(
    network: nn.Sequential, x: Tensor, ends: tuple[int, ...], *, feed: list[Tensor] | None = None
) -> list[Tensor]:
    """Run the network; return the outputs of the layers ``ends`` and, last, its own output.

    With ``feed``, what follows the i-th end is given ``feed[i]`` instead of the layer's output.
    """
    outputs: list[Tensor] = []
    for index, layer in enumerate(network):
        x = layer(x)
        if index in ends:
            outputs.append(x)
            if feed is not None:
                x = feed[len(outputs) - 1]
    return [*outputs, x]


def relative_error(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean square error as a share of the variance of what was wanted (0 = perfect, 1 = mean)."""
    return F.mse_loss(got, wanted) / wanted.var().clamp_min(1e-6)


@torch.no_grad()
def random_student(
    student: nn.Sequential, teacher: nn.Sequential, x: Tensor, seed: int
) -> nn.Sequential:
    """Random weights, scaled on the batch ``x`` to the teacher's feature variance (LSUV).

    Only one standard deviation a layer is taken from the teacher, never a weight.
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in student.parameters():
        parameter.normal_(
            0, 0.05, generator=generator
        ) if parameter.dim() > 1 else parameter.zero_()
    wanted = x
    for layer, model in zip(student, teacher, strict=True):
        wanted = model(wanted)
        if isinstance(layer, nn.Conv2d):
            x = _normalise(layer, x, wanted.std())
        elif isinstance(layer, Block):
            x = _normalise_block(layer, x)
        else:
            x = layer(x)
    return student


def _normalise_block(block: Block, x: Tensor) -> Tensor:
    hidden, std = x, x.std()
    for index, share in ((0, 1.0), (2, 1.0), (4, 0.5)):
        hidden = _normalise(block.conv[index], hidden, std * share)
        hidden = torch.relu(hidden) if index < 4 else hidden
    return torch.relu(hidden + x)


def _normalise(conv: nn.Module, x: Tensor, std: Tensor) -> Tensor:
    """Give every output channel mean 0 (where there is a bias) and standard deviation ``std``."""
    assert isinstance(conv, nn.Conv2d)
    scale = std / conv(x).std((0, 2, 3)).clamp_min(1e-4)
    conv.weight.mul_(scale[:, None, None, None])
    if conv.bias is not None:
        conv.bias.sub_(conv(x).mean((0, 2, 3)))
    return conv(x)
