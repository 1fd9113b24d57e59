"""ComfyUI's front end in a real browser: what a person does there, as functions."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page

READY_MS = 90_000
RUN_MS = 180_000
WINDOW: Any = {"width": 1280, "height": 860}
RUN_BUTTON = '[data-testid="queue-button"] button'
Box = dict[str, float]
OURS = "/extensions/Fixative/"
#: The front end asks for a help page in its language first, and takes the only one after that.
TRANSLATED_HELP = re.compile(r"/docs/\w+/[\w-]+\.md")
#: Collects how runs end, and says when the front end is ready.
WATCH_RUNS = """() => {
  const { api } = window.comfyAPI.api;
  window.fixativeRuns = [];
  for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
    api.addEventListener(kind, ({ detail }) => window.fixativeRuns.push({ kind, detail }));
}"""
#: Leaves room for the front end's bars; the numbers are the title's height and a margin.
SHOW = """([which, scale]) => {
  const { canvas } = window.app;
  const { nodes } = canvas.graph;
  let shown = nodes;
  if (Array.isArray(which)) shown = nodes.filter((one) => which.includes(one.id));
  else if (which) shown = nodes.filter((one) => one.type === which).slice(0, 1);
  const left = Math.min(...shown.map((one) => one.pos[0])) - 12;
  const top = Math.min(...shown.map((one) => one.pos[1])) - 62;
  const width = Math.max(...shown.map((one) => one.pos[0] + one.size[0])) + 12 - left;
  const height = Math.max(...shown.map((one) => one.pos[1] + one.size[1])) + 12 - top;
  const [x, y] = [70, 95];
  const [roomX, roomY] = [innerWidth - x - 10, innerHeight - y - 60];
  scale ??= Math.min(1, roomX / width, roomY / height);
  const [startX, startY] = [
    x + Math.max(0, roomX - width * scale) / 2, y + Math.max(0, roomY - height * scale) / 2];
  const area = canvas.canvas.getBoundingClientRect();
  canvas.ds.scale = scale;
  canvas.ds.offset[0] = (startX - area.left) / scale - left;
  canvas.ds.offset[1] = (startY - area.top) / scale - top;
  canvas.setDirty(true, true);
  return { x: startX, y: startY, width: width * scale, height: height * scale };
}"""
READY = "() => window.app?.extensionManager && window.app.canvas && window.app.graph"


class Ui:
    """One page of the front end.

    Args:
        browser: a running browser.
        address: the server's host and port.
        vue_nodes: whether nodes are drawn by Nodes 2.0 or on the classic canvas.
        window: the page's width and height.
    """

    def __init__(
        self, browser: Browser, address: str, *, vue_nodes: bool, window: Any = WINDOW
    ) -> None:
        self.address, self.vue_nodes = address, vue_nodes
        self.errors: list[str] = []
        self.set("Comfy.TutorialCompleted", True)
        self.set("Comfy.VueNodes.Enabled", vue_nodes)
        for overlay in ("Comfy.Minimap.Visible", "Comfy.Graph.CanvasInfo"):
            self.set(overlay, False)
        context = browser.new_context(viewport=window)
        context.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")
        context.set_default_timeout(10_000)
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", self._failed)
        self.open()

    def open(self) -> None:
        """Load the page, or load it again."""
        self.page.goto(f"http://{self.address}/", timeout=READY_MS)
        self.page.wait_for_function(READY, timeout=READY_MS)
        self.page.wait_for_selector(RUN_BUTTON, timeout=READY_MS)
        self.page.evaluate(WATCH_RUNS)

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()

    def set(self, setting: str, value: Any) -> None:
        """Store a setting on the server; the page knows of it after ``open``."""
        request = urllib.request.Request(
            f"http://{self.address}/settings/{setting}",
            json.dumps(value).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=20):
            pass

    def change(self, setting: str, value: Any) -> None:
        """Change a setting in the open page."""
        code = "([id, value]) => window.app.extensionManager.setting.set(id, value)"
        self.page.evaluate(code, [setting, value])

    def drop(self, path: Path, *, aside: bool = True) -> None:
        """Drop a file on the canvas, as a file manager does.

        Args:
            path: the file.
            aside: where no node is; else wherever the middle of the window shows.
        """
        if aside:
            self.page.evaluate("() => { window.app.canvas.ds.offset[0] = 100000; }")
            self.page.evaluate("() => window.app.canvas.setDirty(true, true)")
            self.settle()
        session = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        place = {"x": 640, "y": 430, "data": data}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, **place})
        session.detach()

    def load(self, workflow: dict[str, Any]) -> None:
        """Load a workflow, in the format of the front end, without a file."""
        self.page.evaluate("(graph) => window.app.loadGraphData(graph)", workflow)
        self.settle()

    def load_api(self, graph: dict[str, Any]) -> None:
        """Load a graph in the server's format."""
        self.page.evaluate("(graph) => window.app.loadApiJson(graph, 'test')", graph)
        self.settle()

    def serialized(self) -> dict[str, Any]:
        """The workflow as it would be saved now."""
        return json.loads(self.page.evaluate("() => JSON.stringify(window.app.graph.serialize())"))

    def run(self) -> None:
        """Press Run and wait for success.

        Raises:
            AssertionError: the run failed; with what the server said.
        """
        before = self.page.evaluate("() => window.fixativeRuns.length")
        with self.page.expect_response("**/prompt", timeout=RUN_MS) as answer:
            self.page.click(RUN_BUTTON)
        assert answer.value.ok, answer.value.text()
        more = "(before) => window.fixativeRuns.length > before"
        self.page.wait_for_function(more, arg=before, timeout=RUN_MS)
        end = self.page.evaluate("() => window.fixativeRuns.at(-1)")
        assert end["kind"] == "execution_success", end["detail"]
        self.settle()

    def settle(self, milliseconds: int = 300) -> None:
        """Let what is drawn come to rest."""
        self.page.wait_for_timeout(milliseconds)

    def show(self, which: str | list[int] | None = None, *, scale: float | None = None) -> Box:
        """Bring nodes into the middle of the window.

        Args:
            which: the first of a type, some by their ids, or all of the graph in view.
            scale: screen pixels a canvas pixel; None = as large as fits, at most 1.

        Returns:
            Where it is in the window, titles and badges included.
        """
        box = self.page.evaluate(SHOW, [which, scale])
        self.settle(400)
        return box

    def compare(self) -> Locator:
        """The widget of the Compare node in view."""
        return self.page.locator(".fixative-compare:visible").first

    def widget(self, node_type: str, name: str) -> Any:
        """A widget's value of the first node of a type."""
        code = """([type, name]) => window.app.graph.nodes.find((one) => one.type === type)
          .widgets.find((one) => one.name === name).value"""
        return self.page.evaluate(code, [node_type, name])

    def turn(self, node_type: str, values: dict[str, Any]) -> None:
        """Give widgets of every node of a type other values, by their names."""
        code = """([type, values]) => {
          const nodes = window.app.graph.nodes.filter((one) => one.type === type);
          if (!nodes.length) throw new Error(`no node ${type}`);
          for (const node of nodes)
            for (const [name, value] of Object.entries(values)) {
              const widget = node.widgets.find((one) => one.name === name);
              if (!widget) throw new Error(`no widget ${name} of ${type}`);
              widget.value = value;
            }
        }"""
        self.page.evaluate(code, [node_type, values])

    def _heard(self, message: ConsoleMessage) -> None:
        told = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and OURS in told and not TRANSLATED_HELP.search(told):
            self.errors.append(told)

    def _failed(self, error: Error) -> None:
        if OURS in f"{error.message} {error.stack}":
            self.errors.append(f"{error.message}\n{error.stack}")
