"""Save Protected Image: every 8-bit value exact, and nothing inside that was not asked for."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.images import check_images

from . import origins, saving
from .convert import split_alpha
from .host.notices import warn
from .host.outputs import input_file, input_pictures, metadata_disabled, save_place
from .host.progress import Progress, node_id_of
from .schema import build, check_choices


class SaveProtectedImage(io.ComfyNode):
    """Node ``FixativeSaveProtectedImage``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeSaveProtectedImage",
            display_name="Save Protected Image (Fixative)",
            category="fixative",
            description="Saves pictures without losing a single 8-bit value, with the EXIF and the "
            "colour profile of the file they were made from, and without the workflow.",
            search_aliases=["save", "export", "save without workflow", "keep EXIF", "ICC"],
            inputs=_inputs(),
            outputs=[
                build(
                    io.String.Output,
                    "path",
                    display_name="path",
                    tooltip="Where each picture was saved, one path a line.",
                )
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(
        cls, format: str | None = None, lossy: bool | None = None, source: str | None = None
    ) -> bool | str:
        """Refuse what cannot be saved before anything runs; None comes from another node."""
        checked = check_choices({"format": format}, {"format": saving.FORMATS})
        if checked is True and None not in (format, lossy):
            checked = saving.lossy_refusal(str(format), bool(lossy)) or True
        if checked is True and source not in (None, *origins.NO_FILE) and not input_file(source):
            return origins.source_refusal(source)
        return checked

    @classmethod
    def execute(
        cls,
        images: Tensor,
        filename_prefix: str,
        format: str,
        lossy: bool,
        quality: int,
        include_workflow: bool,
        source: str = origins.AUTO,
    ) -> Any:
        """Save picture by picture; a stop takes effect between two of them."""
        pictures, alpha = split_alpha(images, name="images")
        check_images(pictures, name="images")
        prompt, node_id = cls.hidden.prompt, node_id_of(cls)
        output = saving.chosen_output(format, lossy=lossy, quality=quality)
        notes = _workflow_notes(cls.hidden) if include_workflow else {}
        sources = origins.Origins.of(source, prompt, node_id, input_file)
        prefix = saving.prepared_prefix(filename_prefix, prompt)
        height, width = pictures.shape[-2:]
        place = save_place(prefix, width=width, height=height)
        saver = saving.Saver(place.folder, place.name, place.counter, output, sources, notes)
        progress, done = Progress(len(pictures), node_id), []
        for i, picture in progress.each(list(pictures)):
            done.append(saver.save(picture, None if alpha is None else alpha[i], number=i))
            progress.done(i + 1, f"{i + 1}/{len(pictures)}: {done[-1].line()}")
        for text in (saving.lossy_warning(done, output), saving.altered_warning(images)):
            warn(text, node_id=node_id)
        return io.NodeOutput("\n".join(str(one.path) for one in done), ui=_shown(done, place))


def _workflow_notes(hidden: Any) -> dict[str, Any]:
    """What SaveImage writes; nothing where the host was told to write no metadata."""
    if metadata_disabled():
        return {}
    workflow = (hidden.extra_pnginfo or {}).get("workflow")
    notes = {"prompt": hidden.prompt, "workflow": workflow}
    return {key: note for key, note in notes.items() if note is not None}


def _shown(done: list[saving.Saved], place: Any) -> dict[str, Any]:
    entries = [
        {"filename": one.path.name, "subfolder": place.subfolder, "type": "output"} for one in done
    ]
    return {"images": entries}


def _inputs() -> list[Any]:
    return [
        build(
            io.Image.Input,
            "images",
            tooltip="Pictures to save, straight from the node that protected them. A fourth "
            "channel (alpha) is saved as transparency.",
        ),
        build(
            io.String.Input,
            "filename_prefix",
            default="Fixative",
            tooltip="Beginning of the file name, as for Save Image: sub-folders with /, "
            "%date:yyyy-MM-dd%, %width%, %Node.widget%. A number follows; nothing is overwritten.",
        ),
        build(
            io.Combo.Input,
            "format",
            options=list(saving.FORMATS),
            default="png",
            tooltip="png and webp keep every value (webp is saved lossless). jpeg does not: it "
            "weakens the protection, and is refused unless lossy is on.",
        ),
        build(
            io.Boolean.Input,
            "lossy",
            default=False,
            tooltip="Allow jpeg although it weakens the protection. How much of the change is "
            "left is then told.",
        ),
        build(
            io.Int.Input,
            "quality",
            default=95,
            min=1,
            max=100,
            step=1,
            tooltip="For jpeg only: 100 loses least. The other formats lose nothing.",
        ),
        build(
            io.Boolean.Input,
            "include_workflow",
            default=False,
            tooltip="Write the workflow into the file, so that it opens when the file is dropped "
            "on the canvas. Off: nobody learns how the picture was made. Not with jpeg.",
        ),
        build(
            io.Combo.Input,
            "source",
            options=[*origins.NO_FILE, *input_pictures()],
            default=origins.AUTO,
            optional=True,
            tooltip="Whose EXIF and colour profile to keep, which loading dropped. auto: of the "
            "loaded file that each picture is a protected copy of. none: keep nothing. Or a file "
            "of the input folder, for all pictures.",
        ),
    ]
