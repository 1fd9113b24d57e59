"""Samples side by side: a row for what the imitator saw, a column for prompt and noise."""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fixative.evaluation.rows import DONE
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.prepared import load_prepared
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.rows import Stage
from fixative.mimicry.workshop import CLEAN, Places
from fixative.pictures.atomic import atomic_file
from fixative.pictures.picture import images_to_pixels

#: Pictures a row at most, their side in pixels, and the width of the labels.
MOST_COLUMNS, TILE, LABEL = 6, 144, 150
_GAP, _LETTERS = 4, 22
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_LABELS = {
    Role.NONE: "no LoRA",
    Role.CLEAN: "LoRA on the clean pictures",
    Role.CONTROL: "control: clean, other seed",
    Role.NOISE: "LoRA on noise of the same budget",
}

#: A label and its pictures.
Strip = tuple[str, list[Image.Image]]


def save_grid(found: MimicryResults, name: str, out: Path, path: Path, *, seed: int = 0) -> bool:
    """Draw a set's grid as a PNG, whole or not at all; False where nothing was drawn yet."""
    strips = sample_strips(found, name, out, seed=seed)
    if not strips:
        return False
    with atomic_file(path, overwrite=True) as partial:
        draw_grid(strips).save(partial, "PNG", optimize=True)
    return True


def sample_strips(
    found: MimicryResults, name: str, out: Path, *, seed: int = 0, stage: Stage = Stage.LORA
) -> list[Strip]:
    """The clean originals, then what each arm's imitator of one seed drew from the same noise."""
    clean = Places(out).pictures(name, CLEAN)
    files = {
        row.arm: out / row.picture
        for row in found.rows
        if row.key[:2] == (stage.value, name) and (row.seed, row.status) == (seed, DONE)
    }
    there = [arm for arm in found.arms if arm.name in files and files[arm.name].is_file()]
    if not there or not clean.is_file():
        return []
    originals = load_prepared(clean).images[:MOST_COLUMNS]
    first = [Image.fromarray(images_to_pixels(image)) for image in originals.split(1)]
    return [("originals", first), *((_label(arm), _pieces(files[arm.name])) for arm in there)]


def draw_grid(strips: list[Strip], *, tile: int = TILE) -> Image.Image:
    """An RGB picture of labelled rows of square pictures, each brought to ``tile`` pixels."""
    columns = min(MOST_COLUMNS, max(len(pictures) for _, pictures in strips))
    size = (LABEL + columns * (tile + _GAP) + _GAP, len(strips) * (tile + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    drawing, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for row, (label, pictures) in enumerate(strips):
        top = _GAP + row * (tile + _GAP)
        lines = "\n".join(textwrap.wrap(label, _LETTERS))
        drawing.multiline_text((_GAP, top + _GAP), lines, fill=_INK, font=font)
        for column, picture in enumerate(pictures[:columns]):
            small = picture.convert("RGB").resize((tile, tile), Image.Resampling.LANCZOS)
            sheet.paste(small, (LABEL + column * (tile + _GAP), top))
    return sheet


def _label(arm: Arm) -> str:
    """In letters that Pillow's own font has."""
    return _LABELS.get(arm.role, arm.name.replace(" → ", " then "))


def _pieces(path: Path) -> list[Image.Image]:
    """The squares of a strip that ``save_strip`` wrote."""
    with Image.open(path) as strip:
        side = strip.height
        count = min(MOST_COLUMNS, strip.width // side)
        return [strip.crop((n * side, 0, (n + 1) * side, side)) for n in range(count)]
