/** A comparison: pictures of the server, shown as the user wants to look at them. */

import { Controls } from "./controls.js";
import { make } from "./dom.js";
import { drawDifference, drawMap, load, pixelsOf, rampGradient } from "./pictures.js";
import { Stage } from "./stage.js";
import { pairsFrom, viewFrom, within } from "./state.js";

const EMPTY = "Run the graph to compare before and after here.";
const LOADING = "Loading the pictures…";
const GONE = "These pictures are no longer on the server. Run again to see them.";

/** @typedef {import("./state.js").View} View */
/** @typedef {import("./state.js").Pair} Pair */

export class CompareView {
    /** @param {Partial<View>} fresh what differs, in a new node, from the usual */
    constructor(fresh) {
        this.view = viewFrom(fresh);
        /** @type {Pair[]} */
        this.pairs = [];
        this.loads = 0;
        this.stage = new Stage((position) => this.change({ position }));
        this.controls = new Controls((change) => this.change(change));
        const label = { role: "group", "aria-label": "Comparison of before and after" };
        const classes = "fixative-compare widget-expands"; // the second: grows in Nodes 2.0
        this.element = make("div", { class: classes, ...label });
        this.element.style.setProperty("--fixative-ramp", rampGradient());
        this.element.append(this.stage.element, this.controls.element);
        this.refresh();
    }

    /** What a workflow keeps: plain data, a copy. */
    get value() {
        return structuredClone({ pairs: this.pairs, view: this.view });
    }

    /** @param {any} value what a workflow kept */
    restore(value) {
        if (typeof value !== "object" || value === null) return;
        this.pairs = pairsFrom(value.pairs);
        this.view = viewFrom(value.view);
        this.refresh();
    }

    /** @param {Pair[]} pairs what a run made */
    show(pairs) {
        this.pairs = pairsFrom(pairs);
        this.refresh();
    }

    /** Let go of what takes memory; ``refresh`` brings it back. */
    release() {
        this.loads++;
        this.pixels = null;
        this.stage.release();
    }

    /** @param {Partial<View>} change what the user wants otherwise */
    change(change) {
        const before = this.view;
        this.view = { ...before, ...change };
        if (this.view.picture !== before.picture) this.refresh();
        else this._draw();
    }

    /** Load the pictures of the pair chosen, and show them. */
    async refresh() {
        this.view.picture = within(this.view.picture, 0, Math.max(0, this.pairs.length - 1), 0);
        this.pixels = null;
        const turn = ++this.loads;
        if (!this.pair) this._say(EMPTY);
        else await this._load(turn);
    }

    /** @returns {Pair | undefined} */
    get pair() {
        return this.pairs[this.view.picture];
    }

    /** @param {number} turn later turns win over what an earlier one still loads */
    async _load(turn) {
        if (!this.stage.before.getAttribute("src")) this._say(LOADING);
        const { before, after, map } = this.pair;
        const mapImage = new Image();
        try {
            await Promise.all([
                load(this.stage.before, before),
                load(this.stage.after, after),
                map ? load(mapImage, map) : null,
            ]);
        } catch {
            if (turn === this.loads) this._say(GONE);
            return;
        }
        if (turn !== this.loads) return;
        if (map) drawMap(this.stage.map, pixelsOf(mapImage));
        this._say("");
    }

    /** @param {string} text instead of the pictures; empty = show them */
    _say(text) {
        this.stage.message.textContent = text;
        this.stage.element.classList.toggle("fixative-empty", text !== "");
        this._draw();
    }

    _draw() {
        const { view, pair, stage } = this;
        const hasMap = Boolean(pair?.map);
        stage.element.dataset.mode = view.mode;
        stage.element.classList.toggle("fixative-with-map", view.map && hasMap);
        stage.place(view.position);
        stage.magnify(view.zoom, pair ?? { width: 1, height: 1 });
        this._label(hasMap);
        this.controls.update(view, { count: this.pairs.length, hasMap });
        const shown = !stage.element.classList.contains("fixative-empty");
        if (view.mode === "difference" && shown) this._drawDifference();
    }

    _drawDifference() {
        const { before, after, difference } = this.stage;
        this.pixels ??= { before: pixelsOf(before), after: pixelsOf(after) };
        const { amplification } = this.view;
        drawDifference(difference, this.pixels.before, this.pixels.after, amplification);
    }

    _label(hasMap) {
        const [left, right, bottom] = this.stage.labels;
        const slider = this.view.mode === "slider";
        left.textContent = slider ? "before" : `difference ×${this.view.amplification}`;
        right.textContent = slider ? "after" : "grey = no change";
        bottom.hidden = !(this.view.map && hasMap);
        bottom.textContent = "strength 0 to 1.18";
    }
}
