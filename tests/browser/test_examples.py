"""Each example workflow, as people meet it: in the template browser, and as a dropped file."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.examples import EXAMPLES
from tests.browser.ui import Ui
from tests.host.build import CHECKOUT
from tests.host.fixtures import FEW
from tests.host.server import RunningHost

pytestmark = [pytest.mark.host, pytest.mark.browser]

WORKFLOWS = CHECKOUT / "example_workflows"
HELP = CHECKOUT / "js" / "docs"
LARGEST_PICTURE = 150 * 1024
#: What each example is made quick by, as a person would in the open workflow: by node and widget.
#: As they are shipped they show something to look at, and take a minute each.
QUICK: dict[str, dict[str, dict[str, Any]]] = {
    "protect_a_folder_with_mask": {"LoadImageDataSetFromFolder": {"folder": FEW}},
    "refine": {"FixativeRefinePerturbation": {"steps": 2}},
    "train_on_your_vae": {"FixativeTrainMixture": {"steps": 3}},
    "protect_purify_compare": {"FixativePurify": {"iterations": 2}},
    "table_of_countermeasures": {
        "FixativeIterativeProtection": {"steps": 2},
        "FixativeEvaluate": {
            "custom": "version: 1\nname: quick\nsize: 128\nwindow: 64\nstrengths: [8]\n"
            "protections: [mixture, noise]\ncountermeasures: [jpeg:75]\nresamples: 50\n"
        },
    },
    "protect_mimic_compare": {
        "FixativeLoraMimicryTest": {"steps": 2, "samples": 2, "sampling_steps": 2, "side": 64}
    },
    "edit_a_protected_picture": {"FixativeEditTest": {"sampling_steps": 2, "side": 64}},
    "mimic_with_the_host_s_trainer": {
        "TrainLoraNode": {"steps": 2},
        "KSampler": {"steps": 2},
        "EmptyLatentImage": {"width": 64, "height": 64},
    },
}


def get(host: RunningHost, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{host.address}{path}", timeout=20) as reply:
        return reply.read()


def test_the_host_lists_them_with_their_pictures(host: RunningHost) -> None:
    listed = json.loads(get(host, "/api/workflow_templates"))["Fixative"]
    assert sorted(listed) == sorted(EXAMPLES)
    for name in listed:
        place = f"/api/workflow_templates/Fixative/{name}"
        assert json.loads(get(host, f"{place}.json"))["nodes"]
        content = get(host, f"{place}.jpg")
        assert len(content) < LARGEST_PICTURE
        assert Image.open(io.BytesIO(content)).width > 1000


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_it_is_dropped_runs_and_is_compared(classic: Ui, name: str) -> None:
    classic.drop(WORKFLOWS / f"{name}.json")
    expected = sorted(node.type for node in EXAMPLES[name].nodes.values())
    types = "() => window.app.graph.nodes.map((one) => one.type).sort().join()"
    classic.page.wait_for_function(f"(wanted) => ({types})() === wanted", arg=",".join(expected))
    for node, values in QUICK.get(name, {}).items():
        classic.turn(node, values)
    classic.run()
    classic.show("FixativeCompare", scale=1.0)
    classic.compare().get_by_role("button", name="Before and after").click()
    slider = classic.compare().get_by_role("slider", name="Divider")
    expect(slider).to_be_visible()
    slider.focus()
    classic.page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", "100")


def test_a_file_dropped_on_the_pictures_opens_too(classic: Ui) -> None:
    classic.drop(WORKFLOWS / "step_by_step.json")
    opened = "(type) => window.app.graph.nodes.some((one) => one.type === type)"
    classic.page.wait_for_function(opened, arg="FixativeAssignMixture")
    classic.show("FixativeCompare", scale=1.0)
    classic.drop(WORKFLOWS / "protect_one_image.json", aside=False)
    classic.page.wait_for_function(opened, arg="FixativeProtectImage")


def test_they_hold_nothing_of_the_machine_they_were_made_on() -> None:
    for name in EXAMPLES:
        workflow = json.loads((WORKFLOWS / f"{name}.json").read_text("utf-8"))
        for node in workflow["nodes"]:
            if node["type"] == "FixativeCompare":
                assert node["widgets_values"][0]["pairs"] == []


def test_a_saved_picture_opens_as_its_workflow(classic: Ui, host: RunningHost) -> None:
    """What the artist asks for with include_workflow, dropped on the canvas."""
    classic.drop(WORKFLOWS / "protect_one_image.json")
    ready = "() => window.app.graph.nodes.some((one) => one.type === 'FixativeCompare')"
    classic.page.wait_for_function(ready)
    saver = "FixativeSaveProtectedImage"
    classic.turn(saver, {"include_workflow": True, "filename_prefix": "dropped"})
    classic.run()
    [saved] = sorted((host.base / "output").glob("dropped*.png"))
    classic.page.evaluate("() => window.app.graph.clear()")
    classic.drop(Path(saved))
    classic.page.wait_for_function(ready)
    assert classic.widget(saver, "filename_prefix") == "dropped"
