"""Iterative Protection: the methods that Fixative's own is compared with, on the graph's VAE."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import time
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from fixative.codecs import Codec
from fixative.errors import MixtureError
from fixative.mimicry.denoiser import Denoiser
from fixative.mixture import Mixture
from fixative.protections.iterative import MOST_STEPS
from fixative.protections.latent_descent import MOST_CONSISTENCY
from fixative.protections.registry import ProtectionResources, make_protection

from . import methods, mixtures
from .convert import (
    difference_image,
    from_pil,
    join_alpha,
    mask_to_engine,
    masked_shares,
    split_alpha,
)
from .denoising import asked_denoiser, denoiser_inputs, lent_denoiser
from .distances import perceptual_distance
from .disturbed import LABEL as LOSS_LABEL
from .disturbed import LossCurve, LossMeter
from .host.codecs import family_of
from .host.folders import mixture_files
from .host.gradients import borrowed_codec
from .host.notices import warn
from .host.progress import Progress, node_id_of
from .inputs import image_input, mask_input, seed_input, strength_input
from .live import PARTS, LiveCurves
from .outputs import difference_output, protected_output, pull_curve_output
from .pulls import Asked, Measured, Meter, PullCurve, PullMeter, pulled_text
from .report import urgent, weak_match
from .schema import build, check_choices
from .sockets import MIXTURE

LABEL = "pull (1 = target reached)"


class IterativeProtection(io.ComfyNode):
    """Node ``FixativeIterativeProtection``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeIterativeProtection",
            display_name="Iterative Protection (Fixative)",
            category="fixative/platform",
            description="Protects pictures the slow way, by gradient descent through the VAE for "
            "each of them: PhotoGuard, Mist, a Glaze-like one, AdvDM and SDS; and controls. To "
            "compare with Protect Image.",
            search_aliases=["PhotoGuard", "Mist", "Glaze", "AdvDM", "SDS", "PGD", "cloak"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, method: str | None = None) -> bool | str:
        """Refuse a choice that is not offered; None comes from another node."""
        return check_choices({"method": method}, {"method": tuple(methods.PROTECTION_METHODS)})

    @classmethod
    def execute(
        cls,
        image: Tensor,
        vae: Any,
        method: str,
        strength: float,
        steps: int,
        consistency: float,
        seed: int,
        mask: Tensor | None = None,
        mixture: Mixture | None = None,
        model: Any = None,
        positive: Any = None,
    ) -> Any:
        """Protect picture by picture; a stop takes effect between two steps and frees the copy."""
        text = methods.protection_text(method, steps, consistency)
        looking = [method] if "denoiser" in methods.protection_needs(text) else []
        borrowed = asked_denoiser(looking, model, positive, vae)
        pictures, alpha = split_alpha(image)
        masks = None if mask is None else mask_to_engine(mask, pictures)
        progress = Progress(len(pictures) * PARTS, node_id_of(cls))
        curve = _curve(text, progress, len(pictures), title=method)
        asked = Asked(text, strength, seed)
        with (
            borrowed_codec(vae, decoder=consistency > 0) as codec,
            lent_denoiser(borrowed) as denoiser,
        ):
            one_by_one = _OneByOne(asked, _resources(text, codec, denoiser, mixture), curve)
            done = [
                one_by_one.protect(picture[None], None if masks is None else masks[i : i + 1])
                for i, picture in progress.each(list(pictures))
            ]
        shares = masked_shares(masks, len(done))
        for notice in (weak_match(family_of(vae)), urgent([o.report for o in done], shares)):
            warn(notice, node_id=node_id_of(cls))
        return io.NodeOutput(
            join_alpha(torch.cat([one.protected.image for one in done]), alpha),
            difference_image(torch.cat([one.protected.perturbation for one in done])),
            from_pil(curve.draw()),
            pulled_text(done, asked, family=codec.family),
        )


