"""The tab Fixative: one sub-tab for each thing to do."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from typing import Any

import gradio as gr

from fixative.errors import FixativeError
from fixative_webui import tab_compare, tab_inspect, tab_mimicry, tab_protect, tab_purify
from fixative_webui.settings import Options

log = logging.getLogger(__name__)

TITLE, NAME = "Fixative", "fixative"


def on_ui_tabs() -> list[tuple[Any, str, str]]:
    """The tab, as the host's callback of that name wants it."""
    options = _defaults()
    with gr.Blocks(analytics_enabled=False) as blocks, gr.Tabs(elem_id="fixative_tabs"):
        with gr.Tab("Protect", elem_id="fixative_protect_tab"):
            tab_protect.build(options)
        with gr.Tab("Purify", elem_id="fixative_purify_tab"):
            tab_purify.build(options)
        with gr.Tab("Compare", elem_id="fixative_compare_tab"):
            tab_compare.build()
        with gr.Tab("Inspect", elem_id="fixative_inspect_tab"):
            tab_inspect.build()
        with gr.Tab("Mimicry test", elem_id="fixative_mimicry_tab"):
            tab_mimicry.build(options)
    return [(blocks, TITLE, NAME)]


def _defaults() -> Options:
    """What the fields begin with; settings that are damaged are told of when Run is pressed."""
    try:
        return Options.from_settings()
    except FixativeError as error:
        log.warning("%s", error)
        return Options()
