"""What the tests of Compare share: a graph, and what is seen of it."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.tables import Example, Node
from tests.browser.ui import Ui

Colour = tuple[int, int, int]
RED, BLUE, RED_AFTER = (200, 40, 40), (40, 40, 200), (204, 40, 40)
COMPARE = "FixativeCompare"
SIZE = {"width": 96, "height": 96}


def plain(colour: Colour, place: tuple[int, int], count: int = 1) -> Node:
    number = (colour[0] << 16) + (colour[1] << 8) + colour[2]
    return Node("EmptyImage", place, None, {**SIZE, "batch_size": count, "color": number})


#: Two pictures: red and blue before, both a little redder than red after.
GRAPH = Example(
    {
        "red": plain(RED, (0, 0)),
        "blue": plain(BLUE, (0, 220)),
        "both": Node("ImageBatch", (320, 0)),
        "after": plain(RED_AFTER, (0, 440), count=2),
        "mask": Node("SolidMask", (0, 660), None, {"value": 0.3, **SIZE}),
        "compare": Node(COMPARE, (600, 0)),
    },
    (
        "red.IMAGE > both.image1",
        "blue.IMAGE > both.image2",
        "both.IMAGE > compare.before",
        "after.IMAGE > compare.after",
        "mask.MASK > compare.map",
    ),
    note="",
)


def show(ui: Ui) -> None:
    """Bring the widget with its pictures into view."""
    ui.show(COMPARE, scale=1.0)
    expect(ui.compare().locator(".fixative-stage:not(.fixative-empty)")).to_be_visible()


def stage(ui: Ui) -> Locator:
    return ui.compare().locator(".fixative-stage")


def colours(ui: Ui, *places: float) -> list[Colour]:
    """The colours shown at parts of the box's width, a little above its lower edge."""
    ui.settle(100)
    shown = Image.open(io.BytesIO(stage(ui).screenshot())).convert("RGB")
    points = [(int(shown.width * x), int(shown.height * 0.8)) for x in places]
    return [shown.getpixel(point) for point in points]  # type: ignore[misc]


def close(found: Colour, expected: Colour) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(found, expected, strict=True))


def click(ui: Ui, name: str) -> None:
    ui.compare().get_by_role("button", name=name).click()


def value(ui: Ui) -> Any:
    return ui.widget(COMPARE, "comparison")


def node_box(ui: Ui) -> list[float]:
    code = """(type) => {
      const node = window.app.canvas.graph.nodes.find((one) => one.type === type);
      const stage = document.querySelector(".fixative-stage").getBoundingClientRect();
      return [...node.pos, ...node.size, stage.width, stage.height];
    }"""
    return [round(number) for number in ui.page.evaluate(code, COMPARE)]
