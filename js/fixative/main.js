/** The entry of Fixative's front end: tells ComfyUI of the settings, the notices and the widget. */

import { app } from "../../../scripts/app.js";
import { addCompare, COMPARE_NODE } from "./compare.js";
import { listenForNotices } from "./notices.js";
import { applyDefaults, SETTINGS } from "./settings.js";

app.registerExtension({
    name: "Fixative",
    settings: SETTINGS,
    setup() {
        listenForNotices();
    },
    nodeCreated(node) {
        applyDefaults(node);
        if (node.comfyClass === COMPARE_NODE) addCompare(node);
    },
});
