"""Before and after, as HTML that javascript/fixative.js brings to life.

Both pictures are files that the host serves: no copy of them is made or encoded on the way.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

AMPLIFICATION, MOST_AMPLIFICATION = 10, 50
_MODES = {
    "slider": "Slider: before left, after right",
    "sides": "Side by side",
    "difference": "What changed, amplified",
}


def address_of(path: Path) -> str:
    """Where the page finds a file that the host may serve; relative, as hosts may have a prefix."""
    return f"./file={quote(path.absolute().as_posix(), safe='/:')}"


def compare_view(before: Path, after: Path, *, size: tuple[int, int], name: str) -> str:
    """Two pictures of one size to be compared.

    Args:
        before: a file that the host may serve.
        after: another.
        size: width and height in pixels.
        name: what the pictures show, for a screen reader.
    """
    width, height = size
    return (
        "<div class='fixative-view' data-mode='slider' role='group' "
        f"aria-label='{escape(name, quote=True)}, before and after'>"
        "<div class='fixative-stage' "
        f"style='--fixative-width: {width}; --fixative-height: {height}'>"
        f"{_picture('before', before)}{_picture('after', after)}"
        "<canvas role='img' aria-label='difference'></canvas>"
        "<span class='fixative-divider' aria-hidden='true'></span></div>"
        f"<div class='fixative-controls'>{_mode_choice()}{_dividing()}{_amplifying()}</div></div>"
    )


def picture_view(path: Path, *, name: str) -> str:
    """One picture that the host may serve, and what it is."""
    return (
        f"<figure class='fixative-picture'><img src='{address_of(path)}' alt=''>"
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )


def _picture(which: str, path: Path) -> str:
    return (
        f"<figure data-which='{which}'><img src='{address_of(path)}' alt='{which}' "
        f"draggable='false'><figcaption>{which}</figcaption></figure>"
    )


def _mode_choice() -> str:
    options = "".join(f"<option value='{key}'>{label}</option>" for key, label in _MODES.items())
    return f"<label>Show <select data-control='mode'>{options}</select></label>"


def _dividing() -> str:
    return (
        "<label data-for='slider'>Divider <input type='range' data-control='at' min='0' max='100' "
        "value='50'></label>"
    )


def _amplifying() -> str:
    return (
        "<label data-for='difference'>Amplified <input type='range' data-control='amplification' "
        f"min='1' max='{MOST_AMPLIFICATION}' value='{AMPLIFICATION}'> "
        f"<output>×{AMPLIFICATION}</output></label>"
    )
