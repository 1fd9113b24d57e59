"""Compare as a person uses it, in both renderers of the front end."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.building import build
from tests.browser.examples import Example, Node
from tests.browser.ui import Ui

pytestmark = [pytest.mark.host, pytest.mark.browser]

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


@pytest.fixture
def compare(ui: Ui) -> Locator:
    """The widget after a run, in view."""
    build(ui, GRAPH)
    ui.run()
    show(ui)
    return ui.compare()


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


def test_before_and_after_meet_at_the_divider(ui: Ui, compare: Locator) -> None:
    assert all(map(close, colours(ui, 0.2, 0.8), (RED, RED_AFTER)))
    box = stage(ui).bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    ui.page.mouse.move(box["x"] + box["width"] / 2, y)
    ui.page.mouse.down()
    ui.page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=4)
    ui.page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    ui.page.mouse.up()
    assert value(ui)["view"]["position"] == pytest.approx(75, abs=1)
    assert all(map(close, colours(ui, 0.2, 0.7, 0.85), (RED, RED, RED_AFTER)))


def test_keys_move_the_divider_and_not_the_node(ui: Ui, compare: Locator) -> None:
    before = node_box(ui)
    slider = compare.get_by_role("slider", name="Divider")
    slider.focus()
    for key in ("ArrowLeft", "ArrowLeft", "PageDown"):
        ui.page.keyboard.press(key)
    expect(slider).to_have_attribute("aria-valuenow", "36")
    outline = slider.locator(".fixative-grip").evaluate("(e) => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
    ui.page.keyboard.press("End")
    assert close(colours(ui, 0.9)[0], RED)
    ui.page.keyboard.press("Home")
    assert close(colours(ui, 0.1)[0], RED_AFTER)
    assert node_box(ui) == before


def test_every_control_is_reached_with_tab(ui: Ui, compare: Locator) -> None:
    click(ui, "What changed")
    compare.get_by_role("button", name="Before and after").focus()
    reached: list[str] = []
    for _ in range(5):
        ui.page.keyboard.press("Tab")
        reached.append(ui.page.evaluate("() => document.activeElement.ariaLabel"))
    assert [name.split()[0] for name in reached] == [
        "What",
        "Lay",
        "Size:",
        "Amplification",
        "Next",
    ]


def test_the_difference_is_amplified(ui: Ui, compare: Locator) -> None:
    click(ui, "What changed")
    assert close(colours(ui, 0.5)[0], (168, 128, 128))  # 127.5 + 10 · 4
    amplification = compare.get_by_role("slider", name="Amplification")
    amplification.focus()
    ui.page.keyboard.press("ArrowRight")
    assert value(ui)["view"]["amplification"] == 11
    ui.page.keyboard.press("End")
    assert close(colours(ui, 0.5)[0], (255, 128, 128))
    ui.page.keyboard.press("Home")
    assert close(colours(ui, 0.5)[0], (132, 128, 128))


def test_the_map_lies_over_the_pictures(ui: Ui, compare: Locator) -> None:
    [plain_red] = colours(ui, 0.2)
    click(ui, "Lay the strength map")
    [covered] = colours(ui, 0.2)
    assert covered[2] > plain_red[2] + 30  # weak is blue
    click(ui, "Lay the strength map")
    assert close(colours(ui, 0.2)[0], plain_red)


def test_each_picture_of_a_batch_is_there(ui: Ui, compare: Locator) -> None:
    expect(compare).to_contain_text("1 / 2")
    click(ui, "Next picture")
    expect(compare).to_contain_text("2 / 2")
    expect(compare.get_by_role("button", name="Next picture")).to_be_disabled()
    assert all(map(close, colours(ui, 0.2, 0.8), (BLUE, RED_AFTER)))


def test_zoomed_pictures_are_moved_by_dragging(ui: Ui, compare: Locator) -> None:
    click(ui, "Size")
    image = compare.locator('[data-layer="before"] img')
    small = image.bounding_box()
    assert small is not None
    assert small["width"] == pytest.approx(96, abs=1)
    ui.page.mouse.move(small["x"] + 10, small["y"] + 10)
    ui.page.mouse.down()
    ui.page.mouse.move(small["x"] + 40, small["y"] + 30, steps=3)
    ui.page.mouse.up()
    moved = image.bounding_box()
    assert moved is not None
    assert (moved["x"] - small["x"], moved["y"] - small["y"]) == pytest.approx((30, 20), abs=2)


def test_nothing_jumps_when_the_pictures_arrive(ui: Ui) -> None:
    build(ui, GRAPH)
    ui.show(COMPARE, scale=1.0)
    expect(ui.compare()).to_contain_text("Run the graph")
    before = node_box(ui)
    ui.run()
    ui.settle(1000)
    assert node_box(ui) == before
    for name in ("What changed", "Lay the strength map", "Next picture"):
        click(ui, name)
        assert node_box(ui) == before


def test_it_grows_with_its_node(ui: Ui, compare: Locator) -> None:
    small = node_box(ui)
    box = ui.show(COMPARE, scale=0.8)
    x, y = box["x"] + box["width"] - 13, box["y"] + box["height"] - 13
    ui.page.mouse.move(x, y)
    ui.page.mouse.down()
    ui.page.mouse.move(x + 40, y + 40, steps=4)
    ui.page.mouse.move(x + 80, y + 64, steps=4)
    ui.page.mouse.up()
    ui.show(COMPARE, scale=1.0)
    large = node_box(ui)
    assert large[4] - small[4] == pytest.approx(100, abs=6)
    assert large[5] - small[5] == pytest.approx(80, abs=6)


def test_a_saved_workflow_shows_the_same_again(ui: Ui, compare: Locator) -> None:
    click(ui, "What changed")
    click(ui, "Next picture")
    seen, [colour] = value(ui), colours(ui, 0.5)
    workflow = ui.serialized()
    ui.open()
    ui.load(workflow)
    show(ui)
    assert value(ui) == seen
    assert close(colours(ui, 0.5)[0], colour)

    [kept] = [node for node in workflow["nodes"] if node["type"] == COMPARE]
    for pair in kept["widgets_values"][0]["pairs"]:  # as after the server was started again
        pair["before"]["filename"] = "gone.png"
    ui.load(workflow)
    ui.show(COMPARE, scale=1.0)
    expect(ui.compare()).to_contain_text("Run again to see them")
    assert value(ui)["view"] == seen["view"]


def test_looking_never_runs_the_node_again(ui: Ui, compare: Locator) -> None:
    """What is looked at is no input: a run after it finds everything done."""
    pairs = value(ui)["pairs"]
    click(ui, "What changed")
    ui.run()
    assert value(ui)["pairs"] == pairs


def test_inside_a_subgraph(ui: Ui) -> None:
    build(ui, GRAPH)
    ui.page.evaluate(
        """() => {
          const { graph, canvas } = window.app;
          const inside = graph.nodes.filter((one) => /Compare|ImageBatch/.test(one.type));
          const { subgraph, node } = graph.convertToSubgraph(new Set(inside));
          canvas.openSubgraph(subgraph, node);
        }"""
    )
    ui.settle(600)
    ui.run()
    show(ui)
    assert all(map(close, colours(ui, 0.2, 0.8), (RED, RED_AFTER)))
    slider = ui.compare().get_by_role("slider", name="Divider")
    slider.focus()
    ui.page.keyboard.press("End")
    assert close(colours(ui, 0.9)[0], RED)
    inner = ui.serialized()["definitions"]["subgraphs"][0]["nodes"]
    [kept] = [node for node in inner if node["type"] == COMPARE]
    assert kept["widgets_values"][0]["view"]["position"] == 100
    assert len(kept["widgets_values"][0]["pairs"]) == 2
    ui.open()  # out of the subgraph, for the next test


def test_a_removed_node_lets_go_of_its_pictures(ui: Ui, compare: Locator) -> None:
    element = compare.element_handle()
    pictures: Callable[[], Any] = lambda: element.evaluate(  # noqa: E731
        "(e) => [...e.querySelectorAll('img')].map((one) => one.getAttribute('src'))"
    )
    assert all(pictures())
    code = """(type) => {
      const { graph } = window.app;
      graph.remove(graph.nodes.find((one) => one.type === type));
    }"""
    ui.page.evaluate(code, COMPARE)
    ui.settle()
    assert pictures() == [None, None]
    expect(ui.page.locator(".fixative-compare:visible")).to_have_count(0)
