"""Settings, toasts and help pages in the real front end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.building import build
from tests.browser.examples import ONE_IMAGE
from tests.browser.tables import Example, Node
from tests.browser.ui import Ui
from tests.host.build import CHECKOUT

pytestmark = [pytest.mark.host, pytest.mark.browser]

PROTECT = "FixativeProtectImage"
DOCS = CHECKOUT / "js" / "docs"
NODES = sorted(path.stem for path in DOCS.glob("*.md"))
LARGEST_PICTURE = 150 * 1024
#: A new node alone on the canvas, selected, where its toolbox is in view.
SELECT_NEW = """(type) => {
  const { app, LiteGraph } = window;
  app.graph.clear();
  const node = LiteGraph.createNode(type);
  app.graph.add(node);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset[0] = 500;
  app.canvas.ds.offset[1] = 250;
  app.canvas.selectNode(node);
  app.canvas.setDirty(true, true);
}"""


def test_settings_are_for_new_nodes_only(classic: Ui) -> None:
    build(classic, ONE_IMAGE)
    saved = classic.serialized()
    classic.change("Fixative.Defaults.Strength", 5.5)
    classic.change("Fixative.Defaults.StrengthMap", "off")
    try:
        build(classic, ONE_IMAGE)
        assert classic.widget(PROTECT, "strength") == 5.5
        assert classic.widget(PROTECT, "strength_map") == "off"
        classic.load(saved)
        assert classic.widget(PROTECT, "strength") == 8
        assert classic.widget(PROTECT, "strength_map") == "learned"
    finally:
        classic.change("Fixative.Defaults.Strength", 8)
        classic.change("Fixative.Defaults.StrengthMap", "learned")


def test_the_settings_are_in_the_dialogue(classic: Ui) -> None:
    command = "() => window.app.extensionManager.command.execute('Comfy.ShowSettingsDialog')"
    classic.page.evaluate(command)
    dialogue = classic.page.get_by_role("dialog")
    dialogue.get_by_text("Fixative", exact=True).first.click()
    for name in ("Strength of new nodes", "Strength map of new nodes", "amplify the difference"):
        expect(dialogue.get_by_text(name)).to_be_visible()
    classic.page.keyboard.press("Escape")


def test_an_empty_mask_is_told_in_a_toast(classic: Ui) -> None:
    """LoadImage gives one with a picture that has no alpha: nothing would be protected."""
    nodes = {**ONE_IMAGE.nodes, "protect": Node(PROTECT, (340, 0))}
    build(classic, Example(nodes, (*ONE_IMAGE.wires, "load.MASK > protect.mask"), note=""))
    classic.page.evaluate(
        "(type) => { window.app.graph.nodes.find((one) => one.type === type).title = 'My guard'; }",
        PROTECT,
    )
    classic.run()
    toast = classic.page.locator(".p-toast-message").filter(has_text="My guard")
    expect(toast).to_contain_text(re.compile("mask", re.IGNORECASE))
    toast.get_by_role("button").first.click()


@pytest.mark.parametrize("node", NODES)
def test_the_help_page_shows_its_picture(classic: Ui, node: str) -> None:
    """The path in the page is relative to js/docs: the front end resolves it, and so does a reader
    of the repository."""
    page = (DOCS / f"{node}.md").read_text("utf-8")
    assert f"]({node}.jpg)" in page
    assert (DOCS / f"{node}.jpg").stat().st_size < LARGEST_PICTURE
    classic.page.evaluate(SELECT_NEW, node)
    classic.page.get_by_test_id("info-button").click()
    picture = classic.page.locator(f'.node-help-content img[src$="{node}.jpg"]')
    expect(picture).to_be_visible()
    wide = picture.evaluate("(e) => e.decode().then(() => e.naturalWidth)")
    assert wide > 200
    classic.page.get_by_test_id("info-button").click()
