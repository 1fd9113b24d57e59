"""Entries of Extras that the settings bring into txt2img: they run without gradients there."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from typing import Any

from modules import scripts, scripts_postprocessing, shared


class ScriptPostprocessingForMainUI(scripts.Script):
    """One entry of Extras as a script that is always on."""

    def __init__(self, script_postproc: scripts_postprocessing.ScriptPostprocessing) -> None:
        self.script = script_postproc
        self.postprocessing_controls: dict[str, Any] = {}

    def title(self) -> str:
        return self.script.name

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> Any:
        self.postprocessing_controls = self.script.ui()
        return list(self.postprocessing_controls.values())

    def postprocess_image(self, p: Any, pp: scripts.PostprocessImageArgs, *args: Any) -> None:
        """What it notes goes into the infotext."""
        ours = scripts_postprocessing.PostprocessedImage(pp.image)
        self.script.process(ours, **dict(zip(self.postprocessing_controls, args, strict=True)))
        p.extra_generation_params.update(ours.info)
        pp.image = ours.image


def create_auto_preprocessing_script_data() -> list[ScriptPostprocessingForMainUI]:
    """Those that the settings name."""
    made: list[ScriptPostprocessingForMainUI] = []
    for name in shared.opts.postprocessing_enable_in_main_ui:
        for data in scripts.postprocessing_scripts_data:
            if data.script_class.name == name:
                wrapped = ScriptPostprocessingForMainUI(data.script_class())
                wrapped.filename = data.path
                made.append(wrapped)
    return made
