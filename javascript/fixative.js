/**
 * What the Fixative tab needs in the page: the host's progress bar, and Compare.
 *
 * The host loads this file as a plain script; its own functions are global.
 */
/* global gradioApp, randomId, requestProgress */

(function () {
    "use strict";

    /** Where a difference is drawn at most, in pixels; larger pictures are reduced. */
    const MOST_PIXELS = 4e6;

    /**
     * Give a job an id and let the host's progress bar follow it; Run calls this before the server
     * is asked.
     * @param {string} name of the sub-tab
     * @param {any[]} given its inputs, the first of which is the task's id
     * @returns {any[]} them, with a new id
     */
    function start(name, given) {
        const id = randomId();
        const results = gradioApp().querySelector(`#fixative_${name}_results`);
        const run = gradioApp().querySelector(`#fixative_${name}_run`);
        run?.classList.add("fixative-busy");
        const atEnd = () => run?.classList.remove("fixative-busy");
        requestProgress(id, results, null, atEnd);
        return [id, ...given.slice(1)];
    }

    /** @returns {HTMLElement | null} the comparison that an event happened in */
    function viewOf(event) {
        const target = event.composedPath()[0];
        return target instanceof Element ? target.closest(".fixative-view") : null;
    }

    function place(view, percent) {
        const at = Math.min(100, Math.max(0, percent));
        view.style.setProperty("--fixative-at", `${at}%`);
        view.querySelector("[data-control=at]").value = String(at);
    }

    /** A control of a comparison was changed. */
    function changed(event) {
        const view = viewOf(event);
        const control = event.composedPath()[0];
        if (!view) return;
        if (control.dataset.control === "at") place(view, Number(control.value));
        if (control.dataset.control === "mode") view.dataset.mode = control.value;
        if (control.dataset.control === "amplification") {
            view.querySelector("output").textContent = `×${control.value}`;
        }
        if (view.dataset.mode === "difference") drawDifference(view);
    }

    /** The pointer moves the divider wherever it is pressed on the pictures. */
    function pressed(event) {
        const view = viewOf(event);
        const stage = event.composedPath()[0].closest?.(".fixative-stage");
        if (!view || !stage || view.dataset.mode !== "slider" || event.button !== 0) return;
        event.preventDefault();
        const done = new AbortController();
        const move = (moved) => {
            const box = stage.getBoundingClientRect();
            place(view, ((moved.clientX - box.left) / box.width) * 100);
        };
        stage.setPointerCapture(event.pointerId);
        stage.addEventListener("pointermove", move, { signal: done.signal });
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            stage.addEventListener(end, () => done.abort(), { signal: done.signal });
        }
        move(event);
    }

    /** @returns {Promise<ImageData>} */
    async function pixelsOf(image) {
        await image.decode();
        const { naturalWidth, naturalHeight } = image;
        const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (naturalWidth * naturalHeight)));
        const canvas = document.createElement("canvas");
        canvas.width = Math.max(1, Math.round(naturalWidth * scale));
        canvas.height = Math.max(1, Math.round(naturalHeight * scale));
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        return context.getImageData(0, 0, canvas.width, canvas.height);
    }

    /** Draw grey + amplification · (after − before). */
    async function drawDifference(view) {
        const images = [...view.querySelectorAll(".fixative-stage img")];
        view.fixativePixels ??= Promise.all(images.map(pixelsOf));
        const [before, after] = await view.fixativePixels;
        const amplification = Number(view.querySelector("[data-control=amplification]").value);
        const drawn = new ImageData(before.width, before.height);
        for (let i = 0; i < drawn.data.length; i++) {
            const change = after.data[i] - before.data[i];
            drawn.data[i] = (i & 3) === 3 ? 255 : 127.5 + amplification * change;
        }
        const canvas = view.querySelector("canvas");
        canvas.width = drawn.width;
        canvas.height = drawn.height;
        canvas.getContext("2d").putImageData(drawn, 0, 0);
    }

    document.addEventListener("input", changed);
    document.addEventListener("pointerdown", pressed);
    window.fixativeStart = start;
})();
