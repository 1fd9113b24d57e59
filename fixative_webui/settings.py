"""Fixative's section of the Settings page, and what it says for one protection."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr

from fixative.errors import SettingError
from fixative.pictures.reading import MOST_MEGAPIXELS
from fixative.protections.base import MAX_STRENGTH
from fixative.protector import MAP_OFF
from fixative_webui import host
from fixative_webui.host import NewOption

SECTION = ("fixative", "Fixative")
TARGETS = ("auto", "low", "mid", "high")
#: The strength map where it is on.
MAP = "learned"
#: Megapixels that the API takes where the settings say nothing else.
API_MEGAPIXELS = 40.0

Kind = TypeVar("Kind", float, bool, str)


@dataclass(frozen=True)
class Options:
    """What one protection needs to know.

    Attributes:
        strength: L-infinity budget in 1/255, 0 to 32.
        target: ``auto``, ``low``, ``mid`` or ``high`` pattern repetition.
        strength_map: ``learned`` or ``off``.
        vae: ``auto``, ``loaded`` or ``embedded``, as ``host.codec`` takes it.
        weights: a folder with mixtures, as ``host.weights_folder`` takes it; empty: none named.
    """

    strength: float = 8.0
    target: str = "auto"
    strength_map: str = MAP
    vae: str = "auto"
    weights: str = ""

    @classmethod
    def from_settings(cls) -> Options:
        """What the Settings page says.

        Raises:
            SettingError: the settings file holds something else than it should.
        """
        known = cls()
        return cls(
            strength=_setting("fixative_strength", known.strength, float),
            target=_setting("fixative_target", known.target, str),
            strength_map=MAP if _setting("fixative_map", True, bool) else MAP_OFF,
            vae=_setting("fixative_vae", known.vae, str),
            weights=_setting("fixative_weights", known.weights, str).strip(),
        )


def after_generation() -> bool:
    """Whether every picture that is generated and saved is to be protected."""
    return _setting("fixative_after", False, bool)


def api_megapixels() -> float:
    """The largest picture that the API takes, in megapixels."""
    return _setting("fixative_api_megapixels", API_MEGAPIXELS, float)


def on_ui_settings() -> None:
    """Add the section; registered with the host's ``on_ui_settings``."""
    for new in _options():
        host.add_option(new, section=SECTION)


def _setting(name: str, default: Kind, kind: Callable[[Any], Kind]) -> Kind:
    found = host.option(name, default)
    try:
        return default if found is None else kind(found)
    except (TypeError, ValueError):
        raise SettingError(
            f"setting {name}: expected a {getattr(kind, '__name__', 'value')}, got {found!r}; set "
            "it again in Settings, Fixative"
        ) from None


def _options() -> list[NewOption]:
    known = Options()
    return [
        NewOption(
            "fixative_strength",
            known.strength,
            "Strength in 1/255: how much a colour may change at most",
            gr.Slider,
            {"minimum": 0.5, "maximum": MAX_STRENGTH, "step": 0.5},
            info="8 is what was measured; less is seen less and protects less",
        ),
        NewOption(
            "fixative_target",
            known.target,
            "Target: the pattern that it aims at",
            gr.Radio,
            {"choices": list(TARGETS)},
            info="auto picks by the picture's entropy",
        ),
        NewOption(
            "fixative_map",
            True,
            "Perceptual map: press less where it would be seen",
            gr.Checkbox,
        ),
        NewOption(
            "fixative_vae",
            known.vae,
            "VAE to protect against",
            gr.Radio,
            {"choices": list(host.CHOICES)},
            info="auto: the loaded checkpoint's where there are weights for it, else Fixative's "
            "own; loaded: only that; embedded: always Fixative's own",
        ),
        NewOption(
            "fixative_weights",
            known.weights,
            "Folder with mixtures of your own",
            gr.Textbox,
            {"placeholder": str(host.weights_folder())},
            info="and their manifest.json; empty: models/Fixative, then what is shipped",
            by_api=False,
        ),
        NewOption(
            "fixative_after",
            False,
            "Protect every picture that txt2img and img2img save",
            gr.Checkbox,
            info="grids and previews are left as they are",
        ),
        NewOption(
            "fixative_api_megapixels",
            API_MEGAPIXELS,
            "Largest picture that the API takes, in megapixels",
            gr.Slider,
            {"minimum": 1, "maximum": MOST_MEGAPIXELS, "step": 1},
            by_api=False,
        ),
    ]
