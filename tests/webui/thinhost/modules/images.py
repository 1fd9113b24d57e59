"""Reading and writing pictures."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from modules import script_callbacks, shared
from modules.shared import opts
from PIL import Image, ImageOps, PngImagePlugin

#: Of a picture's info, what is no text about it.
NOT_TEXT = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background"),
    *("timestamp", "duration", "progressive", "progression", "icc_profile", "chromaticity"),
    *("photoshop", "adobe", "adobe_transform", "transparency", "gamma", "interlace", "aspect"),
    *("srgb", "xmp"),
}


def read(fp: Any) -> Image.Image:
    """Since 1.10: a file's picture, upright; what cannot be turned is left as it is."""
    image = Image.open(fp)
    try:
        return ImageOps.exif_transpose(image) or image
    except Exception:
        return image


def read_info_from_image(image: Image.Image) -> tuple[str | None, dict[str, Any]]:
    """The infotext, and the other texts; EXIF and the colour profile are left behind."""
    items: dict[str, Any] = {str(k): v for k, v in (image.info or {}).items() if k not in NOT_TEXT}
    return items.pop("parameters", None), items


def image_grid(imgs: list[Image.Image], batch_size: int = 1) -> Image.Image:
    """All beside each other."""
    width, height = imgs[0].size
    grid = Image.new("RGB", (width * len(imgs), height))
    for index, image in enumerate(imgs):
        grid.paste(image, (index * width, 0))
    return grid


def save_image_with_geninfo(
    image: Image.Image, filename: str, extension: str, pnginfo: dict[str, Any]
) -> None:
    """Write the file; a lossy format loses what the host's own would."""
    kind = Image.registered_extensions()[extension.lower()]
    if extension.lower() == ".png":
        texts = PngImagePlugin.PngInfo()
        for key, value in pnginfo.items():
            texts.add_text(key, str(value))
        image.save(filename, format=kind, pnginfo=texts if opts.enable_pnginfo else None)
        return
    picture = image.convert("RGB") if image.mode == "RGBA" else image
    picture.save(filename, format=kind, quality=opts.jpeg_quality, lossless=opts.webp_lossless)


def save_image(
    image: Image.Image,
    path: str,
    basename: str,
    seed: Any = None,
    prompt: Any = None,
    extension: str = "png",
    info: str | None = None,
    short_filename: bool = False,
    no_prompt: bool = False,
    grid: bool = False,
    pnginfo_section_name: str = "parameters",
    p: Any = None,
    existing_info: dict[str, Any] | None = None,
    forced_filename: str | None = None,
    suffix: str = "",
    save_to_dirs: bool | None = None,
) -> tuple[str, None]:
    """Ask the extensions, write the picture, tell them.

    Returns:
        Where it is, and no text file.
    """
    if save_to_dirs is None:
        save_to_dirs = opts.grid_save_to_dirs if grid else opts.save_to_dirs and not no_prompt
    if save_to_dirs:
        path = str(Path(path, datetime.date.today().isoformat()))
    Path(path).mkdir(parents=True, exist_ok=True)
    name = forced_filename or _next_name(path, basename, "" if short_filename else seed, suffix)
    pnginfo = existing_info or {}
    if info is not None:
        pnginfo[pnginfo_section_name] = info
    filename = str(Path(path, f"{name}.{extension}"))
    params = script_callbacks.ImageSaveParams(image, p, filename, pnginfo)
    script_callbacks.before_image_saved_callback(params)
    image, file = params.image, Path(params.filename)
    save_image_with_geninfo(image, str(file), file.suffix, params.pnginfo)
    image.already_saved_as = params.filename  # type: ignore[attr-defined]
    _copy_for_4chan(image, str(file.with_suffix("")), params)
    script_callbacks.image_saved_callback(params)
    return params.filename, None


def _next_name(path: str, basename: str, seed: Any, suffix: str) -> str:
    taken = (
        {file.stem.split("-")[0] for file in Path(path).iterdir()}
        if not basename
        else {"-".join(file.stem.split("-")[:2]) for file in Path(path).iterdir()}
    )
    numbers = (f"{basename}-{n:04}" if basename else f"{n:05}" for n in range(100_000))
    number = next(number for number in numbers if number not in taken)
    return number + (f"-{seed}" if seed not in (None, "") else "") + suffix


def _copy_for_4chan(image: Image.Image, stem: str, params: Any) -> None:
    """A second, lossy file of a big picture: on by default in every version of the host."""
    limit = shared.opts.img_downscale_threshold * 1024 * 1024
    oversize = max(image.size) > opts.target_side_length
    if opts.export_for_4chan and (oversize or Path(params.filename).stat().st_size > limit):
        copy = image.convert("RGB")
        if oversize:
            copy.thumbnail((int(opts.target_side_length), int(opts.target_side_length)))
        save_image_with_geninfo(copy, f"{stem}.jpg", ".jpg", params.pnginfo)
