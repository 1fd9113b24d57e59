"""The sub-tab Protect: one picture, a batch of files, a folder to a folder."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import gradio as gr

from fixative.pictures import read_picture
from fixative_webui import host, tab_batch
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, uploaded
from fixative_webui.tab_parts import (
    picture_field,
    protection_fields,
    results,
    vae_named,
    wire,
)
from fixative_webui.tab_saved import saved
from fixative_webui.vae import codec_for
from fixative_webui.work import protect

ENDING = "-protected.png"


def build(options: Options) -> None:
    """Lay out the sub-tab: three ways to give pictures, each with its own Run and results."""
    with gr.Tabs(elem_id="fixative_protect_tabs"):
        with gr.Tab("One picture", elem_id="fixative_protect_one_tab"):
            _build_one(options)
        with gr.Tab("Batch of files", elem_id="fixative_protect_batch_tab"):
            _build_batch(options)
        if host.folders_allowed():
            with gr.Tab("Folder to folder", elem_id="fixative_protect_folder_tab"):
                _build_folder(options)


def protect_one(
    picture: Any, strength: float, target: str, strength_map: str, vae: str, measure: bool
) -> Answer:
    """Protect one uploaded picture."""
    source = uploaded(picture)
    options = chosen(strength, target, strength_map, vae)
    with host.job("Protecting"), codec_for(options) as seen:
        before = read_picture(source, limits=LIMITS)
        done = protect(before, options, seen, host.tell, measure=measure)
    return saved(before, done, ending=ENDING)


def chosen(strength: float, target: str, strength_map: str, vae: str) -> Options:
    """The settings with what the fields say instead."""
    return replace(
        Options.from_settings(),
        strength=float(strength),
        target=target,
        strength_map=strength_map,
        vae=vae_named(vae),
    )


def _build_one(options: Options) -> None:
    with gr.Row(equal_height=False):
        with gr.Column():
            picture = picture_field("protect_one_picture", "Picture")
            fields = protection_fields("protect_one", options)
            measure = gr.Checkbox(
                value=True,
                label="Measure the pull beside random noise (takes longer)",
                elem_id="fixative_protect_one_measure",
            )
        with gr.Column():
            shown = results("protect_one", "Protect")
    wire(shown, protect_one, [picture, *fields, measure])


def _build_batch(options: Options) -> None:
    with gr.Row(equal_height=False):
        with gr.Column():
            pictures = picture_field("protect_batch_pictures", "Pictures", many=True)
            fields = protection_fields("protect_batch", options)
        with gr.Column():
            shown = results("protect_batch", "Protect all")
    wire(shown, _protect_batch, [pictures, *fields])


def _build_folder(options: Options) -> None:
    with gr.Row(equal_height=False):
        with gr.Column():
            source = _folder_field("in", "Folder with pictures", "Searched to any depth.")
            out = _folder_field(
                "out", "Folder for the results", "Empty: a new one among the outputs."
            )
            overwrite = gr.Checkbox(
                value=False,
                label="Replace results that exist",
                elem_id="fixative_protect_folder_overwrite",
            )
            fields = protection_fields("protect_folder", options)
        with gr.Column():
            shown = results("protect_folder", "Protect folder")
    wire(shown, _protect_folder, [source, out, overwrite, *fields])


def _folder_field(which: str, label: str, hint: str) -> Any:
    return gr.Textbox(
        label=label,
        placeholder=f"A path on the machine that runs the web UI. {hint}",
        elem_id=f"fixative_protect_folder_{which}",
    )


def _protect_batch(pictures: Any, *fields: Any) -> Answer:
    return tab_batch.protect_uploaded(pictures, chosen(*cast("tuple[Any, Any, Any, Any]", fields)))


def _protect_folder(source: str, out: str, overwrite: bool, *fields: Any) -> Answer:
    options = chosen(*cast("tuple[Any, Any, Any, Any]", fields))
    return tab_batch.protect_folder(source, out, options, overwrite=overwrite)
