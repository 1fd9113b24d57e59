"""What AdvDM, fused Mist and SDS share: signed steps by a slope on the latents from a denoiser."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.gradient import OUT_OF_MEMORY, LatentGradient
from fixative.errors import SettingError
from fixative.images import LEVELS
from fixative.mimicry.ancestral import draw
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.space import require_same_space, side_of, windows
from fixative.protections.descent import descend
from fixative.protections.iterative import MOST_STEPS, IterativeProtection, OnAttackStep
from fixative.protections.method import Method, Request
from fixative.registry import Parameter

#: Of each step, in 1/255.
STEP_SIZE = 1.0
#: The published number of steps.
STEPS = 100
#: How many times there are to draw from, as in training.
TIMES = 1000
STEPS_PARAMETER = Parameter("steps", STEPS, 1, MOST_STEPS, "of 1/255")

Losses = dict[str, float]


@dataclass(frozen=True)
class Draw:
    """What is random in a step.

    Attributes:
        time: (1,) in (0, 1).
        noise: (1, C, h, w) standard normal.
    """

    time: Tensor
    noise: Tensor


class DenoiserDescent(IterativeProtection):
    """Steps of 1/255 against the sign of a slope on the latents, pulled back through the encoder.

    Each step draws a time and noise, as training does. A picture larger than those that the
    denoiser was trained on is met in windows of that size side by side, since a network sees
    subjects at one scale only. Two deviations from what was published for all three: the latents
    are the mean ones, and the descent starts at the picture itself.

    Args:
        codec: with gradients.
        denoiser: of the codec's family; with gradients, unless the method says otherwise.
        strength: budget in 1/255.
        steps: number of steps.
        caption: what the denoiser is told that the picture is.
        seed: of times and noise; every picture meets the same.
        on_step: told of each step; may raise, to stop.

    Raises:
        SettingError: a number outside its range, or a denoiser of other latents.
        FixativeError: a caption that the denoiser has no words for.
    """

    def __init__(
        self,
        codec: Codec,
        denoiser: Denoiser,
        *,
        strength: float = 16.0,
        steps: int = STEPS,
        caption: str = "",
        seed: int = 0,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(strength=strength, steps=steps, on_step=on_step)
        require_same_space(denoiser, codec)
        self._codec, self._gradient = codec, LatentGradient(codec)
        self._denoiser, self._seed = denoiser, seed
        self._side = side_of(denoiser, codec)
        with torch.inference_mode(False), torch.no_grad():
            self._condition = denoiser.condition([caption])

    def _attack(self, number: int, image: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self._seed)
        done = 0

        def slope(change: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal done
            latents = self._gradient.encode(image + change)
            drawn = self._draw(latents, generator)
            losses, wanted = self._slope(latents, drawn, image)
            done += 1
            self._tell(number, done, losses)
            return latents, self._gradient.pull_back(image + change, wanted)

        bound = torch.full_like(image[:, :1, :1, :1], self.epsilon)
        start, sizes = torch.zeros_like(image), [STEP_SIZE / LEVELS] * self.steps
        *_, last = descend(image, start, slope, bound=bound, sizes=sizes)
        return last.change

    @abstractmethod
    def _slope(self, latents: Tensor, drawn: Draw, image: Tensor) -> tuple[Losses, Tensor]:
        """What to tell, and the slope (1, C, h, w) on the latents to go against."""

    def _draw(self, latents: Tensor, generator: torch.Generator) -> Draw:
        number = torch.randint(0, TIMES, (1,), generator=generator)
        return Draw((number + 0.5) / TIMES, draw(latents.shape, generator, latents))

    def _denoising_loss(self, latents: Tensor, drawn: Draw) -> tuple[float, Tensor]:
        """The denoiser's training loss, a mean over the windows, and its slope on the latents."""
        parts = windows(latents, side=self._side, stride=self._side)
        total, slope = 0.0, torch.zeros_like(latents)
        for part in parts:
            loss, found = self._in_window(latents[(..., *part)], drawn.noise[(..., *part)], drawn)
            total += loss / len(parts)
            slope[(..., *part)] += found / len(parts)
        return total, slope

    def _in_window(self, latents: Tensor, noise: Tensor, drawn: Draw) -> tuple[float, Tensor]:
        device = self._denoiser.device
        with torch.inference_mode(False), torch.enable_grad():
            leaf = latents.detach().clone().to(device).requires_grad_(True)
            try:
                loss = self._denoiser.loss(
                    leaf, noise.clone().to(device), drawn.time.clone(), self._condition
                ).sum()
                (slope,) = torch.autograd.grad(loss, leaf)
            except OUT_OF_MEMORY as error:
                told = str(error).partition("\n")[0]
                raise SettingError(
                    f"denoiser {self._denoiser.name}: out of memory for its gradients: {told}. "
                    "Close other programs, or choose sds, which needs none"
                ) from error
        return loss.item(), slope.to(latents)


def denoiser_method(kind: type[DenoiserDescent], told: str) -> Method:
    """The registry's entry of a descent that needs codec and denoiser.

    Args:
        kind: of the protection.
        told: what it is, in a line.
    """

    def make(request: Request) -> DenoiserDescent:
        return kind(
            request.codec,
            request.denoiser,
            strength=request.strength,
            steps=request.whole("steps"),
            seed=request.seed,
            on_step=request.on_step,
        )

    return Method(kind.name, told, make, (STEPS_PARAMETER,), needs=("codec", "denoiser"))
