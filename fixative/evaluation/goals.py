"""Where each protection pulls to, as latents of any codec: pull is measured towards that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.evaluation.subjects import cut
from fixative.images import resize
from fixative.mixture import Mixture
from fixative.protections.glaze import GlazeLike
from fixative.protections.goals import ZERO, mist_pattern, repeated
from fixative.protections.mist import MistTexture
from fixative.protections.mist_fused import MistFused
from fixative.protections.refined import RefinedMixture
from fixative.protections.registry import PROTECTIONS, WHAT
from fixative.protections.style import draw_strokes, transfer_style
from fixative.protections.universal import Universal
from fixative.protector import Protector
from fixative.registry import choose, parse, settings_of
from fixative.steps import working_copies
from fixative.target import AUTO, choose_target, latent_entropy
from fixative.training.targets import PERIODS, draw_targets

PATTERN, STYLE = "pattern", "style"
#: Those that are decided on 512 copies, whose target is stretched with them.
STRETCHED = frozenset({Protector.name, Universal.name, RefinedMixture.name})
#: Those with a target picture of their own.
_OWN = {MistTexture.name: PATTERN, MistFused.name: PATTERN, GlazeLike.name: STYLE}


@dataclass(frozen=True)
class Aim:
    """What one protection pulls to.

    Attributes:
        target: ``auto``, a target's name, ``zero``, ``pattern`` (Mist's) or ``style`` (the picture
            itself, repainted).
        stretched: the target picture is resized to the picture, not repeated at its own scale.
    """

    target: str
    stretched: bool


def aim_of(method: str) -> Aim:
    """Read off a protection's settings what it pulls to.

    Args:
        method: as ``make_protection`` reads it.

    Raises:
        SettingError: it is unknown.
    """
    spec = parse(method, what=WHAT)[0]
    settings = settings_of(spec, choose(PROTECTIONS, spec.name, what=WHAT).parameters, what=WHAT)
    if spec.name in _OWN:
        return Aim(_OWN[spec.name], stretched=False)
    named = settings.get("goal", settings.get("target", AUTO))
    target = str(named) if str(named) in (*PERIODS, ZERO) else AUTO
    return Aim(target, stretched=spec.name in STRETCHED)


@dataclass(frozen=True)
class Place:
    """What is measured of a picture.

    Attributes:
        windows: the centre squares cut out of it, one after the other.
        stretched: as of ``Aim``.
    """

    windows: tuple[int, ...]
    stretched: bool

    def cut_from(self, picture: Tensor) -> Tensor:
        """This part of (1, 3, H, W)."""
        for side in self.windows:
            picture = cut(picture, side)
        return picture


class Goals:
    """Latents to pull to, for the window that is measured.

    Args:
        chooser: encodes pictures to choose a target by entropy.
        mixture: whose target entropies decide; None: those of the drawn targets.
    """

    def __init__(self, chooser: Codec, mixture: Mixture | None) -> None:
        self._chooser = chooser
        self._pictures = dict(zip(PERIODS, draw_targets(), strict=True))
        self._pictures |= {PATTERN: mist_pattern(), STYLE: draw_strokes()}
        self._mixture = mixture
        self._known: dict[tuple[object, ...], Tensor] = {}

    @cached_property
    def _targets(self) -> tuple[tuple[str, ...], Tensor]:
        """Names and entropies of the targets to choose from; drawn ones are encoded only now."""
        if self._mixture is not None:
            return self._mixture.target_names, self._mixture.target_entropies
        drawn = [self._chooser.encode(picture[None]) for picture in draw_targets()]
        return tuple(PERIODS), latent_entropy(torch.cat(drawn))

    @torch.no_grad()
    def target_of(self, aim: Aim, seen: Tensor) -> str:
        """The target's name for a picture (1, 3, H, W) as the protection sees it."""
        if aim.target != AUTO:
            return aim.target
        latents = self._chooser.encode(working_copies(seen).to(self._chooser.device))
        names, entropies = self._targets
        return names[int(choose_target(latents, entropies, names).index[0])]

    @torch.no_grad()
    def latents(self, codec: Codec, place: Place, target: str, seen: Tensor) -> Tensor:
        """z, where the protected picture is measured.

        Args:
            codec: encodes the target picture.
            place: which part of it.
            target: from ``target_of``.
            seen: (1, 3, H, W), what the protection saw.

        Returns:
            (1, C, h, w), or (1, 1, 1, 1) for zero.
        """
        if target == ZERO:
            return torch.zeros(1, 1, 1, 1)
        if target == STYLE:
            styled = transfer_style(seen, self._drawn(target, seen.shape[-2:], stretched=False))
            return codec.encode(place.cut_from(styled)).cpu()
        key = (id(codec), place, target, tuple(seen.shape))
        if key not in self._known:
            drawn = self._drawn(target, seen.shape[-2:], stretched=place.stretched)
            self._known[key] = codec.encode(place.cut_from(drawn)).cpu()
        return self._known[key]

    def _drawn(self, target: str, size: Sequence[int], *, stretched: bool) -> Tensor:
        """The target picture (1, 3, H, W)."""
        picture = self._pictures[target]
        if stretched:
            return resize(picture[None], size[0], size[1]).clamp(0, 1)
        return repeated(picture, size[0], size[1])[None]
