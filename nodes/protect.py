"""Protect Image: a batch of pictures against being learnt, in one pass."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from fixative.protections.base import Protected
from fixative.protector import MAP_OFF, Protector, ProtectSettings

from . import mixtures
from .convert import (
    difference_image,
    join_alpha,
    map_to_mask,
    mask_to_engine,
    masked_shares,
    split_alpha,
    to_pil,
)
from .host.codecs import codec_of, family_of
from .host.folders import mixture_files
from .host.notices import warn
from .host.progress import Progress, node_id_of
from .inputs import TARGETS, image_input, mask_input, strength_input, target_input, vae_input
from .outputs import difference_output, protected_output, report_output
from .report import picture_line, report_text, urgent, weak_match
from .schema import build, check_choices
from .visibility import visibility_map

STRENGTH_MAPS = ("learned", "lpips", MAP_OFF)


class ProtectImage(io.ComfyNode):
    """Node ``FixativeProtectImage``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeProtectImage",
            display_name="Protect Image (Fixative)",
            category="fixative",
            description="Changes pictures a little, within a budget you set, so that models which "
            "see them through this VAE learn something else. Put it last, right before saving, "
            "and save as PNG.",
            search_aliases=["protect", "cloak", "immunize", "poison", "anti AI", "FastProtect"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(
        cls,
        target: str | None = None,
        strength_map: str | None = None,
        mixture: str | None = None,
    ) -> bool | str:
        """Refuse a choice that is not offered: hosts up to 0.3.75 let any text through.

        A value that another node will deliver is None here.
        """
        given = {"target": target, "strength_map": strength_map, "mixture": mixture}
        return check_choices(given, _choices())

    @classmethod
    def fingerprint_inputs(cls, **_inputs: Any) -> Any:
        """Run again when a mixture file has changed."""
        return mixtures.fingerprint(mixture_files())

    @classmethod
    def execute(
        cls,
        image: Tensor,
        vae: Any,
        strength: float,
        target: str,
        strength_map: str,
        mixture: str,
        mask: Tensor | None = None,
    ) -> Any:
        """Protect picture by picture; a stop takes effect between two of them."""
        pictures, alpha = split_alpha(image)
        masks = None if mask is None else mask_to_engine(mask, pictures)
        protector = _protector(vae, ProtectSettings(strength, target, strength_map), mixture)
        done = _protect_each(protector, pictures, masks, Progress(len(pictures), node_id_of(cls)))
        shares = masked_shares(masks, len(done))
        reports = [one.reports[0] for one in done]
        for notice in (weak_match(family_of(vae)), urgent(reports, shares)):
            warn(notice, node_id=node_id_of(cls))
        return io.NodeOutput(
            join_alpha(torch.cat([one.image for one in done]), alpha),
            map_to_mask(torch.cat([one.strength_map for one in done])),
            difference_image(torch.cat([one.perturbation for one in done])),
            report_text(reports, shares=shares),
        )


def _protect_each(
    protector: Protector, pictures: Tensor, masks: Tensor | None, progress: Progress
) -> list[Protected]:
    done: list[Protected] = []
    for i, picture in progress.each(list(pictures)):
        one = protector.protect(picture[None], mask=None if masks is None else masks[i : i + 1])
        done.append(one)
        text = f"{i + 1}/{len(pictures)}: {picture_line(one.reports[0])}"
        progress.done(i + 1, text, to_pil(one.image[0]))
    return done


def _protector(vae: Any, settings: ProtectSettings, mixture: str) -> Protector:
    codec = codec_of(vae)
    chosen = mixtures.choose(mixture, codec.family, mixture_files())
    visibility = None if settings.strength_map == MAP_OFF else visibility_map(settings.strength_map)
    return Protector(codec, chosen, settings, visibility=visibility)


def _choices() -> dict[str, list[str]]:
    return {
        "target": list(TARGETS),
        "strength_map": list(STRENGTH_MAPS),
        "mixture": mixtures.choices(mixture_files()),
    }


def _inputs() -> list[Any]:
    choices = _choices()
    return [
        image_input("Pictures to protect. A fourth channel (alpha) is kept as it is."),
        vae_input(),
        strength_input(),
        target_input(),
        build(
            io.Combo.Input,
            "strength_map",
            options=choices["strength_map"],
            default="learned",
            tooltip="Where to press harder or softer, by how visible the change is. learned: fast, "
            "built in. lpips: the reference, needs the lpips package. off: the same everywhere.",
        ),
        build(
            io.Combo.Input,
            "mixture",
            options=choices["mixture"],
            default=mixtures.AUTO,
            tooltip="The trained perturbations. auto takes the one that fits the VAE's family; "
            "others come from the folder models/fixative.",
        ),
        mask_input(),
    ]


def _outputs() -> list[Any]:
    return [
        protected_output(),
        build(
            io.Mask.Output,
            "applied_map",
            display_name="strength map",
            tooltip="How strongly each place was pressed, 1 = full strength or more.",
        ),
        difference_output(),
        report_output(),
    ]
