"""Scripts: loading the extensions' files, and those that take part in making a picture."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import inspect
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import gradio as gr
from modules import (
    errors,
    extensions,
    script_callbacks,
    script_loading,
    scripts_postprocessing,
    thin,
)
from modules.extensions import ScriptFile
from modules.paths_internal import script_path
from modules.scripts_arguments import (
    MaskBlendArgs,
    PostprocessBatchListArgs,
    PostprocessImageArgs,
    PostProcessMaskOverlayArgs,
    PostSampleArgs,
)

AlwaysVisible = object()
ScriptClassData = namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])
scripts_data: list[ScriptClassData] = []
postprocessing_scripts_data: list[ScriptClassData] = []
current_basedir = script_path


class Script:
    """What an extension derives from; every hook does nothing unless it is overridden."""

    name: Any = None
    section: Any = None
    filename: Any = None
    args_from: Any = None
    args_to: Any = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname: Any = None
    group: Any = None
    create_group = True
    infotext_fields: Any = None
    paste_field_names: Any = None
    api_info: Any = None
    on_before_component_elem_id: Any = None
    on_after_component_elem_id: Any = None
    setup_for_ui_only = False
    if thin.since(1, 10):
        controls: Any = None
    if thin.FORGE:
        sorting_priority = 0

    def title(self) -> str:
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> Any: ...

    def show(self, is_img2img: bool) -> Any:
        return True

    def run(self, p: Any, *args: Any) -> Any: ...

    def setup(self, p: Any, *args: Any) -> None: ...

    def before_process(self, p: Any, *args: Any) -> None: ...

    def process(self, p: Any, *args: Any) -> None: ...

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...

    def after_extra_networks_activate(self, p: Any, *args: Any, **kwargs: Any) -> None: ...

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...

    def postprocess_batch_list(
        self, p: Any, pp: PostprocessBatchListArgs, *args: Any, **kwargs: Any
    ) -> None: ...

    def postprocess_image(self, p: Any, pp: PostprocessImageArgs, *args: Any) -> None: ...

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None: ...

    def before_component(self, component: Any, **kwargs: Any) -> None: ...

    def after_component(self, component: Any, **kwargs: Any) -> None: ...

    def on_before_component(self, callback: Any, *, elem_id: str) -> None: ...

    def on_after_component(self, callback: Any, *, elem_id: str) -> None: ...

    def describe(self) -> str:
        return ""

    def elem_id(self, item_id: str) -> str:
        return f"script_{self.tabname}_{(self.title() or '').lower().replace(' ', '_')}_{item_id}"

    def before_hr(self, p: Any, *args: Any) -> None: ...

    if thin.since(1, 10):

        def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None: ...

        def on_mask_blend(self, p: Any, mba: MaskBlendArgs, *args: Any) -> None: ...

        def post_sample(self, p: Any, ps: PostSampleArgs, *args: Any) -> None: ...

        def postprocess_maskoverlay(
            self, p: Any, ppmo: PostProcessMaskOverlayArgs, *args: Any
        ) -> None: ...

        def postprocess_image_after_composite(
            self, p: Any, pp: PostprocessImageArgs, *args: Any
        ) -> None: ...


def basedir() -> str:
    """The extension's folder, while its script is being loaded."""
    return current_basedir


def list_scripts(
    scriptdirname: str, extension: str, *, include_extensions: bool = True
) -> list[ScriptFile]:
    """The host's own files of one kind, then the extensions'."""
    own = sorted(Path(script_path, scriptdirname).glob(f"*{extension}"))
    found = [ScriptFile(script_path, path.name, str(path)) for path in own]
    for each in extensions.active() if include_extensions else ():
        found += each.list_files(scriptdirname, extension)
    return found


def list_files_with_name(filename: str) -> list[str]:
    folders = [script_path, *(each.path for each in extensions.active())]
    return [path for folder in folders if Path(path := str(Path(folder, filename))).is_file()]


def load_scripts() -> None:
    """Run every script with its extension's root first on sys.path, and only that long."""
    global current_basedir
    scripts_data.clear()
    postprocessing_scripts_data.clear()
    script_callbacks.clear_callbacks()
    before = sys.path
    for file in list_scripts("scripts", ".py"):
        try:
            sys.path = [file.basedir, *before]
            current_basedir = file.basedir
            _register(script_loading.load_module(file.path), file)
        except Exception:
            errors.report(f"Error loading script: {file.filename}", exc_info=True)
        finally:
            sys.path = before
            current_basedir = script_path


def _register(module: Any, file: ScriptFile) -> None:
    """Every class of the two kinds that the module has, imported ones too."""
    for found in vars(module).values():
        if not inspect.isclass(found):
            continue
        data = ScriptClassData(found, file.path, file.basedir, module)
        if issubclass(found, Script):
            scripts_data.append(data)
        elif issubclass(found, scripts_postprocessing.ScriptPostprocessing):
            postprocessing_scripts_data.append(data)


class ScriptRunner:
    """The scripts of one tab; only those that are always on take part here."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.inputs: list[Any] = [None]

    def initialize_scripts(self, is_img2img: bool) -> None:
        for each in (self.scripts, self.alwayson_scripts, self.selectable_scripts):
            each.clear()
        from modules import scripts_auto_postprocessing as auto

        made: list[Script] = [*auto.create_auto_preprocessing_script_data()]
        for data in scripts_data:
            if data.script_class is not Script:  # a title is missing there
                made.append(data.script_class())
                made[-1].filename = data.path
        for script in made:
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visible = script.show(is_img2img)
            if visible is AlwaysVisible:
                script.alwayson = True
                self.alwayson_scripts.append(script)
            elif visible:
                self.selectable_scripts.append(script)
            if visible:
                self.scripts.append(script)

    def setup_ui(self) -> list[Any]:
        self.inputs = [gr.Dropdown(label="Script", choices=["None"], value="None", type="index")]
        for script in self.alwayson_scripts:
            with gr.Group() as group:
                self._create_script_ui(script)
            script.group = group
        return self.inputs

    def _create_script_ui(self, script: Script) -> None:
        script.args_from = script.args_to = len(self.inputs)
        try:
            controls = script.ui(script.is_img2img)
        except Exception:
            errors.report(f"Error calling: {script.filename}/ui", exc_info=True)
            return
        if controls is None:
            return
        script.name = script.title().lower()
        for control in controls:
            control.custom_script_source = Path(script.filename).name
        self.inputs += controls
        script.args_to = len(self.inputs)

    def call(self, hook: str, p: Any, *said: Any, **named: Any) -> None:
        """Run one hook of every script; one that fails is reported, the others go on."""
        for script in self.alwayson_scripts:
            if not hasattr(script, hook):
                continue
            args = p.script_args[script.args_from or 0 : script.args_to or 0]
            try:
                getattr(script, hook)(p, *said, *args, **named)
            except Exception:
                errors.report(f"Error running {hook}: {script.filename}", exc_info=True)


scripts_txt2img = ScriptRunner()
scripts_img2img = ScriptRunner()
scripts_postproc = scripts_postprocessing.ScriptPostprocessingRunner()
