/** Pictures of the server, and the two pictures made of them: difference and strength map. */

import { api } from "../../../scripts/api.js";

/** @typedef {{filename: string, subfolder: string, type: string}} Reference */

/** The strongest factor of a strength map, which is white in its file (nodes/pairs.py). */
const MAP_TOP = 1.183;
/** Colours of the strength map by factor: [factor, red, green, blue]. */
const RAMP = [
    [0, 30, 60, 160],
    [0.6, 40, 150, 190],
    [0.91, 250, 220, 90],
    [MAP_TOP, 235, 60, 40],
];
const MAP_ALPHA = 120;

/**
 * @param {Reference} reference
 * @returns {string} where the server gives the file out
 */
export function addressOf(reference) {
    return api.apiURL(`/view?${new URLSearchParams(reference)}`);
}

/**
 * Load a picture into an element.
 * @param {HTMLImageElement} image
 * @param {Reference} reference
 * @returns {Promise<HTMLImageElement>} rejected where the file is gone
 */
export async function load(image, reference) {
    const address = addressOf(reference);
    if (image.getAttribute("src") !== address) image.src = address;
    await image.decode();
    return image;
}

/**
 * @param {HTMLImageElement} image a loaded picture
 * @returns {ImageData}
 */
export function pixelsOf(image) {
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
}

/**
 * Draw ``0.5 + a * (after - before)``: grey is no change.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} before
 * @param {ImageData} after of the same size
 * @param {number} amplification
 */
export function drawDifference(canvas, before, after, amplification) {
    const drawn = new ImageData(before.width, before.height);
    const [from, to, pixels] = [before.data, after.data, drawn.data];
    for (let i = 0; i < pixels.length; i++) {
        pixels[i] = (i & 3) === 3 ? 255 : 127.5 + amplification * (to[i] - from[i]);
    }
    put(canvas, drawn);
}

/**
 * Draw a strength map in colours that the pictures shine through.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} map grey; white is the strongest factor
 */
export function drawMap(canvas, map) {
    const colours = Array.from({ length: 256 }, (_, level) => rampColour((level / 255) * MAP_TOP));
    const drawn = new ImageData(map.width, map.height);
    for (let i = 0; i < drawn.data.length; i += 4) {
        drawn.data.set(colours[map.data[i]], i);
    }
    put(canvas, drawn);
}

/** @returns {string} the map's colours as a CSS gradient */
export function rampGradient() {
    const stops = RAMP.map(([factor, ...rgb]) => `rgb(${rgb}) ${(factor / MAP_TOP) * 100}%`);
    return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** @returns {number[]} red, green, blue, alpha */
function rampColour(factor) {
    const next = Math.max(1, RAMP.findIndex(([stop]) => stop >= factor - 1e-6));
    const [low, high] = [RAMP[next - 1], RAMP[next]];
    const part = (factor - low[0]) / (high[0] - low[0]);
    const mix = (channel) => low[channel] + part * (high[channel] - low[channel]);
    return [mix(1), mix(2), mix(3), MAP_ALPHA];
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} pixels
 */
function put(canvas, pixels) {
    canvas.width = pixels.width;
    canvas.height = pixels.height;
    canvas.getContext("2d").putImageData(pixels, 0, 0);
}