class _OneByOne:
    """Protects pictures, and measures what each protection did."""

    def __init__(self, asked: Asked, resources: ProtectionResources, curve: PullCurve) -> None:
        self._curve = curve
        self._protection = make_protection(
            asked.text, resources, strength=asked.strength, seed=asked.seed, on_step=curve.add
        )
        self._meter = _meter(asked, resources)

    def protect(self, image: Tensor, mask: Tensor | None) -> Measured:
        """One picture (1, 3, H, W) with its mask."""
        self._curve.begin()
        start = time.monotonic()
        protected = self._protection.protect(image, mask=mask)
        seconds = time.monotonic() - start
        one = self._meter.measure(image, protected, mask, self._curve.last, seconds)
        self._curve.end(one.line)
        return one


def _curve(text: str, progress: Progress, count: int, *, title: str) -> PullCurve:
    """What is drawn while it runs: the pull, or the loss of what pulls nowhere."""
    untargeted = methods.is_untargeted(text)
    label = LOSS_LABEL if untargeted else LABEL
    live = LiveCurves(progress.done, count, title=title, label=label)
    return LossCurve(live) if untargeted else PullCurve(live)


def _meter(asked: Asked, resources: ProtectionResources) -> Meter:
    codec, denoiser = resources.codec, resources.denoiser
    assert codec is not None
    if not methods.is_untargeted(asked.text):
        return PullMeter(asked, codec, resources.mixture)
    assert denoiser is not None
    return LossMeter(asked, codec, denoiser)


def _resources(
    text: str, codec: Codec, denoiser: Denoiser | None, mixture: Mixture | None
) -> ProtectionResources:
    needs = methods.protection_needs(text)
    if mixture is None:
        mixture = mixtures.fitting(codec.family, mixture_files())
    if mixture is None and "mixture" in needs:
        raise MixtureError(
            f"vae: it is of the family {codec.family!r}, which has no mixture here. Connect one, "
            "train one (Train Mixture), or choose a method that needs none: photoguard low, mid, "
            "high or to zero, mist, glaze, noise"
        )
    distance = perceptual_distance() if "distance" in needs else None
    return ProtectionResources(codec, mixture, distance, denoiser=denoiser)


def _inputs() -> list[Any]:
    return [
        image_input("Pictures to protect. A fourth channel (alpha) is kept as it is."),
        build(
            io.Vae.Input,
            "vae",
            tooltip="The VAE to protect against, that of the model. A private copy is made for the "
            "gradients.",
        ),
        build(
            io.Combo.Input,
            "method",
            options=list(methods.PROTECTION_METHODS),
            default="photoguard",
            tooltip="photoguard: to the target that the mixture would choose, to one by name, or "
            "to zero. mist: to a high-contrast texture. glaze: to a repainted copy, with a bound "
            "on what is seen. universal, one perturbation for all, and noise: controls. advdm, "
            "mist-fused, sds: through the diffusion model, too.",
        ),
        strength_input(),
        build(
            io.Int.Input,
            "steps",
            default=0,
            min=0,
            max=MOST_STEPS,
            step=1,
            tooltip="Number of steps. 0 = as published: photoguard 200, glaze 500, the others 100. "
            "universal and noise take none.",
        ),
        build(
            io.Float.Input,
            "consistency",
            default=0.0,
            min=0.0,
            max=MOST_CONSISTENCY,
            step=1.0,
            tooltip="For photoguard and mist: weight of the term that resists IMPRESS, 30 as "
            "published. Needs the VAE's decoder, and three times the time and memory. 0 = without.",
        ),
        seed_input("Of noise, and of the noise that each effect is reported beside."),
        mask_input(),
        build(
            MIXTURE.Input,
            "mixture",
            optional=True,
            tooltip="Whose targets photoguard aims at, and what universal takes. Without one: the "
            "mixture that fits the VAE.",
        ),
        *denoiser_inputs("advdm, mist-fused and sds"),
    ]


def _outputs() -> list[Any]:
    return [
        protected_output(),
        difference_output(),
        pull_curve_output(),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="The pull of each saved picture (of advdm and sds: the model's loss) beside "
            "random noise of the same strength, how much it changed, the time, and the same as "
            "JSON.",
        ),
    ]
