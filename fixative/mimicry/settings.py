"""How a mimicry test is carried out: arms, seeds, LoRAs, samples; and what follows from them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fixative.errors import SettingError
from fixative.mimicry.arms import Arm, plan_arms
from fixative.mimicry.lora import LoraSettings
from fixative.mimicry.sampling import SampleSettings

#: Pictures are protected on squares of this side in pixels, or of the model's where that is more.
CANVAS = 512
#: Share of the steps that a quick run gives its LoRAs.
QUICK_SHARE = 2 / 3
#: Pictures that it draws of each at most.
QUICK_SAMPLES = 6
#: Of the sampler that imitators draw with.
DRAW_STEPS, GUIDANCE = 12, 2.0


@dataclass(frozen=True)
class EditSettings:
    """Edits by img2img, at fixed seeds, with the model as it is.

    Attributes:
        prompt: what the picture is turned into; empty: the model's default.
        level: how far, a time in (0, 1]: 1 keeps nothing of the picture.
        pictures: of each set at most.
        steps: of the sampler.
        guidance: scale of classifier-free guidance.
    """

    prompt: str = ""
    level: float = 0.5
    pictures: int = 4
    steps: int = 12
    guidance: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise SettingError(f"edit level: expected above 0 and up to 1, got {self.level}")


@dataclass(frozen=True)
class MimicrySettings:
    """Everything that numbers depend on, beside pictures and models.

    Attributes:
        arms: what is compared.
        strength: budget of every protection, in 1/255.
        lora: of every imitator; its seed is replaced by each unit's own.
        draw: how samples are drawn.
        samples: pictures drawn of each LoRA.
        seeds: LoRAs of each arm and set.
        seed: of all randomness.
        captions: by set; sets without one get ``caption``.
        caption: of the others; empty: the model's default.
        prompts: what is drawn, in turn; none: the caption.
        canvas: side in pixels of the squares that are protected.
        edit: also edit pictures; None: not.
        resamples: of the bootstrap.
        permutations: of the two-sample test.
        confidence: of intervals, 0 to 1.
    """

    arms: tuple[Arm, ...] = field(default_factory=plan_arms)
    strength: float = 8.0
    lora: LoraSettings = field(default_factory=LoraSettings)
    draw: SampleSettings = field(default_factory=lambda: SampleSettings(DRAW_STEPS, GUIDANCE))
    samples: int = 8
    seeds: int = 3
    seed: int = 0
    captions: tuple[tuple[str, str], ...] = ()
    caption: str = ""
    prompts: tuple[str, ...] = ()
    canvas: int = CANVAS
    edit: EditSettings | None = None
    resamples: int = 2000
    permutations: int = 1000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what no number could come of.

        Raises:
            SettingError: a number outside its range.
        """
        for name, low in (("samples", 2), ("seeds", 1), ("seed", 0), ("canvas", 8)):
            if getattr(self, name) < low:
                raise SettingError(f"{name}: expected at least {low}, got {getattr(self, name)}")

    def caption_of(self, name: str, default: str) -> str:
        """The caption of a set."""
        return dict(self.captions).get(name) or self.caption or default

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {**asdict(self), "arms": [arm.name for arm in self.arms]}


def quick(settings: MimicrySettings, *, sets: int = 1) -> MimicrySettings:
    """The same in minutes: shorter LoRAs, fewer samples, two seeds of one set, one of several."""
    lora = replace(settings.lora, steps=max(1, round(settings.lora.steps * QUICK_SHARE)))
    seeds = min(settings.seeds, 2 if sets == 1 else 1)
    return replace(settings, lora=lora, seeds=seeds, samples=min(settings.samples, QUICK_SAMPLES))


def full_size(settings: MimicrySettings) -> MimicrySettings:
    """The same with what the field trains and draws with on Stable Diffusion."""
    lora = LoraSettings(rank=16, steps=400, batch=1, rate=1e-4, targets="attention")
    return replace(settings, lora=lora, draw=SampleSettings(steps=25, guidance=7.0))


def derived_seed(*parts: object) -> int:
    """A seed of 31 bits that depends on these and on nothing else."""
    text = "\n".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1
