"""The one interface that hides every latent diffusion model, as ``Codec`` hides every autoencoder.

Whatever a network predicts (noise, velocity, flow), it knows noisy latents as a mixture
``a(t)·latents + b(t)·noise`` and can say what the clean latents would be. That is all that
sampling, noising purifiers, attacks and LoRA training need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: What the network attends to, of one adapter's own kind; (B, …) tensors only.
Condition = dict[str, Tensor]
#: Of ``mean_loss``: one time tells little, as the loss depends on it most.
TIMES = 16


class Denoiser(ABC):
    """A latent diffusion model: differentiable with respect to latents and network.

    Attributes:
        name: what a person calls it (``testbed``, a file name, the host's model).
        family: the latent space it works in, as ``Codec.family``.
        latent_channels: C of the latents.
        resolution: side in pixels of the pictures it was trained for.
        device: where it runs.
        network: what a LoRA is put on.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        family: str,
        latent_channels: int,
        resolution: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.network, self.name, self.family = network, name, family
        self.latent_channels, self.resolution = latent_channels, resolution
        self.device = torch.device(device)

    @abstractmethod
    def condition(self, captions: Sequence[str]) -> Condition:
        """What the network attends to for B captions; ``""`` is the unconditional one.

        Raises:
            FixativeError: a caption that the model has no words for.
        """

    @abstractmethod
    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Signal a(t) and noise b(t) of times (B,) in [0, 1], 0 clean and 1 noise alone."""

    @abstractmethod
    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        """The clean latents that the network sees in noisy ones.

        Args:
            noisy: (B, C, h, w) = a(t)·latents + b(t)·noise.
            times: (B,) in [0, 1].
            condition: of B captions.

        Returns:
            (B, C, h, w) float32.
        """

    def loss_weight(self, times: Tensor) -> Tensor:
        """What makes the error of the clean latents the one that the model was trained by, (B,).

        Here that of the predicted noise, (a/b)².
        """
        signal, noise = self.scales(times)
        return (signal / noise).square()

    def noised(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """``a(t)·latents + b(t)·noise`` for (B, C, h, w) and times (B,)."""
        signal, level = (each[:, None, None, None] for each in self.scales(times))
        latents = latents.to(signal.device)
        return signal * latents + level * noise.to(latents)

    def loss(self, latents: Tensor, noise: Tensor, times: Tensor, condition: Condition) -> Tensor:
        """The training loss of each of B latents (B, C, h, w), a mean square: (B,)."""
        found = self.denoised(self.noised(latents, noise, times), times, condition)
        errors = (found - latents.to(found)).square().mean((1, 2, 3))
        return errors * self.loss_weight(times).to(errors)


@torch.no_grad()
def mean_loss(denoiser: Denoiser, latents: Tensor, *, caption: str = "", seed: int = 0) -> float:
    """The training loss of latents, a mean over ``TIMES`` times, evenly spread, and as many noises.

    Args:
        denoiser: whose.
        latents: (B, C, h, w).
        caption: of all of them.
        seed: of the noises: the same for whatever is to be compared.
    """
    generator = torch.Generator().manual_seed(seed)
    condition = denoiser.condition([caption] * len(latents))
    latents, losses = latents.to(denoiser.device), list[float]()
    for number in range(TIMES):
        noise = torch.randn(latents.shape, generator=generator)
        times = torch.full((len(latents),), (number + 0.5) / TIMES)
        losses.append(denoiser.loss(latents, noise.to(latents), times, condition).mean().item())
    return sum(losses) / TIMES


def repeated(condition: Condition, count: int) -> Condition:
    """The condition of one caption for ``count`` latents."""
    return {key: value.expand(count, *value.shape[1:]) for key, value in condition.items()}


def joined(*conditions: Condition) -> Condition:
    """Conditions one after the other along the batch."""
    return {key: torch.cat([each[key] for each in conditions]) for key in conditions[0]}
