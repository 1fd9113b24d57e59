"""A student of a tiny autoencoder: its random beginning, and what its stages show."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fixative.codecs.tiny import Block


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
