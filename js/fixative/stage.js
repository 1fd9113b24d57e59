/** The box with the pictures: layers, the divider, and what pointer and keys do there. */

import { make } from "./dom.js";
import { within } from "./state.js";

/** How near the divider a pointer must be to take it, in screen pixels, when zoomed in. */
const GRIP = 28;
const KEY_STEPS = {
    ArrowLeft: -2,
    ArrowDown: -2,
    ArrowRight: 2,
    ArrowUp: 2,
    PageDown: -10,
    PageUp: 10,
    Home: -100,
    End: 100,
};

export class Stage {
    /** @param {(position: number) => void} onMove told where the divider shall be, 0 to 100 */
    constructor(onMove) {
        this.onMove = onMove;
        this.before = picture("before");
        this.after = picture("after");
        this.difference = make("canvas", { role: "img", "aria-label": "difference" });
        this.map = make("canvas", { role: "img", "aria-label": "strength map" });
        this.layers = {
            before: layer("before", this.before),
            after: layer("after", this.after),
            difference: layer("difference", this.difference),
            map: layer("map", this.map),
        };
        this.handle = divider();
        this.message = make("p", { class: "fixative-message", role: "status" });
        this.labels = [chip("left"), chip("right"), chip("bottom")];
        this.element = make("div", { class: "fixative-stage" }, ...Object.values(this.layers));
        this.element.append(this.handle, ...this.labels, this.message);
        this.handle.addEventListener("keydown", (event) => this._key(event));
        this.element.addEventListener("pointerdown", (event) => this._down(event));
        this.place(50);
        this.magnify(0, { width: 1, height: 1 });
    }

    /** @param {number} position of the divider, 0 to 100 */
    place(position) {
        this.position = position;
        this.element.style.setProperty("--fixative-at", `${position}%`);
        this.handle.setAttribute("aria-valuenow", String(Math.round(position)));
        this.handle.setAttribute("aria-valuetext", `${Math.round(position)} % before`);
    }

    /**
     * Fit the pictures, or show them at a number of screen pixels a picture pixel.
     * @param {number} zoom 0 = fit
     * @param {{width: number, height: number}} size of the pictures
     */
    magnify(zoom, size) {
        const changed = zoom !== this.zoom;
        this.zoom = zoom;
        this.size = { width: size.width * zoom, height: size.height * zoom };
        this.element.dataset.zoom = String(zoom);
        if (!zoom) return;
        this.element.style.setProperty("--fixative-width", `${this.size.width}px`);
        this.element.style.setProperty("--fixative-height", `${this.size.height}px`);
        if (changed) this.middle = { x: 0.5, y: 0.5 };
        this._pan(0, 0);
    }

    /** Let go of the pictures' memory. */
    release() {
        for (const image of [this.before, this.after]) image.removeAttribute("src");
        for (const canvas of [this.difference, this.map]) canvas.width = canvas.height = 0;
    }

    /** Move a magnified picture by screen pixels of the box, never off its edge. */
    _pan(x, y) {
        const { width, height } = this.size;
        this.middle.x = within(this.middle.x - x / width, 0, 1, 0.5);
        this.middle.y = within(this.middle.y - y / height, 0, 1, 0.5);
        this.element.style.setProperty("--fixative-x", `${-this.middle.x * width}px`);
        this.element.style.setProperty("--fixative-y", `${-this.middle.y * height}px`);
    }

    _key(event) {
        const step = KEY_STEPS[event.key];
        if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation(); // the canvas would move the selected nodes
        this.onMove(within(this.position + step, 0, 100, 50));
    }

    _down(event) {
        if (event.button !== 0) return;
        event.preventDefault();
        event.stopPropagation(); // the node would be dragged
        const box = this.element.getBoundingClientRect();
        const at = box.left + (box.width * this.position) / 100;
        const hasDivider = this.handle.offsetParent !== null;
        const takes = hasDivider && (!this.zoom || Math.abs(event.clientX - at) < GRIP);
        if (takes) this.handle.focus({ preventScroll: true });
        const move = takes ? (e) => this._slide(e) : (e) => this._drag(e);
        this._follow(event, move);
    }

    /** Call ``move`` with this event and every further one until the pointer lets go. */
    _follow(event, move) {
        const id = event.pointerId;
        const done = new AbortController();
        const only = (handler) => (e) => e.pointerId === id && handler(e);
        this.element.setPointerCapture(id);
        const options = { signal: done.signal };
        this.element.addEventListener("pointermove", only(move), options);
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            this.element.addEventListener(end, only(() => done.abort()), options);
        }
        move(event);
    }

    _slide(event) {
        event.stopPropagation();
        const box = this.element.getBoundingClientRect();
        this.onMove(within(((event.clientX - box.left) / box.width) * 100, 0, 100, 50));
    }

    _drag(event) {
        event.stopPropagation();
        if (!this.zoom || event.type === "pointerdown") return;
        const scale = this.element.getBoundingClientRect().width / this.element.clientWidth;
        this._pan(event.movementX / scale, event.movementY / scale);
    }
}

/** @returns {HTMLImageElement} */
function picture(name) {
    return make("img", { alt: name, draggable: "false" });
}

/** @returns {HTMLElement} */
function layer(name, content) {
    return make("div", { class: "fixative-layer", "data-layer": name }, content);
}

/** @returns {HTMLElement} */
function chip(place) {
    return make("span", { class: "fixative-chip", "data-place": place });
}

/** @returns {HTMLElement} */
function divider() {
    const label = "Divider: before on its left, after on its right";
    const slider = { role: "slider", tabindex: "0", "aria-label": label };
    const range = { "aria-valuemin": "0", "aria-valuemax": "100" };
    const orientation = { "aria-orientation": "horizontal" };
    const grip = make("span", { class: "fixative-grip", text: "◂ ▸", "aria-hidden": "true" });
    return make("div", { class: "fixative-divider", ...slider, ...range, ...orientation }, grip);
}
