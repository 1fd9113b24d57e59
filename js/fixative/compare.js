/** The node Compare: its widget, what it keeps in a workflow, and what a run brings it. */

import { app } from "../../../scripts/app.js";
import { chain, loadStyle } from "./dom.js";
import { defaultAmplification } from "./settings.js";
import { CompareView } from "./view.js";

export const COMPARE_NODE = "FixativeCompare";
const NEW_SIZE = [440, 520];
const MIN_HEIGHT = 280;

/**
 * Give a new Compare node its widget.
 *
 * The widget's value, which the host saves with the workflow, holds the pictures' references and
 * how they are looked at; it is no input of the node, so looking never makes it run again.
 * @param {object} node a LiteGraph node
 */
export function addCompare(node) {
    loadStyle();
    const view = new CompareView({ amplification: defaultAmplification() });
    node.addDOMWidget("comparison", "FIXATIVE_COMPARISON", view.element, {
        serialize: false,
        hideOnZoom: false,
        getMinHeight: () => MIN_HEIGHT,
        getValue: () => view.value,
        setValue: (value) => view.restore(value),
    });
    chain(node, "onExecuted", (output) => {
        if (output?.fixative_pairs) view.show(output.fixative_pairs);
    });
    chain(node, "onRemoved", () => view.release());
    chain(node, "onAdded", () => view.refresh());
    node.setSize([Math.max(node.size[0], NEW_SIZE[0]), Math.max(node.size[1], NEW_SIZE[1])]);
    handToCanvas(view.element);
}

/**
 * In the classic renderer a widget lies over the canvas: let it zoom, pan and take dropped files
 * there too. Nodes 2.0 does that by itself.
 * @param {HTMLElement} element
 */
function handToCanvas(element) {
    const classic = () => !globalThis.LiteGraph?.vueNodesMode;
    element.addEventListener("wheel", (event) => {
        if (classic()) app.canvas.processMouseWheel(event);
    });
    element.addEventListener("dragover", (event) => event.preventDefault());
    for (const [kind, handler] of [
        ["pointerdown", "processMouseDown"],
        ["pointermove", "processMouseMove"],
        ["pointerup", "processMouseUp"],
    ]) {
        element.addEventListener(kind, (event) => {
            const middle = event.button === 1 || (event.buttons & 4) === 4;
            if (classic() && middle) app.canvas[handler](event);
        });
    }
}
