/** How a comparison is looked at, and how that survives in a saved workflow. */

/**
 * @typedef {object} Pair what the server tells of one picture
 * @property {number} width in pixels
 * @property {number} height in pixels
 * @property {import("./pictures.js").Reference} before
 * @property {import("./pictures.js").Reference} after
 * @property {import("./pictures.js").Reference | null} map
 */

/**
 * @typedef {object} View
 * @property {"slider" | "difference"} mode
 * @property {number} position of the divider, 0 (left) to 100
 * @property {number} amplification of the difference, 1 to 50
 * @property {boolean} map whether the strength map is laid over
 * @property {number} picture number of the picture shown, from 0
 * @property {number} zoom 0 = fitted; else screen pixels a picture pixel
 */

export const MAX_AMPLIFICATION = 50;
export const ZOOMS = [0, 1, 4];

/** @type {View} */
const FRESH = {
    mode: "slider",
    position: 50,
    amplification: 10,
    map: false,
    picture: 0,
    zoom: 0,
};

/**
 * A view from whatever a workflow held: what is missing or bad is as in a new node.
 * @param {any} given
 * @returns {View}
 */
export function viewFrom(given) {
    const view = { ...FRESH };
    if (given?.mode === "difference") view.mode = "difference";
    view.position = within(given?.position, 0, 100, FRESH.position);
    view.amplification = within(given?.amplification, 1, MAX_AMPLIFICATION, FRESH.amplification);
    view.map = given?.map === true;
    view.picture = Math.round(within(given?.picture, 0, Infinity, 0));
    if (ZOOMS.includes(given?.zoom)) view.zoom = given.zoom;
    return view;
}

/**
 * @param {any} given
 * @returns {Pair[]} those entries that can be shown
 */
export function pairsFrom(given) {
    return Array.isArray(given) ? given.filter((one) => one?.before && one?.after) : [];
}

/** @returns {number} the value inside its bounds, or the default where it is no number */
export function within(value, low, high, otherwise) {
    return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise;
}
