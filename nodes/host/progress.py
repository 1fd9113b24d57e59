"""Progress, preview and interrupt of one node run."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import comfy.model_management
import comfy.utils
from PIL.Image import Image
from server import PromptServer

PREVIEW_SIDE = 512

Item = TypeVar("Item")


def node_id_of(node: Any) -> str | None:
    """The id, in the graph, of the node class that runs now."""
    hidden = getattr(node, "hidden", None)
    return None if hidden is None else hidden.unique_id


def stops() -> tuple[type[BaseException], ...]:
    """What this host raises where the user pressed stop: never to be swallowed."""
    return (comfy.model_management.InterruptProcessingException,)


def say(text: str, node_id: str | None) -> None:
    """Show a text in the node, without any script of ours."""
    if node_id is not None:
        PromptServer.instance.send_progress_text(text, node_id)


class Progress:
    """Progress of one node run: a bar, a preview, a line of text; stops where the user stops.

    Args:
        total: number of steps.
        node_id: the node's id in the graph, or None.
    """

    def __init__(self, total: int, node_id: str | None) -> None:
        self._bar = comfy.utils.ProgressBar(total, node_id=node_id)
        self._total, self._node_id = total, node_id

    def each(self, items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
        """Go through the items by number; the host's interrupt is raised between them."""
        for number, item in enumerate(items):
            comfy.model_management.throw_exception_if_processing_interrupted()
            yield number, item

    def done(self, count: int, text: str, preview: Image | None = None) -> None:
        """Show that ``count`` steps are done; raises the host's interrupt if the user stopped."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        if text:
            say(text, self._node_id)
        shown = None if preview is None else ("JPEG", preview, PREVIEW_SIDE)
        self._bar.update_absolute(count, self._total, shown)
