"""What LoRA Mimicry Test does with pictures and a denoiser; nothing of the host is in here."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from fixative.errors import FixativeError, SettingError
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.imitation import Imitation, draw
from fixative.mimicry.lora import ATTENTION as NAMES
from fixative.mimicry.lora import Lora, LoraSettings, train_lora
from fixative.mimicry.sampling import SampleSettings, sample
from fixative.mimicry.settings import MimicrySettings, derived_seed
from fixative.mimicry.tools import MimicryTools

from .mimic_windows import CLEAN

AUTO, ATTENTION, ALL = TARGETS = ("auto", "attention", "all")
NO_LORA = "no LoRA"
#: What the host's adapter calls the conditioning ``positive``.
CAPTION = "positive"
#: The learning rate that suits full-size models; the testbed's is the engine's default.
USUAL_RATE = 1e-4
#: Of the whole set, for seeds.
SET = "graph"
#: Previews while a LoRA is trained, and the sampler's steps for each.
PREVIEWS, PREVIEW_STEPS = 3, 8

#: Told of (arm, what, step, steps, loss or None, a picture (3, R, R) or None); may raise.
Tell = Callable[[str, str, int, int, float | None, Tensor | None], None]


@dataclass(frozen=True)
class Wanted:
    """The node's widgets, by their names.

    Attributes:
        rank, steps, learning_rate, batch, layers: of the LoRAs; a rate of 0 and ``auto`` as fits
            the model.
        repetitions: LoRAs of each batch of pictures.
        seed: of all randomness.
        samples: pictures drawn of each LoRA.
        sampling_steps, guidance: of the sampler.
    """

    rank: int
    steps: int
    learning_rate: float
    batch: int
    layers: str
    repetitions: int
    seed: int
    samples: int
    sampling_steps: int
    guidance: float

    def settings(self, *, testbed: bool, attention: bool = True) -> MimicrySettings:
        """As the engine has them.

        Args:
            testbed: whether the model is the laboratory animal.
            attention: whether the model names its attention's layers as trainers know them.

        Raises:
            SettingError: just those layers are asked for, and there are none.
        """
        usual = ATTENTION if attention and not testbed else ALL
        layers = usual if self.layers == AUTO else self.layers
        if layers == ATTENTION and not attention:
            raise SettingError(
                "layers: this model has no attention layers of the names that trainers know "
                f"({', '.join(NAMES)}); choose all"
            )
        lora = LoraSettings(
            rank=self.rank,
            steps=self.steps,
            batch=self.batch,
            rate=self.learning_rate or (LoraSettings.rate if testbed else USUAL_RATE),
            targets=cast(Literal["attention", "all"], layers),
        )
        return MimicrySettings(
            lora=lora,
            draw=SampleSettings(self.sampling_steps, self.guidance),
            samples=self.samples,
            seeds=self.repetitions,
            seed=self.seed,
            caption=CAPTION,
        )


def has_attention(network: nn.Module) -> bool:
    """Whether a network's attention has layers of the names that trainers know."""
    return any(name.endswith(NAMES) for name, _ in network.named_modules())


@dataclass(frozen=True)
class Imitator:
    """One LoRA and what it drew.

    Attributes:
        arm: the pictures it learnt from.
        number: of the repetition.
        lora: itself; None: the model as it is.
        drawn: its pictures, looked at.
    """

    arm: str
    number: int
    lora: Lora | None
    drawn: Imitation


def plan(batches: Iterable[str], seeds: int) -> list[tuple[str, int]]:
    """Who works when: arm and number of each repetition."""
    arms = [NO_LORA, *batches]
    return [(arm, number) for number in range(seeds) for arm in arms]


def require_peft() -> None:
    """See that LoRAs can be trained, before anything else takes time.

    Raises:
        FixativeError: peft is not installed; with what to do about it.
    """
    if importlib.util.find_spec("peft") is None:
        raise FixativeError(
            "LoRAs need the package peft, which this ComfyUI lacks. Install it into ComfyUI's own "
            f'Python and start it again: "{sys.executable}" -m pip install peft'
        )


