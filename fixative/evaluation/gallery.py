"""The report's gallery: original, protected, the difference amplified, and after the worst case."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fixative.errors import ImageError
from fixative.evaluation.files import Files, original_file
from fixative.evaluation.plots import strongest
from fixative.evaluation.protocol import NONE
from fixative.evaluation.results import ProtectionResult, Results
from fixative.evaluation.rows import DONE, Row
from fixative.evaluation.subjects import window_of
from fixative.pictures.reading import read_picture
from fixative.pictures.sheet import AMPLIFIED, difference

#: Pictures in the report are no larger; the files are beside it in full.
MOST_SIDE = 320


@dataclass(frozen=True)
class Panel:
    """One picture with its caption; ``source`` is a data URL."""

    source: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Strip:
    """One protection of one picture."""

    title: str
    panels: list[Panel]


@dataclass(frozen=True)
class Exhibit:
    """One picture with all its strips, the worst first."""

    name: str
    strips: list[Strip]


def gallery(found: Results, out: Path) -> Iterator[Exhibit]:
    """The exhibits of the pictures that were kept."""
    rows = {row.key: row for row in found.rows if row.status == DONE and row.file is not None}
    kept = {
        row.picture for row in rows.values() if NONE not in (row.protection, row.countermeasure)
    }
    for source in found.pictures:
        if source.name in kept:
            strips = list(_strips(found, out, rows, source.name))
            if strips:
                yield Exhibit(source.name, [strip for _, strip in sorted(strips, key=_by_pull)])


def _strips(
    found: Results, out: Path, rows: dict[tuple[str, str, float, str], Row], picture: str
) -> Iterator[tuple[float, Strip]]:
    for result in strongest(found):
        alone = rows.get((picture, result.protection, result.strength, NONE))
        if alone is None:
            continue
        own = [row for key, row in rows.items() if key[:3] == alone.key[:3] and key[3] != NONE]
        codec = found.codecs[0]
        worst = min(own, key=lambda row: _pull(row, codec), default=None)
        try:
            panels = _panels(found, Files(out), alone, worst)
        except ImageError:
            continue  # files that somebody removed leave the numbers as they are
        least = _pull(worst or alone, codec)
        yield least, Strip(_title(result, alone, codec), panels)


def _panels(found: Results, files: Files, alone: Row, worst: Row | None) -> list[Panel]:
    original = _load(files, original_file(alone.picture))
    protected = _load(files, alone.file or "")
    window = found.protocol["window"]
    original, protected = _cut(original, window), _cut(protected, window)
    panels = [
        _panel(original, "original"),
        _panel(protected, "protected"),
        _panel(difference(original, protected), f"difference ×{AMPLIFIED}"),
    ]
    if worst is None:
        return panels
    purified = _cut(_load(files, worst.file or ""), window)
    around = _cut(original, purified.width) if purified.width < original.width else original
    left = f"{worst.countermeasure}: pull {_told(_pull(worst, found.codecs[0]))}"
    panels.append(_panel(purified, f"after {left}"))
    if around.size == purified.size:
        panels.append(
            _panel(difference(around, purified), f"difference to the original ×{AMPLIFIED}")
        )
    return panels


def _title(result: ProtectionResult, alone: Row, codec: str) -> str:
    return f"{result.protection} at {result.strength:g}: pull {_told(_pull(alone, codec))}"


def _pull(row: Row, codec: str) -> float:
    found = row.latent.get(codec)
    return float("inf") if found is None or found.pull is None else found.pull


def _told(pull: float) -> str:
    return "–" if pull == float("inf") else f"{pull:.2f}".replace("-", "−")


def _by_pull(strip: tuple[float, Strip]) -> float:
    return strip[0]


def _load(files: Files, name: str) -> Image.Image:
    return Image.fromarray(read_picture(files.out / name).pixels)


def _cut(image: Image.Image, side: int | None) -> Image.Image:
    rows, columns = window_of(image.height, image.width, side)
    return image.crop((columns.start, rows.start, columns.stop, rows.stop))


def _panel(image: Image.Image, caption: str) -> Panel:
    longest = max(image.size)
    if longest > MOST_SIDE:
        size = tuple(max(1, round(side * MOST_SIDE / longest)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90)
    return Panel(data_url(buffer.getvalue(), "image/webp"), caption, *image.size)


def data_url(content: bytes, kind: str) -> str:
    """Bytes as a page holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
