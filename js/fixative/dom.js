/** Small helpers to build elements. */

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes ``text`` is what it says
 * @param {...Node} children
 * @returns {any} the element
 */
export function make(tag, { text, ...attributes } = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    element.append(...children);
    return element;
}

/**
 * A button that never submits anything.
 * @param {string} text
 * @param {string} label what a screen reader says, and the tooltip
 * @param {() => void} onClick
 * @returns {HTMLButtonElement}
 */
export function button(text, label, onClick) {
    const element = make("button", { type: "button", text, title: label, "aria-label": label });
    element.addEventListener("click", onClick);
    return element;
}

/** Load the stylesheet beside this file, once a page. */
export function loadStyle() {
    const address = new URL("./compare.css", import.meta.url).href;
    if (document.querySelector(`link[href="${address}"]`)) return;
    document.head.append(make("link", { rel: "stylesheet", href: address }));
}

/**
 * Run ``after`` whenever the node's own handler ran.
 * @param {object} node a LiteGraph node
 * @param {string} name of the handler
 * @param {(...given: any[]) => void} after
 */
export function chain(node, name, after) {
    const before = node[name];
    node[name] = function (...given) {
        const result = before?.apply(this, given);
        after(...given);
        return result;
    };
}
