"""Fixative in the web UI of AUTOMATIC1111 and Forge: tells the host what there is, and no more.

The host runs this file by its path, with the extension's folder on ``sys.path`` meanwhile. It takes
every class in here that derives from its own for a script: so modules are imported, not classes.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from modules import script_callbacks, scripts, scripts_postprocessing, shared, ui_components

from fixative_webui import after, api, extras, settings, tab


class FixativeExtras(scripts_postprocessing.ScriptPostprocessing):
    """The entry in Extras."""

    name = "Fixative"
    order = extras.ORDER

    def ui(self) -> dict[str, Any]:
        """The entry's fields, by the names of ``process``'s arguments."""
        return extras.controls(ui_components.InputAccordion)

    def process(self, pp: Any, **args: Any) -> None:
        """Protect a picture, after all other entries."""
        extras.process(pp, **args)


class FixativeAfterGeneration(scripts.Script):
    """Has txt2img and img2img show what they have saved, where saving protects."""

    def title(self) -> str:
        """Its name in the host's lists."""
        return "Fixative: protect what is saved"

    def show(self, is_img2img: bool) -> Any:
        """Always on; the settings say whether anything happens."""
        del is_img2img
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """It has no fields."""
        del is_img2img
        return []

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """The generation is over."""
        del args
        after.exchange(p, processed)


def _on_app_started(_page: Any, app: Any) -> None:
    api.register(app, shared.cmd_opts)


script_callbacks.on_ui_settings(settings.on_ui_settings)
script_callbacks.on_ui_tabs(tab.on_ui_tabs)
script_callbacks.on_before_image_saved(after.before_image_saved)
script_callbacks.on_app_started(_on_app_started)
