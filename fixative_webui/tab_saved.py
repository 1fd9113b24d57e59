"""One picture that was made: saved, shown beside what it was made from, and reported on."""

from __future__ import annotations

import json
from pathlib import Path

from fixative.pictures import OUTPUT_FORMATS, Picture, write_picture
from fixative_webui import host
from fixative_webui import tab_html as html
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import free_names, shown_copy
from fixative_webui.tab_view import compare_view
from fixative_webui.work import Done

PNG = OUTPUT_FORMATS["png"]


def saved(before: Picture, done: Done, *, ending: str) -> Answer:
    """Save without loss among the host's outputs, with the original's metadata.

    Args:
        before: the picture as it was read.
        done: what was made of it.
        ending: of the new file's name.

    Raises:
        OSError: it cannot be written.
    """
    [path] = free_names([before.path], host.allowed_output_dir(), ending=ending)
    written = write_picture(before, done.pixels, path, output=PNG)
    after = Picture(path, written.pixels, before.alpha, before.metadata)
    icc = before.metadata.icc
    view = compare_view(
        shown_copy(before.image(), "before.png", icc=icc),
        shown_copy(after.image(), "after.png", icc=icc),
        size=before.size,
        name=before.path.name,
    )
    return Answer(_told(done, path, [*done.notices, *written.notes]), view, [path])


def _told(done: Done, path: Path, notes: list[str]) -> str:
    first, *others = done.report.splitlines()
    return html.report(
        html.heading(first),
        *(html.paragraph(line) for line in others),
        html.bullets(notes),
        html.paragraph(f"Saved without loss as {path}"),
        html.details("Every number, as JSON", json.dumps(done.info, indent=1)),
    )
