"""What the tab, Extras, generation and the API have in common: pictures in, pictures out.

Nothing here knows gradio or a host. A codec comes from ``vae.codec_for`` (to purify with also from
``host.codec``), and is used while that block is open:

    with codec_for(options) as seen:
        done = protect(image, options, seen, on_step=tell)

Files are read with ``fixative.pictures.read_picture``, given here as they are, and written with
``write_picture(picture, done.pixels, …)``, which keeps EXIF, profile and transparency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

import fixative
from fixative.codecs.base import Codec
from fixative.countermeasures import (
    Countermeasure,
    PurifyStep,
    Resources,
    make_countermeasure,
    needed_resources,
)
from fixative.errors import SettingError
from fixative.mixture import Mixture
from fixative.perceptual import VisibilityMap, load_visibility_map
from fixative.perceptual.distance import PerceptualDistance, load_distance
from fixative.pictures import Picture
from fixative.pictures.picture import Pixels, images_to_pixels
from fixative.protector import MAP_OFF, PictureReport, Protector, ProtectSettings
from fixative.reporting import Reporter, ReportSettings
from fixative_webui import reports
from fixative_webui.looking import Inspected, inspect
from fixative_webui.pictures import image_like, picture_of

if TYPE_CHECKING:
    from fixative_webui.host import Seen
    from fixative_webui.settings import Options
    from fixative_webui.vae import Sight

__all__ = ["Done", "Inspected", "OnStep", "inspect", "needs_codec", "protect", "purify"]

#: Told of (step, steps, what is done now); may raise, to stop. As ``host.job`` gives it.
OnStep = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Done:
    """One picture that was protected or purified.

    Attributes:
        image: in the mode RGB or RGBA, with the profile, EXIF and notes of the image given.
        pixels: its colours, (H, W, 3) uint8, for ``write_picture``.
        report: lines for a person.
        info: the same in JSON types.
        notices: what the person must know, one sentence each.
        parameters: a few words for the notes that a host writes into the file.
    """

    image: Image.Image
    pixels: Pixels
    report: str
    info: dict[str, Any]
    notices: list[str] = field(default_factory=list[str])
    parameters: str = ""


def protect(
    image: Image.Image | Picture,
    options: Options,
    seen: Sight,
    on_step: OnStep | None = None,
    *,
    measure: bool = False,
) -> Done:
    """Protect one picture as the options say.

    Args:
        image: a Pillow image, or a picture that was read from a file.
        options: strength, target and map.
        seen: the codec to protect by, and a mixture of its family.
        on_step: told of each step.
        measure: measure the pull too, beside random noise's; two more encodes of each.

    Raises:
        FixativeError: an option is out of range, or the image is refused.
    """
    assert seen.mixture is not None, "lent for purifying, see codec_for"
    picture = _picture(image)
    tell = on_step or _silent
    steps = 3 if measure else 2
    tell(0, steps, "loading")
    with torch.inference_mode(False), torch.no_grad():
        protector = _protector(seen.codec, seen.mixture, options)
        tell(1, steps, "protecting")
        before = picture.images()
        protected = protector.protect(before)
        facts: PictureReport = protected.reports[0]
        figures = None
        if measure:
            tell(2, steps, "measuring")
            figures = _reporter(seen.codec, seen.mixture, options).measure(before, protected.image)
    tell(steps, steps, "done")
    pixels = images_to_pixels(protected.image)
    return Done(
        image=_image(pixels, picture, image),
        pixels=pixels,
        report=reports.protected(facts, seen.says, figures),
        info=reports.protected_facts(facts, seen.says, figures),
        notices=[*picture.notes, *seen.notices, *reports.cautions(facts, figures)],
        parameters=reports.parameters(facts),
    )


def purify(
    image: Image.Image | Picture,
    method: str,
    seen: Seen | None,
    on_step: OnStep | None = None,
    *,
    seed: int = 0,
    distance: str = "best",
) -> Done:
    """Try to take a protection off one picture.

    Args:
        image: a Pillow image, or a picture that was read from a file.
        method: as a person writes it: ``impress:fast``, ``jpeg:75``, ``jpeg:75+resize:0.5``.
        seen: a codec with a decoder, where the method ``needs_codec``; else None will do.
        on_step: told of each step.
        seed: of all randomness.
        distance: what keeps the picture looking the same, for IMPRESS.

    Raises:
        FixativeError: an unknown method, or one that needs more than a codec.
    """
    picture = _picture(image)
    codec = None if seen is None else seen.codec
    countermeasure = _countermeasure(method, codec, distance, seed)
    written, tell = countermeasure.describe(), on_step or _silent

    def told(step: PurifyStep) -> None:
        tell(step.step, step.steps, f"{written}: step {step.step} of at most {step.steps}")

    tell(0, 1, written)
    with torch.inference_mode(False):
        before = picture.images()
        purified = countermeasure.purify(before, on_step=told)
    says = "" if seen is None or not needs_codec(method) else seen.says
    info = reports.purified_facts(before, purified, written, says)
    tell(1, 1, "done")
    pixels = images_to_pixels(purified.image)
    return Done(
        image=_image(pixels, picture, image),
        pixels=pixels,
        report=reports.purified(info),
        info=info,
        notices=list(picture.notes),
        parameters=f"purified by {written}, Fixative {fixative.__version__}",
    )


def needs_codec(method: str) -> bool:
    """Whether a countermeasure as a person writes it works through a VAE.

    Raises:
        SettingError: it is unknown, or needs what only other front ends can give.
    """
    needed = needed_resources(method)
    beyond = needed - {"codec", "distance"}
    if beyond:
        raise SettingError(
            f"method: {method!r} needs a {' and a '.join(sorted(beyond))}, which the web UI does "
            "not offer; use the command line (fixative evaluate) or ComfyUI"
        )
    return "codec" in needed


def _protector(codec: Codec, mixture: Mixture, options: Options) -> Protector:
    settings = ProtectSettings(options.strength, options.target, options.strength_map)
    off = options.strength_map == MAP_OFF
    visibility = None if off else _visibility(options.strength_map, str(codec.device))
    return Protector(codec, mixture, settings, visibility=visibility)


def _reporter(codec: Codec, mixture: Mixture, options: Options) -> Reporter:
    visibility = _visibility("learned", str(codec.device))
    return Reporter(codec, mixture, visibility, ReportSettings(target=options.target))


def _countermeasure(method: str, codec: Codec | None, distance: str, seed: int) -> Countermeasure:
    measure = None
    if needs_codec(method) and "distance" in needed_resources(method) and codec is not None:
        measure = _distance(distance, str(codec.device))
    return make_countermeasure(method, Resources(codec, measure), seed=seed)


@lru_cache(maxsize=2)
def _distance(name: str, device: str) -> PerceptualDistance:
    with torch.inference_mode(False):
        return load_distance(name, device=device)


@lru_cache(maxsize=4)
def _visibility(name: str, device: str) -> VisibilityMap:
    """A map, loaded once for each device; never made of inference tensors."""
    with torch.inference_mode(False):
        return load_visibility_map(name, device=device)


def _picture(image: Image.Image | Picture) -> Picture:
    return image if isinstance(image, Picture) else picture_of(image)


def _image(pixels: Pixels, picture: Picture, given: Image.Image | Picture) -> Image.Image:
    if isinstance(given, Picture):
        return Picture(picture.path, pixels, picture.alpha, picture.metadata).image()
    return image_like(pixels, picture, given)


def _silent(step: int, steps: int, text: str) -> None:
    """Nobody is told."""
    del step, steps, text
