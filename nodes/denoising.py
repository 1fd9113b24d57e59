"""The graph's model for those methods of a node that look through a denoiser."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from comfy_api.latest import io

from fixative.errors import SettingError
from fixative.mimicry.denoiser import Denoiser

from . import methods
from .host.codecs import family_of
from .host.denoisers import Asked, borrowed_denoiser, family_of_model
from .schema import build


def denoiser_inputs(names: str) -> list[Any]:
    """The optional inputs of a node, for the methods that ``names`` tells."""
    return [
        build(
            io.Model.Input,
            "model",
            optional=True,
            tooltip=f"The diffusion model that {names} look through; vae must be its own. Load "
            "Testbed gives a small one that runs anywhere. A private copy is used; itself it stays "
            "as it is. The others need none.",
        ),
        build(
            io.Conditioning.Input,
            "positive",
            optional=True,
            tooltip="What that model is told that the pictures are: an empty text will do. There "
            "is no guidance, and so no negative.",
        ),
    ]


def asked_denoiser(names: Sequence[str], model: Any, positive: Any, vae: Any) -> Asked | None:
    """What to borrow for methods of these names, before anything takes time; None: nothing.

    Raises:
        SettingError: model or positive is not connected, or the model works in other latents than
            the VAE makes.
    """
    if not names:
        return None
    methods.require_model(names, model, positive)
    theirs, ours = family_of_model(model), family_of(vae).family
    if theirs != ours:
        raise SettingError(
            f"model: it works in latents of the family {theirs!r}, but the VAE makes those of "
            f"{ours!r}; connect the VAE that belongs to the model, or another model"
        )
    return Asked(model, positive)


@contextmanager
def lent_denoiser(asked: Asked | None) -> Generator[Denoiser | None, None, None]:
    """A denoiser on a private copy of the model, gone when the block ends; None of None."""
    if asked is None:
        yield None
        return
    with borrowed_denoiser(asked) as denoiser:
        yield denoiser
