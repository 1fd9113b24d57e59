"""The entry in Extras: protects what the others have made, and never loses a picture.

The class that a host finds is in the script file; it only passes on to here.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import Image

from fixative.errors import FixativeError
from fixative.protections.base import MAX_STRENGTH
from fixative.protector import MAP_OFF
from fixative_webui import host
from fixative_webui.settings import MAP, TARGETS, Options
from fixative_webui.vae import codec_for
from fixative_webui.work import Done, protect

#: After every upscaler; a person may still move it in the host's settings.
ORDER = 9500
#: Keys of what a host writes into the file and shows below the pictures.
DONE, WARNING = "Fixative", "Fixative warning"
NOT_PROTECTED = "NOT PROTECTED"

log = logging.getLogger(__name__)


def controls(accordion: Callable[..., AbstractContextManager[Any]]) -> dict[str, Any]:
    """Lay the entry out; the names are those of ``process``'s arguments.

    Args:
        accordion: the host's ``InputAccordion``.
    """
    options = _options()
    with accordion(False, label="Fixative: protect", elem_id="fixative_extras_enable") as enable:
        with gr.Row():
            strength = gr.Slider(
                0,
                MAX_STRENGTH,
                value=options.strength,
                step=0.5,
                label="Strength in 1/255",
                elem_id="fixative_extras_strength",
            )
            target = gr.Dropdown(
                choices=list(TARGETS),
                value=options.target,
                label="Target",
                elem_id="fixative_extras_target",
            )
        strength_map = gr.Checkbox(
            value=options.strength_map != MAP_OFF,
            label="Perceptual map: press less where it would be seen",
            elem_id="fixative_extras_map",
        )
        gr.HTML(
            "<p>Runs last, on what the others have made. Save as PNG: a lossy format takes a part "
            "of the protection away. VAE and weights are chosen in Settings, Fixative.</p>",
            elem_id="fixative_extras_note",
        )
    for field in (strength, target, strength_map):
        field.do_not_save_to_config = True  # the host would keep old settings as its defaults
    return {"enable": enable, "strength": strength, "target": target, "strength_map": strength_map}


def process(
    pp: Any,
    *,
    enable: bool | None = None,
    strength: float | None = None,
    target: str | None = None,
    strength_map: bool | None = None,
) -> None:
    """Protect ``pp.image`` and say so in ``pp.info``; where that fails, say that, and keep it.

    Args:
        pp: the host's PostprocessedImage.
        enable: None, as a host's API gives every argument, is off.
        strength: in 1/255; None: as the settings say, and so on.
        target: ``auto`` or a target's name.
        strength_map: whether to use it.
    """
    if not enable:
        return
    try:
        options = _chosen(Options.from_settings(), strength, target, strength_map)
        done = protect_in_job(pp.image, options)
    except Exception as error:  # nothing guards us: one bad picture must not end a batch
        pp.info[DONE] = refusal(error)
        return
    pp.image = done.image
    pp.info[DONE] = done.parameters
    if warnings := [*done.notices, *lossy_warnings(done.image)]:
        pp.info[WARNING] = ". ".join(warnings)


def protect_in_job(image: Image.Image, options: Options) -> Done:
    """Protect a picture while the host does a job of its own and holds its queue.

    Interrupt takes effect between pictures: a picture that has been begun is finished, so that
    none leaves here unprotected.
    """
    with host.inside_turn(), host.job("Fixative", stoppable=False), codec_for(options) as seen:
        return protect(image, options, seen, host.tell)


def lossy_warnings(image: Image.Image) -> list[str]:
    """What the host's settings do to a protection when it saves this picture; logged as well."""
    copies = host.lossy_copies() if _gets_a_copy(image) else None
    found = [told for told in (host.lossy_output(), copies) if told]
    for told in found:
        log.warning("Fixative: %s", told)
    return found


def _gets_a_copy(image: Image.Image) -> bool:
    """Whether it is large enough for the host's second, lossy file: by its sides, or its bytes.

    The size of the file is not known yet; that of the pixels bounds it.
    """
    megabytes = image.width * image.height * len(image.getbands()) / 2**20
    side = float(host.option("target_side_length", 4000))
    return max(image.size) > side or megabytes > float(host.option("img_downscale_threshold", 4))


def refusal(error: Exception) -> str:
    """Why a picture was left as it is, for its notes; what nobody foresaw goes to the log whole."""
    if isinstance(error, FixativeError):
        log.warning("Fixative: %s: %s", NOT_PROTECTED, error)
        return f"{NOT_PROTECTED}: {error}"
    log.error("Fixative: a picture could not be protected", exc_info=error)
    return f"{NOT_PROTECTED}: {type(error).__name__}: {error}"


def _options() -> Options:
    """What the settings say; damaged ones must not cost the host its Extras."""
    try:
        return Options.from_settings()
    except FixativeError as error:
        log.warning("Fixative: %s", error)
        return Options()


def _chosen(
    options: Options, strength: float | None, target: str | None, strength_map: bool | None
) -> Options:
    if strength is not None:
        options = replace(options, strength=float(strength))
    if target is not None:
        options = replace(options, target=target)
    if strength_map is not None:
        options = replace(options, strength_map=MAP if strength_map else MAP_OFF)
    return options
