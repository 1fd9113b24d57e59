"""The Settings tab: a component for every setting, and Apply."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from typing import Any

import gradio as gr
from modules import script_callbacks, shared
from modules.shared import opts

COMPONENTS = {str: gr.Textbox, int: gr.Number, bool: gr.Checkbox}


def create_setting_component(key: str) -> Any:
    """What the setting asks for, else what its default's type suggests."""
    info = opts.data_labels[key]
    made: Any = info.component_args
    args: Any = made() if callable(made) else made
    kind: Any = info.component or COMPONENTS.get(type(info.default))
    if kind is None:
        raise TypeError(f"bad options item type: {type(info.default)} for key {key}")
    value = opts.data.get(key, info.default)
    given: dict[str, Any] = args or {}
    component = kind(label=info.label, value=value, elem_id=f"setting_{key}", **given)
    if info.comment_before or info.comment_after:
        gr.HTML(info.comment_before + info.comment_after)
    return component


class UiSettings:
    """Made after the extensions have registered theirs."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def register_settings(self) -> None:
        script_callbacks.ui_settings_callback()

    def create_ui(self) -> Any:
        opts.reorder()
        with gr.Blocks(analytics_enabled=False) as interface:
            submit = gr.Button("Apply settings", variant="primary", elem_id="settings_submit")
            result = gr.HTML(elem_id="settings_result")
            with gr.Tabs(elem_id="settings"):
                sections = dict.fromkeys(info.section for info in opts.data_labels.values())
                for section in sections:
                    if section[0] is not None:
                        self._section(*section)
            submit.click(self.run_settings, inputs=list(self.components.values()), outputs=[result])
        return interface

    def _section(self, elem_id: str, text: str) -> None:
        keys = [k for k, info in opts.data_labels.items() if info.section == (elem_id, text)]
        with gr.TabItem(label=text, elem_id=f"settings_{elem_id}"), gr.Column():
            for key in keys:
                self.components[key] = create_setting_component(key)

    def run_settings(self, *values: Any) -> str:
        """Check every type as the host does, then set and save what changed."""
        given = dict(zip(self.components, values, strict=True))
        for key, value in given.items():
            expected = opts.data_labels[key].default
            assert opts.same_type(value, expected), (
                f"Bad value for setting {key}: {value}; expecting {type(expected).__name__}"
            )
        changed = [key for key, value in given.items() if opts.set(key, value)]
        opts.save(shared.config_filename)
        return f"{len(changed)} settings changed: {', '.join(changed)}."
