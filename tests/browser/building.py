"""Builds a graph in the open front end from a table of nodes and wires."""

from __future__ import annotations

from tests.browser.tables import Example
from tests.browser.ui import Ui

BUILD = """async ({ nodes, wires, note }) => {
  const { app, LiteGraph } = window;
  app.clean(); // else a new node shows what an older one of its number brought
  app.graph.clear();
  await new Promise((done) => setTimeout(done, 150)); // Nodes 2.0 lets go of the old ones
  const made = {};
  for (const [name, { type, place, size, widgets }] of Object.entries(nodes)) {
    const node = (made[name] = LiteGraph.createNode(type));
    node.pos = place; // before it is added: Nodes 2.0 measures from then on
    app.graph.add(node);
    for (const [key, value] of Object.entries(widgets)) {
      node.widgets.find((one) => one.name === key).value = value;
    }
    if (size) node.setSize(size);
  }
  if (made.note) {
    made.note.widgets[0].value = note;
    made.note.title = "Note";
  }
  const slot = (slots, name) => {
    const found = slots.findIndex((one) => (one.label ?? one.name) === name || one.name === name);
    if (found < 0) throw new Error(`no slot ${name}`);
    return found;
  };
  for (const wire of wires) {
    const [from, to] = wire.split(" > ").map((end) => end.split("."));
    const [source, target] = [made[from[0]], made[to[0]]];
    source.connect(slot(source.outputs, from[1]), target, slot(target.inputs, to[1]));
  }
  return Object.fromEntries(Object.entries(made).map(([name, node]) => [name, node.id]));
}"""


def build(ui: Ui, example: Example) -> dict[str, int]:
    """Build an example in the open page; return the nodes' ids by their names."""
    nodes = {name: vars(node) for name, node in example.nodes.items()}
    spec = {"nodes": nodes, "wires": example.wires, "note": example.note}
    ids = ui.page.evaluate(BUILD, spec)
    ui.settle(500)
    return ids
