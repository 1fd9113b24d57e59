"""Compare: before and after behind a slider, their difference, and the strength map over them."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from .host.progress import Progress, node_id_of
from .host.temp import save_temp
from .pairs import check_map, check_pair, map_to_pil, pixels_to_pil
from .schema import build


class Compare(io.ComfyNode):
    """Node ``FixativeCompare``; what it shows is drawn by ``js/fixative``."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeCompare",
            display_name="Compare (Fixative)",
            category="fixative",
            description="Shows before and after behind a slider you drag, their difference "
            "amplified, and the strength map laid over them. Saves nothing.",
            search_aliases=["before after", "slider", "difference", "compare images"],
            inputs=_inputs(),
            outputs=[],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        before: Tensor,
        after: Tensor,
        map: Tensor | None = None,
    ) -> Any:
        """Write the pictures where the front end finds them."""
        check_pair(before, after)
        maps = None if map is None else check_map(map, len(before))
        progress = Progress(len(before), node_id_of(cls))
        pairs: list[dict[str, Any]] = []
        for i, picture in progress.each(list(before)):
            pairs.append(_pair(picture, after[i], None if maps is None else maps[i]))
            progress.done(i + 1, "")
        return io.NodeOutput(ui={"fixative_pairs": pairs})


def _pair(before: Tensor, after: Tensor, strength_map: Tensor | None) -> dict[str, Any]:
    """One entry for the front end: the files' references, and the size in pixels."""
    height, width = before.shape[:2]
    return {
        "width": width,
        "height": height,
        "before": save_temp(pixels_to_pil(before), "before"),
        "after": save_temp(pixels_to_pil(after), "after"),
        "map": None if strength_map is None else save_temp(map_to_pil(strength_map), "map"),
    }


def _inputs() -> list[Any]:
    return [
        build(io.Image.Input, "before", tooltip="The pictures as they were."),
        build(
            io.Image.Input,
            "after",
            tooltip="The same pictures afterwards: as many, of the same size.",
        ),
        build(
            io.Mask.Input,
            "map",
            optional=True,
            tooltip="The strength map, to lay over the pictures: from Protect Image or Adaptive "
            "Strength. Any mask will do; one for all pictures, or one each.",
        ),
    ]
