"""Graphs as tables: nodes with their places, wires, and the note beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """A node of an example.

    Attributes:
        type: its id.
        place: x and y on the canvas.
        size: width and height; None = as the front end makes it.
        widgets: values by widget name that differ from the defaults.
    """

    type: str
    place: tuple[int, int]
    size: tuple[int, int] | None = None
    widgets: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Example:
    """A workflow.

    Attributes:
        nodes: by a name of our own.
        wires: ``"node.output > node.input"``.
        note: Markdown for the node called note.
        helped: whose help page shows which nodes of this workflow, by node id.
    """

    nodes: dict[str, Node]
    wires: tuple[str, ...]
    note: str
    helped: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])


PICTURE = "example.png"  # every ComfyUI comes with it
COLUMN = 340


def sources() -> dict[str, Node]:
    return {
        "load": Node("LoadImage", (0, 0), (300, 330), {"image": PICTURE}),
        "vae": Node("VAELoader", (0, 440), (300, 60), {"vae_name": "taesd"}),
    }


def compared(**view: Any) -> dict[str, Any]:
    """How a Compare node looks at its pictures, as its widget keeps it."""
    return {"comparison": {"pairs": [], "view": view}}


def note(height: int = 220) -> dict[str, Node]:
    return {"note": Node("MarkdownNote", (0, 560), (300, height))}
