"""Extras: one picture, several files, or a folder."""

# What differs between hosts is defined twice: a type checker sees one of them.
# pyright: basic, reportMissingImports=false, reportRedeclaration=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from modules import devices, images, scripts, scripts_postprocessing, shared, thin
from modules.infotext_utils import quote
from modules.shared import opts
from PIL import Image

#: The section of the file's texts that names what was done.
SECTION = "postprocessing" if thin.since(1, 10) else "extras"


#: Neither reads more than the header: a file that is cut short is found out later.
_open = images.read if thin.since(1, 10) else Image.open


def _images(mode: int, image: Any, files: Any, folder: str) -> Iterator[tuple[Any, str | None]]:
    if mode == 1:
        for file in files:
            if isinstance(file, Image.Image):
                yield file, ""
            else:  # gradio 3 keeps the name that the file had in orig_name
                name = getattr(file, "orig_name", file.name)
                yield _open(file.name), str(Path(name).with_suffix(""))
    elif mode == 2:
        assert not shared.cmd_opts.hide_ui_dir_config, "--hide-ui-dir-config must be disabled"
        assert folder, "input directory not selected"
        for filename in shared.listfiles(folder):
            yield filename, filename
    else:
        assert image, "image not selected"
        yield image, None


def run_postprocessing(
    extras_mode: int,
    image: Any,
    image_folder: Any,
    input_dir: str,
    output_dir: str,
    show_extras_results: bool,
    *args: Any,
    save_output: bool = True,
) -> tuple[list[Any], str, str]:
    """Every picture through every script, into a file each."""
    devices.torch_gc()
    shared.state.begin(job="extras")
    into = (
        output_dir
        if extras_mode == 2 and output_dir
        else (opts.outdir_samples or opts.outdir_extras_samples)
    )
    work = list(_images(extras_mode, image, image_folder, input_dir))
    shared.state.job_count = len(work)
    outputs, said = [], ""
    for picture, name in work:
        shared.state.nextjob()
        shared.state.textinfo, shared.state.skipped = name, False
        if shared.state.interrupted or getattr(shared.state, "stopping_generation", False):
            break
        if isinstance(picture, str):
            try:
                picture = _open(picture)
            except Exception:
                continue
        for made, text in _one(picture, name, args, into if save_output else None):
            said = text
            if extras_mode != 2 or show_extras_results:
                outputs.append(made)
    devices.torch_gc()
    shared.state.end()
    return outputs, f"<p>{escape(said)}</p>", ""


def _one(
    picture: Image.Image, name: str | None, args: Any, into: str | None
) -> Iterator[tuple[Image.Image, str]]:
    parameters, existing = images.read_info_from_image(picture)
    if parameters:
        existing["parameters"] = parameters
    keeps_alpha = thin.since(1, 10) and picture.mode in ("RGBA", "RGB")
    first = scripts_postprocessing.PostprocessedImage(
        picture if keeps_alpha else picture.convert("RGB")
    )
    scripts.scripts_postproc.run(first, args)
    if shared.state.skipped:
        return
    used: dict[str, int] = {}
    for pp in (first, *getattr(first, "extra_images", ())):
        suffix = pp.get_suffix(used) if thin.since(1, 7) else ""
        forced = None
        if opts.use_original_name_batch and name is not None:
            forced = Path(name).stem + suffix
        known = {key: value for key, value in pp.info.items() if value is not None}
        said = ", ".join(k if k == v else f"{k}: {quote(v)}" for k, v in known.items())
        if opts.enable_pnginfo:
            pp.image.info = existing
            pp.image.info["postprocessing"] = said
        if into is not None:
            images.save_image(
                pp.image,
                path=into,
                basename="",
                extension=opts.samples_format,
                info=said,
                short_filename=True,
                no_prompt=True,
                pnginfo_section_name=SECTION,
                existing_info=existing,
                forced_filename=forced or None,
                suffix=suffix,
            )
        yield pp.image, said


def run_postprocessing_webui(id_task: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return run_postprocessing(*args, **kwargs)


def run_extras(
    extras_mode: int, image: Any, image_folder: Any, named: dict[str, dict[str, Any]]
) -> tuple[Any, ...]:
    """The API's: only the host's own scripts are named, all others get None everywhere."""
    args = scripts.scripts_postproc.create_args_for_run(named)
    return run_postprocessing(
        extras_mode, image, image_folder, "", "", True, *args, save_output=False
    )
