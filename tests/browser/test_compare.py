"""Compare as a person uses it, in both renderers of the front end."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.building import build
from tests.browser.comparing import (
    BLUE,
    COMPARE,
    GRAPH,
    RED,
    RED_AFTER,
    click,
    close,
    colours,
    node_box,
    stage,
    value,
)
from tests.browser.ui import Ui

pytestmark = [pytest.mark.host, pytest.mark.browser]


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
