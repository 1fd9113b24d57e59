/** Settings, and how new nodes get them. */

import { app } from "../../../scripts/app.js";

const STRENGTH = "Fixative.Defaults.Strength";
const STRENGTH_MAP = "Fixative.Defaults.StrengthMap";
const AMPLIFICATION = "Fixative.Compare.Amplification";

/** What the nodes themselves begin with; a setting left at it changes nothing. */
const STRENGTH_MAPS = ["learned", "lpips", "off"];

/** Widgets of new nodes, by node and by the setting that they take. */
const WIDGETS = {
    FixativeProtectImage: { strength: STRENGTH, strength_map: STRENGTH_MAP },
    FixativeTargetPerturbation: { strength: STRENGTH },
    FixativeAdaptiveStrength: { visibility: STRENGTH_MAP },
};

/** What ``app.registerExtension`` takes. */
export const SETTINGS = [
    {
        id: STRENGTH,
        category: ["Fixative", "New nodes", "strength"],
        name: "Strength of new nodes",
        tooltip: "In 1/255. For nodes that you add from now on; workflows keep what they have.",
        type: "slider",
        attrs: { min: 0, max: 32, step: 0.5 },
        defaultValue: 8,
    },
    {
        id: STRENGTH_MAP,
        category: ["Fixative", "New nodes", "strength map"],
        name: "Strength map of new nodes",
        tooltip: "For nodes that you add from now on; workflows keep what they have.",
        type: "combo",
        options: STRENGTH_MAPS,
        defaultValue: STRENGTH_MAPS[0],
    },
    {
        id: AMPLIFICATION,
        category: ["Fixative", "Compare", "amplification"],
        name: "How much new Compare nodes amplify the difference",
        type: "slider",
        attrs: { min: 1, max: 50, step: 1 },
        defaultValue: 10,
    },
];

/** @returns {number} how much a new Compare node amplifies */
export function defaultAmplification() {
    return Number(app.extensionManager.setting.get(AMPLIFICATION) ?? 10);
}

/**
 * Set a new node's widgets as the settings say; a node of a workflow keeps what was saved.
 * @param {object} node a LiteGraph node
 */
export function applyDefaults(node) {
    const widgets = WIDGETS[node.comfyClass];
    if (!widgets || app.configuringGraph) return;
    for (const [name, setting] of Object.entries(widgets)) {
        const widget = node.widgets?.find((one) => one.name === name);
        const value = app.extensionManager.setting.get(setting);
        if (widget && allowed(widget, value)) widget.value = value;
    }
}

/** Whether the node offers a value: not every node has every strength map. */
function allowed(widget, value) {
    const options = widget.options?.values;
    return value !== undefined && (!Array.isArray(options) || options.includes(value));
}
