"""What Forge changes in gradio 4 before anybody uses it; gradio 3 stays as it comes."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from typing import Any

from modules import thin


def _no_stubs(component_class: Any, class_name: str, events: list[Any]) -> None:
    """A class of the host's own gets no .pyi file written beside it."""


def _as_it_is(function: Any) -> Any:
    """Components made in a handler are components there, not updates: handlers use gr.update."""
    return function


if thin.FORGE:
    import gradio.component_meta as meta

    meta.create_or_modify_pyi = _no_stubs
    meta.updateable = _as_it_is
