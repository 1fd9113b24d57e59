"""An imitator's LoRA (Hu et al. 2022): trained on a few pictures, put on and taken off again."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from fixative.errors import FixativeError, SettingError
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.pictures.atomic import atomic_file
from fixative.training.crops import step_generator

#: Told of (step, steps, loss); may raise, to stop.
OnLoraStep = Callable[[int, int, float], None]
#: Which layers are adapted, by the ends of their names: those of the attention, as trainers for
#: Stable Diffusion do by default, or every linear layer and convolution (LyCORIS calls it LoCon).
ATTENTION = ("to_q", "to_k", "to_v", "to_out", "to_out.0")
ADAPTER = "imitator"


@dataclass(frozen=True)
class LoraSettings:
    """How a LoRA is trained.

    Attributes:
        rank: of the updates.
        alpha: their scale is alpha / rank; None: alpha = rank.
        steps: of AdamW.
        batch: latents a step.
        rate: learning rate, constant after ten steps of warm-up.
        targets: ``attention``, or ``all`` linear layers and convolutions.
        seed: of the LoRA's weights, batches, times and noise.
    """

    rank: int = 16
    alpha: float | None = None
    steps: int = 40
    batch: int = 4
    rate: float = 4e-3
    targets: Literal["attention", "all"] = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("rank", 1), ("steps", 1), ("batch", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise SettingError(f"{name}: expected at least {low}, got {getattr(self, name)}")
        if not 0 < self.rate <= 1:
            raise SettingError(f"rate: expected above 0 and up to 1, got {self.rate}")


@dataclass(frozen=True)
class Lora:
    """A trained LoRA.

    Attributes:
        tensors: by peft's names, on the CPU: ``<layer>.lora_A.weight`` and ``….lora_B.weight``.
        settings: how it was trained.
        losses: of each step.
    """

    tensors: dict[str, Tensor]
    settings: LoraSettings
    losses: tuple[float, ...]


def train_lora(
    denoiser: Denoiser,
    latents: Tensor,
    captions: Sequence[str],
    settings: LoraSettings = LoraSettings(),
    *,
    on_step: OnLoraStep | None = None,
) -> Lora:
    """Train a LoRA; the denoiser is as before when it ends, however it ends.

    Batches, times, noise and initial weights depend on seed and step only, so that the LoRAs of
    a clean and of a protected set differ by the pictures and by nothing else.

    Args:
        denoiser: without a LoRA.
        latents: (N, C, h, w) of the pictures to imitate.
        captions: N captions.
        settings: how.
        on_step: told of each step.

    Raises:
        SettingError: fewer captions than latents, or the reverse.
        FixativeError: peft is not installed.
    """
    if len(captions) != len(latents) or not captions:
        raise SettingError(
            f"captions: expected one a picture ({len(latents)}), got {len(captions)}"
        )
    with _adapter(denoiser, settings) as parameters:
        losses = _train(
            denoiser, latents, denoiser.condition(captions), parameters, settings, on_step
        )
        return Lora(_read(denoiser.network), settings, tuple(losses))


@contextmanager
def applied(denoiser: Denoiser, lora: Lora | None) -> Generator[Denoiser, None, None]:
    """The denoiser with a LoRA on it, for as long as the block runs; with None as it is."""
    if lora is None:
        yield denoiser
        return
    with _adapter(denoiser, lora.settings):
        _write(denoiser.network, lora.tensors)
        yield denoiser


def save_lora(lora: Lora, path: Path, *, model: str) -> None:
    """Write a LoRA with its settings and the name of its model, whole or not at all."""
    described = {"format": "fixative-lora-1", "model": model, "recipe": asdict(lora.settings)}
    tensors = {key: value.contiguous() for key, value in lora.tensors.items()}
    with atomic_file(path, overwrite=True) as partial:
        partial.write_bytes(save(tensors, {"fixative": json.dumps(described)}))


def _train(
    denoiser: Denoiser,
    latents: Tensor,
    condition: Condition,
    parameters: list[nn.Parameter],
    settings: LoraSettings,
    on_step: OnLoraStep | None,
) -> list[float]:
    adam = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=1e-2)
    losses: list[float] = []
    for step in range(settings.steps):
        chosen, times, noise = _draw(latents, settings, step)
        rows = {key: value[chosen.to(value.device)] for key, value in condition.items()}
        loss = denoiser.loss(latents[chosen], noise, times, rows).mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for group in adam.param_groups:
            group["lr"] = settings.rate * min(1.0, (step + 1) / 10)
        adam.step()
        losses.append(loss.item())
        if on_step is not None:
            on_step(step + 1, settings.steps, losses[-1])
    return losses


def _draw(latents: Tensor, settings: LoraSettings, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which pictures (every one before any comes again), times and noise of a step."""
    count, places = settings.batch, torch.arange(settings.batch) + step * settings.batch
    rounds = (places // len(latents)).tolist()
    orders = {
        r: torch.randperm(len(latents), generator=step_generator(settings.seed + 1, r))
        for r in set(rounds)
    }
    chosen = torch.stack([orders[r][p % len(latents)] for r, p in zip(rounds, places, strict=True)])
    generator = step_generator(settings.seed, step)
    times = (torch.arange(count) + torch.rand(count, generator=generator)) / count  # stratified
    noise = torch.randn((count, *latents.shape[1:]), generator=generator)
    return chosen, times, noise


@contextmanager
def _adapter(
    denoiser: Denoiser, settings: LoraSettings
) -> Generator[list[nn.Parameter], None, None]:
    """Fresh LoRA layers on the network, and only they trainable; gone again at the end."""
    peft = _peft()
    network: Any = denoiser.network
    trainable = [p for p in network.parameters() if p.requires_grad]
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.rank if settings.alpha is None else settings.alpha,
        target_modules=_layers(network, attention=settings.targets == "attention"),
        init_lora_weights=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        wrapped = peft.get_peft_model(network, config, adapter_name=ADAPTER)
    try:
        yield [p for p in network.parameters() if p.requires_grad]
    finally:
        wrapped.unload()
        for parameter in trainable:
            parameter.requires_grad_(True)


def _layers(network: nn.Module, *, attention: bool) -> list[str]:
    """The names of the layers to adapt."""
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and (name.endswith(ATTENTION) or not attention)
    ]


def _read(network: nn.Module) -> dict[str, Tensor]:
    return {
        _plain(name): parameter.detach().cpu().clone()
        for name, parameter in network.named_parameters()
        if "lora_" in name
    }


@torch.no_grad()
def _write(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    places = {_plain(name): p for name, p in network.named_parameters() if "lora_" in name}
    if places.keys() != tensors.keys():
        missing = sorted(places.keys() ^ tensors.keys())
        raise FixativeError(f"LoRA: it is not of this network; the first difference: {missing[0]}")
    for name, place in places.items():
        place.copy_(tensors[name])


def _plain(name: str) -> str:
    """peft's name of a tensor without the adapter's."""
    return name.replace(f".{ADAPTER}.", ".").removeprefix("base_model.model.")


def _peft() -> Any:
    try:
        import peft  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise FixativeError("LoRAs need peft: pip install 'fixative[mimic]'") from error
    return peft