def kept_key(denoiser: Denoiser, latents: Tensor, lora: LoraSettings) -> str:
    """What a finished LoRA is found again by, after a stop."""
    found = hashlib.sha256(repr(lora).encode())
    levels = denoiser.scales(torch.tensor([0.1, 0.5, 0.9]))
    for tensor in (latents, *denoiser.condition([CAPTION]).values(), *levels):
        found.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class Studio:
    """Where imitators work.

    Attributes:
        tools: model, codec and features.
        settings: of LoRAs and samples.
        tell: told of everything.
        kept: finished LoRAs by ``kept_key``; more are put in.
    """

    tools: MimicryTools
    settings: MimicrySettings
    tell: Tell
    kept: MutableMapping[str, Lora]

    def imitators(self, windows: Mapping[str, Tensor]) -> Iterator[Imitator]:
        """Train on each batch of windows (N, 3, R, R), and draw; without a LoRA first.

        The LoRAs of one repetition differ by their pictures and by nothing else. Each is handed
        over before anybody is told of it, so that a stop then does not lose it.
        """
        latents = {arm: self.encoded(images) for arm, images in windows.items()}
        originals = windows[CLEAN]
        for arm, number in plan(windows, self.settings.seeds):
            lora = None if arm == NO_LORA else self._trained(arm, number, latents[arm])
            one = self._drawn(arm, number, lora, originals)
            yield one
            self.tell(arm, "drawn", 1, 1, None, one.drawn.images[0])

    @torch.no_grad()
    def encoded(self, windows: Tensor) -> Tensor:
        """Latents (N, C, h, w), on the model's device."""
        codec, denoiser = self.tools.codec, self.tools.denoiser
        return torch.cat([codec.encode(image) for image in windows.split(1)]).to(denoiser.device)

    def seen(self, images: Tensor) -> dict[str, Tensor]:
        """Features (N, D) of pictures (N, 3, R, R), by space."""
        return self.tools.eyes.vectors(images)

    def _trained(self, arm: str, number: int, latents: Tensor) -> Lora:
        seed = derived_seed(self.settings.seed, "train", SET, number)
        asked = replace(self.settings.lora, seed=seed)
        denoiser = self.tools.denoiser
        key = kept_key(denoiser, latents, asked)
        if key not in self.kept:
            view = _Previews(self, arm, asked.steps, seed)
            captions = [CAPTION] * len(latents)
            self.kept[key] = train_lora(denoiser, latents, captions, asked, on_step=view.step)
        return self.kept[key]

    def _drawn(self, arm: str, number: int, lora: Lora | None, originals: Tensor) -> Imitator:
        def tell(what: str, step: int, steps: int) -> None:
            self.tell(arm, what, step, steps, None, None)

        images = draw(lora, SET, number, self.settings, self.tools, tell)
        nearness = self.tools.eyes.nearness
        distances = None if nearness is None else nearness(images, originals)
        losses = () if lora is None else lora.losses
        drawn = Imitation(images, self.tools.eyes.vectors(images), distances, losses)
        return Imitator(arm, number, lora, drawn)


class _Previews:
    """A picture now and then of what a LoRA draws while it is trained."""

    def __init__(self, studio: Studio, arm: str, steps: int, seed: int) -> None:
        self._studio, self._arm, self._seed = studio, arm, seed
        self._due = {round(steps * part / (PREVIEWS + 1)) for part in range(1, PREVIEWS + 1)}

    def step(self, step: int, steps: int, loss: float) -> None:
        """One more step is done."""
        picture = self._picture() if step in self._due else None
        self._studio.tell(self._arm, "training", step, steps, loss, picture)

    @torch.no_grad()
    def _picture(self) -> Tensor:
        tools = self._studio.tools
        denoiser: Denoiser = tools.denoiser
        side = denoiser.resolution // tools.codec.downscale
        generator = torch.Generator().manual_seed(self._seed)
        noise = torch.randn((1, denoiser.latent_channels, side, side), generator=generator)
        drawn = self._studio.settings.draw
        quick = SampleSettings(min(PREVIEW_STEPS, drawn.steps), drawn.guidance)
        wanted, empty = (denoiser.condition([caption]) for caption in (CAPTION, ""))
        latents = sample(denoiser, noise.to(denoiser.device), wanted, empty, quick)
        return tools.codec.decode(latents)[0].cpu()


def rows_of(windows: Mapping[str, Tensor], found: Sequence[Imitator]) -> list[tuple[str, Tensor]]:
    """The grid: what was learnt from, then what each imitator drew."""
    rows = [(f"learnt from: {arm}", images) for arm, images in windows.items()]
    several = len({one.number for one in found}) > 1
    for one in sorted(found, key=lambda one: one.number):
        label = f"drawn, {one.arm}" + (f", repetition {one.number + 1}" if several else "")
        rows.append((label, one.drawn.images))
    return rows
