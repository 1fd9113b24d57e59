/** What the server must tell at once, as toasts. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const EVENT = "fixative.notice";
/** Long enough to read two sentences, in milliseconds. */
const LIFE = 12000;

/** Show every notice of the server until the page is left. */
export function listenForNotices() {
    api.addEventListener(EVENT, ({ detail }) => {
        const { severity, text, node_id: id } = detail;
        app.extensionManager.toast.add({
            severity,
            summary: titleOf(id),
            detail: text,
            life: LIFE,
        });
    });
}

/**
 * The node's title as the user sees it.
 * @param {string | null} id the node's id; within subgraphs ids joined by colons
 * @returns {string}
 */
function titleOf(id) {
    let node = null;
    let graph = app.graph?.rootGraph ?? app.graph;
    for (const part of id === null ? [] : String(id).split(":")) {
        node = graph?.getNodeById(part) ?? graph?.getNodeById(Number(part)) ?? null;
        graph = node?.subgraph;
    }
    return node ? node.title : "Fixative";
}
