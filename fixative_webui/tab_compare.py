"""The sub-tab Compare: two pictures of one size, with a slider or by their amplified difference."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import gradio as gr

from fixative.batch import Change, measure_saved
from fixative.pictures import check_same_size, read_picture
from fixative.pictures.naming import shown
from fixative_webui import tab_html as html
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, shown_copy, uploaded
from fixative_webui.tab_parts import picture_field, results, wire
from fixative_webui.tab_view import compare_view


def build() -> None:
    """Lay out the sub-tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=1):
            before = picture_field("compare_before", "Before")
            after = picture_field("compare_after", "After: of the same size")
        with gr.Column(scale=2):
            found = results("compare", "Compare", long=False)
    wire(found, compare, [before, after])


def compare(before: Any, after: Any) -> Answer:
    """Compare two uploaded pictures.

    Raises:
        SettingError: one is missing.
        ImageError: one cannot be read, or the sizes differ.
    """
    first = read_picture(uploaded(before, what="before"), limits=LIMITS)
    second = read_picture(uploaded(after, what="after"), limits=LIMITS)
    images = first.image(), second.image()
    check_same_size(*images)
    name = f"{shown(first.path.name)} and {shown(second.path.name)}"
    view = compare_view(
        shown_copy(images[0], "before.png", icc=first.metadata.icc),
        shown_copy(images[1], "after.png", icc=second.metadata.icc),
        size=first.size,
        name=name,
    )
    change = measure_saved(first.pixels, second.pixels)
    return Answer(_told(name, first.size, change, [*first.notes, *second.notes]), view)


def _told(name: str, size: tuple[int, int], change: Change, notes: list[str]) -> str:
    psnr = "equal" if change.psnr is None else f"{change.psnr:.1f} dB"
    pairs = [
        ("size", f"{size[0]} × {size[1]}"),
        ("largest change", f"{change.largest}/255"),
        ("mean change", f"{change.mean:.2f}/255"),
        ("PSNR", psnr),
    ]
    same = [] if change.largest else [html.paragraph("The pictures are equal in every pixel.")]
    return html.report(html.heading(name), html.facts(pairs), *same, html.bullets(notes))
