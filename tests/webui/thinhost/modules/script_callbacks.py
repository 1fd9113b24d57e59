"""What an extension may ask to be told about."""

# What differs between hosts is defined twice: a type checker sees one of them.
# pyright: basic, reportMissingImports=false, reportRedeclaration=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modules import errors, thin


class ImageSaveParams:
    """A picture about to be written; whoever is told may change all of it."""

    def __init__(self, image: Any, p: Any, filename: str, pnginfo: dict[str, str]) -> None:
        self.image, self.p, self.filename, self.pnginfo = image, p, filename, pnginfo


@dataclass
class ScriptCallback:
    script: str
    callback: Callable[..., Any]
    name: str = "unnamed"


KINDS = (
    *("app_started", "model_loaded", "ui_tabs", "ui_settings", "before_image_saved"),
    *("image_saved", "script_unloaded", "before_ui"),
)
callback_map: dict[str, list[ScriptCallback]] = {f"callbacks_{kind}": [] for kind in KINDS}


def clear_callbacks() -> None:
    for registered in callback_map.values():
        registered.clear()


def _caller() -> str:
    """The file that registers: a callback is known by it."""
    return next((frame.filename for frame in inspect.stack() if frame.filename != __file__), "?")


if thin.since(1, 10):

    def add_callback(
        callbacks: list[ScriptCallback],
        fun: Callable[..., Any],
        *,
        name: str | None = None,
        category: str = "unknown",
        filename: str | None = None,
    ) -> None:
        callbacks.append(ScriptCallback(filename or _caller(), fun, name or category))

    def _registers(kind: str) -> Callable[..., None]:
        def register(callback: Callable[..., Any], *, name: str | None = None) -> None:
            add_callback(callback_map[f"callbacks_{kind}"], callback, name=name, category=kind)

        return register

else:

    def add_callback(callbacks: list[ScriptCallback], fun: Callable[..., Any]) -> None:
        callbacks.append(ScriptCallback(_caller(), fun))

    def _registers(kind: str) -> Callable[..., None]:
        def register(callback: Callable[..., Any]) -> None:
            add_callback(callback_map[f"callbacks_{kind}"], callback)

        return register


on_app_started = _registers("app_started")
on_model_loaded = _registers("model_loaded")
on_ui_tabs = _registers("ui_tabs")
on_ui_settings = _registers("ui_settings")
on_before_image_saved = _registers("before_image_saved")
on_image_saved = _registers("image_saved")
on_script_unloaded = _registers("script_unloaded")
on_before_ui = _registers("before_ui")


def _tell(kind: str, *said: Any) -> list[Any]:
    """Call everyone; one that fails is reported and the others go on."""
    results: list[Any] = []
    for registered in list(callback_map[f"callbacks_{kind}"]):
        try:
            results.append(registered.callback(*said))
        except Exception:
            errors.report(f"Error executing callback {kind} for {registered.script}", exc_info=True)
    return results


def app_started_callback(demo: Any, app: Any) -> None:
    _tell("app_started", demo, app)


def ui_tabs_callback() -> list[tuple[Any, str, str]]:
    return [tab for tabs in _tell("ui_tabs") for tab in tabs or []]


def ui_settings_callback() -> None:
    _tell("ui_settings")


def before_image_saved_callback(params: ImageSaveParams) -> None:
    _tell("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    _tell("image_saved", params)


def model_loaded_callback(sd_model: Any) -> None:
    _tell("model_loaded", sd_model)


def before_ui_callback() -> None:
    _tell("before_ui")


def script_unloaded_callback() -> None:
    _tell("script_unloaded")
