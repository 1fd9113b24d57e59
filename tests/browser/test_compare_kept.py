"""What Compare keeps: in saved workflows, in subgraphs, and nothing once it is removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.building import build
from tests.browser.comparing import (
    COMPARE,
    GRAPH,
    RED,
    RED_AFTER,
    click,
    close,
    colours,
    show,
    value,
)
from tests.browser.ui import Ui

pytestmark = [pytest.mark.host, pytest.mark.browser]


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
