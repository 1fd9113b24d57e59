"""After generation: protects the pictures that txt2img and img2img save, where the settings say so.

Two hooks work together. Right before a host writes a file, its picture is exchanged: nothing of
the host's comes after that (colours are corrected and inpainted parts pasted in after its other
hooks). When the generation is over, the pictures that it shows are exchanged for the saved ones.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from fixative_webui import settings
from fixative_webui.extras import DONE, lossy_warnings, protect_in_job, refusal
from fixative_webui.settings import Options

#: Where a host keeps the text of a picture, and what its other files are called.
TEXT, GRID, MASK = "parameters", "grid-", "-mask"
#: How our note of a protected picture begins.
PROTECTED = f'{DONE}: "strength '
#: What we leave on a host's processing object.
KEPT = "fixative_kept"

log = logging.getLogger(__name__)


@dataclass
class Kept:
    """What was exchanged during one generation.

    Attributes:
        pictures: the host's picture, ours, and our text of it.
        said: what the person must know, each once.
    """

    pictures: list[tuple[Image.Image, Image.Image, str]] = field(
        default_factory=list[tuple[Image.Image, Image.Image, str]]
    )
    said: list[str] = field(default_factory=list[str])

    def say(self, text: str) -> None:
        """Remember a sentence."""
        if text not in self.said:
            self.said.append(text)


def before_image_saved(params: Any) -> None:
    """Exchange a picture that is about to be saved; registered with ``on_before_image_saved``.

    Args:
        params: the host's ImageSaveParams.
    """
    if not _is_result(params) or not settings.after_generation():
        return
    kept = _kept(params.p)
    before: Image.Image = params.image
    try:
        done = protect_in_job(before, Options.from_settings())
    except Exception as error:  # the picture must be saved whatever happens
        note = refusal(error)
        kept.say(note)
        params.pnginfo[TEXT] = with_note(params.pnginfo.get(TEXT), note)
        return
    text = with_note(params.pnginfo.get(TEXT), done.parameters)
    params.pnginfo[TEXT] = text
    params.image = done.image
    kept.pictures.append((before, done.image, text))
    for told in (*done.notices, *lossy_warnings(done.image)):
        kept.say(told)


def exchange(p: Any, processed: Any) -> None:
    """Show what was saved; the hook ``postprocess`` of an always-on script.

    Args:
        p: the host's processing object.
        processed: its Processed.
    """
    kept: Kept | None = getattr(p, KEPT, None)
    if kept is None:
        return
    for before, after, text in kept.pictures:
        for index, shown in enumerate(processed.images):
            if shown is before:
                processed.images[index] = after
                if TEXT in before.info:  # which the host writes there after it has saved
                    after.info[TEXT] = text
                if index < len(processed.infotexts):
                    processed.infotexts[index] = text
    if kept.said:
        comments = getattr(processed, "comments", "") or ""
        processed.comments = "\n".join([*filter(None, [comments]), *_prefixed(kept.said)])
    delattr(p, KEPT)  # a script that generates again with this object begins anew


def with_note(text: str | None, note: str) -> str:
    """An infotext with ours in its last line, which holds the settings.

    A value that the host would take apart is quoted as the host quotes it.
    """
    value = json.dumps(note, ensure_ascii=False) if any(mark in note for mark in ",:\n") else note
    return f"{text}, {DONE}: {value}" if text else f"{DONE}: {value}"


def _is_result(params: Any) -> bool:
    """Whether a picture is one that txt2img or img2img made: no grid, no mask, not ours yet.

    What Extras, the Save button and other tools save comes without such a ``p``.
    """
    folder = getattr(params.p, "outpath_samples", None)
    settings_line = str(params.pnginfo.get(TEXT) or "").rpartition("\n")[2]
    if not folder or PROTECTED in settings_line:  # our entry of Extras may run in txt2img, too
        return False
    samples, path = Path(folder).resolve(), Path(params.filename).resolve()
    grids = Path(getattr(params.p, "outpath_grids", None) or folder).resolve()
    if grids != samples and path.is_relative_to(grids):
        return False
    named_so = path.stem.startswith(GRID) or path.stem.endswith(MASK)
    return path.is_relative_to(samples) and not named_so


def _kept(p: Any) -> Kept:
    found = getattr(p, KEPT, None)
    if found is None:
        found = Kept()
        setattr(p, KEPT, found)
    return found


def _prefixed(said: list[str]) -> list[str]:
    return [f"Fixative: {text}" for text in said]
