"""Makes ``example_workflows/`` and the help pictures in a real front end.

    python -m tests.browser.make_examples [name ...]

Needs what the browser tests need. The pictures show a photograph of scikit-image in the place of
the host's own ``example.png``, which every ComfyUI comes with.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from fixative.demo import find_pictures
from tests.browser.building import build
from tests.browser.chromium import WHAT_TO_DO, find_chromium, running_browser
from tests.browser.examples import EXAMPLES
from tests.browser.tables import PICTURE, Example
from tests.browser.ui import Box, Ui
from tests.host.build import CHECKOUT, build_host
from tests.host.server import RunningHost, running_host

WORKFLOWS = CHECKOUT / "example_workflows"
HELP_PICTURES = CHECKOUT / "js" / "docs"
WINDOW: Any = {"width": 1600, "height": 1000}
SIDE = 512
PHOTOGRAPHS = {"chelsea.png": PICTURE, "coffee.png": "b.png", "astronaut.png": "c.png"}
#: Of the JPEGs: small enough for a repository, large enough to read.
QUALITY, LARGEST_SIDE = 74, 1280
#: What would lie over the graph in its picture.
HIDE_BARS = ".actionbar-container, .actionbar-container + * { opacity: 0 !important }"
#: What a run leaves in a workflow that no other machine has.
LEFTOVERS = ("FixativeCompare",)

logger = logging.getLogger(__name__)


def make(ui: Ui, name: str, example: Example) -> None:
    """Write an example's workflow, run it, and take its picture and those of its nodes."""
    ui.open()
    ids = build(ui, example)
    write_workflow(WORKFLOWS / f"{name}.json", ui.serialized())
    ui.page.add_style_tag(content=HIDE_BARS)
    ui.run()
    ui.settle(1500)  # the previews come after the run
    take(ui, WORKFLOWS / f"{name}.jpg", ui.show())
    for node, shown in example.helped.items():
        take(ui, HELP_PICTURES / f"{node}.jpg", ui.show([ids[one] for one in shown], scale=1.0))
    logger.info("%s", name)


def take(ui: Ui, path: Path, box: Box) -> None:
    """Take a picture of a part of the window, without anything that the mouse brings up."""
    ui.page.mouse.move(5, 5)
    ui.settle(200)
    clip: Any = box
    picture = Image.open(io.BytesIO(ui.page.screenshot(clip=clip))).convert("RGB")
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    picture.save(path, quality=QUALITY, optimize=True)


def write_workflow(path: Path, workflow: dict[str, Any]) -> None:
    """A workflow as a file without what belongs to this machine."""
    for node in workflow["nodes"]:
        if node["type"] in LEFTOVERS:
            for value in node["widgets_values"]:
                value["pairs"] = []
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(workflow, indent=1, ensure_ascii=False) + "\n", "utf-8")


def put_photographs(base: Path) -> None:
    """Photographs into the input folder, one under the name of the host's own example picture."""
    (base / "input").mkdir(parents=True, exist_ok=True)
    for source, name in PHOTOGRAPHS.items():
        path = next(path for path in find_pictures() if path.name == source)
        picture = Image.open(path).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        square.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(base / "input" / name)


def make_all(host: RunningHost, names: list[str]) -> None:
    """Make the examples of these names."""
    path = find_chromium()
    if path is None:
        raise SystemExit(WHAT_TO_DO)
    with running_browser(path) as browser:
        ui = Ui(browser, host.address, vue_nodes=False, window=WINDOW)
        for name in names:
            make(ui, name, EXAMPLES[name])


def main() -> None:
    """Boot a host of its own, and make what the command line names, or everything."""
    logging.basicConfig(level=logging.INFO)
    base = Path(tempfile.mkdtemp())
    try:
        put_photographs(base)
        with running_host(build_host(), base) as host:
            make_all(host, sys.argv[1:] or list(EXAMPLES))
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
