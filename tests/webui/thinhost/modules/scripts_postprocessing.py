"""Extras: scripts that work on a finished picture, one after another."""

# What differs between hosts is defined twice: a type checker sees one of them.
# pyright: basic, reportMissingImports=false, reportRedeclaration=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from modules import errors, shared, thin
from PIL import Image

if thin.since(1, 7):

    @dataclass
    class PostprocessedImageSharedInfo:
        target_width: int | None = None
        target_height: int | None = None

    class PostprocessedImage:
        """A picture on its way, and what was done to it."""

        def __init__(self, image: Image.Image) -> None:
            self.image = image
            self.info: dict[str, Any] = {}
            self.shared = PostprocessedImageSharedInfo()
            self.extra_images: list[Any] = []
            self.nametags: list[str] = []
            self.disable_processing = False
            self.caption: str | None = None

        def get_suffix(self, used_suffixes: dict[str, int] | None = None) -> str:
            used = {} if used_suffixes is None else used_suffixes
            plain = "".join(f"-{tag}" for tag in self.nametags)
            suffix = next(
                s for s in (plain, *(f"{plain}-{n}" for n in range(1, 100))) if s not in used
            )
            used[suffix] = 1
            return suffix

        def create_copy(
            self,
            new_image: Image.Image,
            *,
            nametags: list[str] | None = None,
            disable_processing: bool = False,
        ) -> PostprocessedImage:
            copy = PostprocessedImage(new_image)
            copy.shared, copy.info = self.shared, self.info.copy()
            copy.nametags = [*self.nametags, *(nametags or [])]
            copy.disable_processing = disable_processing
            return copy

else:

    class PostprocessedImage:
        """A picture on its way, and what was done to it."""

        def __init__(self, image: Image.Image) -> None:
            self.image = image
            self.info: dict[str, Any] = {}


class ScriptPostprocessing:
    """What an extension derives from."""

    filename: Any = None
    controls: Any = None
    args_from: Any = None
    args_to: Any = None
    order: float = 1000
    name: Any = None
    group: Any = None

    def ui(self) -> Any:
        """Make the components; return them by the name of the argument that they fill."""

    def process(self, pp: PostprocessedImage, **args: Any) -> None:
        """Work on the picture."""

    if thin.since(1, 7):

        def process_firstpass(self, pp: PostprocessedImage, **args: Any) -> None:
            """Look at the picture before anybody works on it."""

    def image_changed(self) -> None:
        """Another picture was put in."""


class ScriptPostprocessingRunner:
    """All scripts of Extras, by order."""

    def __init__(self) -> None:
        self.scripts: list[ScriptPostprocessing] | None = None
        self.ui_created = False

    def initialize_scripts(self, scripts_data: list[Any]) -> None:
        self.scripts = []
        for data in scripts_data:
            script = data.script_class()
            script.filename = data.path
            self.scripts.append(script)

    def create_script_ui(self, script: ScriptPostprocessing, inputs: list[Any]) -> None:
        script.args_from = script.args_to = len(inputs)
        try:
            script.controls = script.ui()
        except Exception as error:
            script.controls = None
            errors.display(error, f"calling {script.filename}/ui", full_traceback=True)
        for control in script.controls.values():
            control.custom_script_source = Path(script.filename).name
        inputs += list(script.controls.values())
        script.args_to = len(inputs)

    def scripts_in_preferred_order(self) -> list[ScriptPostprocessing]:
        if self.scripts is None:
            from modules import scripts

            self.initialize_scripts(scripts.postprocessing_scripts_data)
        first = shared.opts.postprocessing_operation_order

        def place(script: ScriptPostprocessing) -> tuple[int, float, str]:
            named = first.index(script.name) if script.name in first else len(self.scripts or [])
            return named, script.order, script.name

        return sorted(self.scripts or [], key=place)

    def setup_ui(self) -> list[Any]:
        inputs: list[Any] = []
        for script in self.scripts_in_preferred_order():
            with gr.Row() as group:
                self.create_script_ui(script, inputs)
            script.group = group
        self.ui_created = True
        return inputs

    def run(self, pp: PostprocessedImage, args: Any) -> None:
        """Every script in turn; nothing here catches what one of them raises."""
        work = [
            (
                script,
                dict(zip(script.controls, args[script.args_from : script.args_to], strict=True)),
            )
            for script in self.scripts_in_preferred_order()
        ]
        if not thin.since(1, 7):
            for script, values in work:
                shared.state.job = script.name
                script.process(pp, **values)
            return
        for script, values in work:
            script.process_firstpass(pp, **values)
        every = [pp]
        for script, values in work:
            if shared.state.skipped:
                break
            shared.state.job = script.name
            for single in every.copy():
                if not single.disable_processing:
                    script.process(single, **values)
                copies = [
                    extra if isinstance(extra, PostprocessedImage) else single.create_copy(extra)
                    for extra in single.extra_images
                ]
                every += copies
                single.extra_images.clear()
        pp.extra_images = every[1:]

    def create_args_for_run(self, scripts_args: dict[str, dict[str, Any]]) -> list[Any]:
        """The API's: a script that is not named gets None for each of its arguments."""
        if not self.ui_created:
            with gr.Blocks(analytics_enabled=False):
                self.setup_ui()
        scripts = self.scripts_in_preferred_order()
        args = [None] * max([script.args_to for script in scripts], default=0)
        for script in scripts:
            given = scripts_args.get(script.name)
            for index, name in enumerate(script.controls):
                args[script.args_from + index] = None if given is None else given.get(name)
        return args

    def image_changed(self) -> None:
        for script in self.scripts_in_preferred_order():
            script.image_changed()
