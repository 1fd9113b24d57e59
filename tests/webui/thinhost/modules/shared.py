"""The names that every part of the host shares."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gradio as gr
from modules.options import OptionInfo, Options, options_section
from modules.paths_internal import data_path
from modules.shared_cmd_options import cmd_opts
from modules.shared_state import State

log = logging.getLogger(__name__)
__all__ = ["OptionInfo", "options_section"]

state = State()
demo: Any = None
device: Any = None
tab_names: list[str] = []
settings_components: Any = None
parallel_processing_allowed = True
hide_dirs = {"visible": not cmd_opts.hide_ui_dir_config}
config_filename = str(Path(data_path, "config.json"))
restricted_opts = {"outdir_samples", "outdir_extras_samples", "outdir_save", "temp_dir"}


_SAVING = {
    "samples_save": OptionInfo(True, "Always save all generated images"),
    "samples_format": OptionInfo("png", "File format for images"),
    "grid_save": OptionInfo(True, "Always save all generated image grids"),
    "grid_format": OptionInfo("png", "File format for grids"),
    "return_grid": OptionInfo(True, "Show grid in results for web"),
    "grid_only_if_multiple": OptionInfo(True, "Do not save grids consisting of one picture"),
    "enable_pnginfo": OptionInfo(True, "Write infotext to metadata of the generated image"),
    "jpeg_quality": OptionInfo(80, "Quality for saved jpeg and avif images"),
    "webp_lossless": OptionInfo(False, "Use lossless compression for webp images"),
    "export_for_4chan": OptionInfo(True, "Save copy of large images as JPG"),
    "img_downscale_threshold": OptionInfo(4.0, "File size limit for the above option", gr.Number),
    "target_side_length": OptionInfo(4000, "Width/height limit for the above", gr.Number),
    "use_original_name_batch": OptionInfo(True, "Use original name for output filename"),
    "save_to_dirs": OptionInfo(True, "Save images to a subdirectory"),
    "grid_save_to_dirs": OptionInfo(True, "Save grids to a subdirectory"),
    "save_images_add_number": OptionInfo(True, "Add number to filename when saving"),
    "temp_dir": OptionInfo("", "Directory for temporary images; leave empty for default"),
    "clean_temp_dir_at_start": OptionInfo(False, "Cleanup non-default temporary directory"),
}
#: Below the data folder, and relative to it, as the hosts have them.
_PLACES = {
    "outdir_samples": OptionInfo("", "Output directory for images"),
    "outdir_txt2img_samples": OptionInfo("outputs/txt2img-images", "For txt2img images"),
    "outdir_img2img_samples": OptionInfo("outputs/img2img-images", "For img2img images"),
    "outdir_extras_samples": OptionInfo("outputs/extras-images", "For images from extras tab"),
    "outdir_grids": OptionInfo("", "Output directory for grids"),
    "outdir_txt2img_grids": OptionInfo("outputs/txt2img-grids", "For txt2img grids"),
    "outdir_save": OptionInfo("log/images", "For the Save button"),
}
_OTHERS = {
    "postprocessing_enable_in_main_ui": OptionInfo([], "Enable in txt2img and img2img tabs"),
    "postprocessing_operation_order": OptionInfo([], "Postprocessing operation order"),
    "live_previews_enable": OptionInfo(True, "Show live previews of the created image"),
    "show_progressbar": OptionInfo(True, "Show progressbar"),
    "live_preview_refresh_period": OptionInfo(200, "Progressbar and preview update, ms"),
    "memmon_poll_rate": OptionInfo(0, "VRAM usage polls per second"),
    "sd_model_checkpoint": OptionInfo(None, "Stable Diffusion checkpoint"),
    "sd_vae": OptionInfo("Automatic", "SD VAE"),
}
options_templates = {
    **options_section(("saving-images", "Saving images/grids"), _SAVING),
    **options_section(("saving-paths", "Paths for saving"), _PLACES),
    **options_section((None, "Others"), _OTHERS),
}
opts = Options(options_templates, restricted_opts)
if Path(config_filename).is_file():
    opts.load(config_filename)


def listfiles(dirname: str) -> list[str]:
    """The files of a folder, by name."""
    paths = sorted(Path(dirname).iterdir())
    return [str(path) for path in paths if not path.name.startswith(".") and path.is_file()]


def html(filename: str) -> str:
    """The thin host has no pieces of pages."""
    return ""


class _Shared(ModuleType):
    """``shared.sd_model`` asks for the model anew each time, which may load one."""

    @property
    def sd_model(self) -> Any:
        from modules import sd_models

        return sd_models.model_data.get_sd_model()

    @sd_model.setter
    def sd_model(self, value: Any) -> None:
        from modules import sd_models

        sd_models.model_data.set_sd_model(value)


sys.modules[__name__].__class__ = _Shared
