/** The row of buttons below the pictures. */

import { button, make } from "./dom.js";
import { MAX_AMPLIFICATION, ZOOMS } from "./state.js";

/** Names of the zoom steps. */
const ZOOM_NAMES = { 0: "Fit", 1: "1:1", 4: "4:1" };

/** @typedef {import("./state.js").View} View */

export class Controls {
    /** @param {(change: Partial<View>) => void} change told of what the user wants */
    constructor(change) {
        /** @type {View | null} */
        this.view = null;
        this.modes = {
            slider: button("Slider", "Before and after behind a slider", () =>
                change({ mode: "slider" }),
            ),
            difference: button("Difference", "What changed, amplified", () =>
                change({ mode: "difference" }),
            ),
        };
        this.map = button("Map", "Lay the strength map over the pictures", () =>
            change({ map: !this.view.map }),
        );
        this.zoom = button("Fit", "Size", () => change({ zoom: nextZoom(this.view.zoom) }));
        this.amplification = this._amplification(change);
        this.pictures = this._pictures(change);
        const modes = make("div", { class: "fixative-group", role: "group", "aria-label": "View" });
        modes.append(this.modes.slider, this.modes.difference);
        this.element = make("div", { class: "fixative-bar" }, modes, this.map, this.zoom);
        this.element.append(this.amplification, this.pictures);
    }

    /**
     * Show how things are.
     * @param {View} view
     * @param {{count: number, hasMap: boolean}} shown
     */
    update(view, { count, hasMap }) {
        this.view = view;
        for (const [mode, one] of Object.entries(this.modes)) press(one, view.mode === mode);
        press(this.map, view.map && hasMap);
        this.map.disabled = !hasMap;
        this.map.title = hasMap
            ? "Lay the strength map over the pictures"
            : "Connect a strength map to see it over the pictures";
        this.zoom.textContent = ZOOM_NAMES[view.zoom];
        const next = ZOOM_NAMES[nextZoom(view.zoom)];
        this.zoom.title = `Size: ${ZOOM_NAMES[view.zoom]}; click for ${next}`;
        this.zoom.setAttribute("aria-label", this.zoom.title);
        this.range.value = String(view.amplification);
        this.factor.textContent = `×${view.amplification}`;
        keepPlace(this.amplification, view.mode === "difference");
        this.number.textContent = `${view.picture + 1} / ${count}`;
        this.previous.disabled = view.picture === 0;
        this.next.disabled = view.picture >= count - 1;
        keepPlace(this.pictures, count > 1);
    }

    _amplification(change) {
        this.range = make("input", {
            type: "range",
            min: "1",
            max: String(MAX_AMPLIFICATION),
            step: "1",
            title: "How much the difference is amplified",
            "aria-label": "Amplification of the difference",
        });
        this.range.addEventListener("input", () =>
            change({ amplification: Number(this.range.value) }),
        );
        this.factor = make("output", { class: "fixative-number" });
        return make("div", { class: "fixative-amplification" }, this.range, this.factor);
    }

    _pictures(change) {
        const step = (by) => () => change({ picture: this.view.picture + by });
        this.previous = button("‹", "Previous picture", step(-1));
        this.next = button("›", "Next picture", step(1));
        this.number = make("output", { class: "fixative-number", "aria-live": "polite" });
        const label = { class: "fixative-pictures", role: "group", "aria-label": "Picture" };
        return make("div", label, this.previous, this.number, this.next);
    }
}

/** @returns {number} the step after this one, round and round */
function nextZoom(zoom) {
    return ZOOMS[(ZOOMS.indexOf(zoom) + 1) % ZOOMS.length];
}

/** @param {HTMLButtonElement} element @param {boolean} pressed */
function press(element, pressed) {
    element.setAttribute("aria-pressed", String(pressed));
}

/** Hide without giving up the place, so that nothing moves. */
function keepPlace(element, visible) {
    element.style.visibility = visible ? "" : "hidden";
}
