// What the host's own scripts offer to an extension's: page callbacks, the progress bar, accordions.

function gradioApp() {
    return document;
}

const callbacks = { update: [], afterUpdate: [], loaded: [], tabChange: [], options: [] };
const onUiUpdate = (callback) => callbacks.update.push(callback);
const onAfterUiUpdate = (callback) => callbacks.afterUpdate.push(callback);
const onUiLoaded = (callback) => callbacks.loaded.push(callback);
const onUiTabChange = (callback) => callbacks.tabChange.push(callback);
const onOptionsChanged = (callback) => callbacks.options.push(callback);
const onOptionsAvailable = (callback) => callback();

function tell(listeners, said) {
    for (const listener of listeners) {
        try {
            listener(said);
        } catch (error) {
            console.error("error running callback", listener, ":", error);
        }
    }
}

function get_uiCurrentTab() {
    return document.querySelector("#tabs > .tab-nav > button.selected");
}

function get_uiCurrentTabContent() {
    return document.querySelector('#tabs > .tabitem[id^=tab_]:not([style*="display: none"])');
}

document.addEventListener("DOMContentLoaded", () => {
    let isLoaded = false, currentTab = null, soon = null;
    const watch = new MutationObserver((changes) => {
        if (!isLoaded && document.querySelector("#txt2img_prompt")) {
            isLoaded = true;
            tell(callbacks.loaded);
        }
        tell(callbacks.update, changes);
        clearTimeout(soon);
        soon = setTimeout(() => tell(callbacks.afterUpdate), 200);
        const tab = get_uiCurrentTab();
        if (tab && tab !== currentTab) {
            currentTab = tab;
            tell(callbacks.tabChange);
        }
    });
    watch.observe(document, { childList: true, subtree: true });
});

function updateInput(target) {
    target.dispatchEvent(new Event("input", { bubbles: true }));
}

function randomId() {
    return `task(${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)})`;
}

function request(url, data, handler, errorHandler) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" } };
    fetch(url, { ...options, body: JSON.stringify(data) })
        .then((response) => (response.ok ? response.json() : Promise.reject(response.status)))
        .then(handler, errorHandler);
}

function requestProgress(
    id_task, progressbarContainer, gallery, atEnd, onProgress, inactivityTimeout = 40
) {
    const started = Date.now(), parent = progressbarContainer.parentNode;
    const outer = document.createElement("div"), inner = document.createElement("div");
    outer.className = "progressDiv";
    inner.className = "progress";
    outer.appendChild(inner);
    parent.insertBefore(outer, progressbarContainer);
    let wasActive = false, isOver = false;

    const end = () => {
        if (isOver) return;
        isOver = true;
        outer.remove();
        atEnd();
    };
    const show = (answer) => {
        const share = Math.round((answer.progress || 0) * 100);
        inner.style.width = `${share}%`;
        inner.textContent = `${answer.textinfo || ""} ${share ? `${share}%` : ""}`.trim();
    };
    const ask = () => request("./internal/progress", { id_task, live_preview: false }, (answer) => {
        if (answer.completed) return end();
        show(answer);
        wasActive = wasActive || answer.active;
        const isIdle = !answer.active && !answer.queued;
        const isLate = (Date.now() - started) / 1000 > inactivityTimeout;
        if ((!answer.active && wasActive) || (isLate && isIdle)) return end();
        if (onProgress) onProgress(answer);
        setTimeout(ask, opts.live_preview_refresh_period || 500);
    }, end);
    ask();
}

// Gradio gives the outputs too, three of them; its fourth version takes them for inputs.
function submitWithProgress(part, given) {
    const task = randomId(), results = given.slice(0, -3);
    const gallery = document.getElementById(`${part}_gallery`);
    requestProgress(task, document.getElementById(`${part}_gallery_container`), gallery, () => {});
    results[0] = task;
    return results;
}

const submit_txt2img = (...given) => submitWithProgress("txt2img", given);
const submit_extras = (...given) => submitWithProgress("extras", given);

function inputAccordionChecked(id, checked) {
    const accordion = document.getElementById(id);
    accordion.visibleCheckbox.checked = checked;
    accordion.follow();
}

function setUpAccordion(accordion) {
    const label = accordion.querySelector(".label-wrap");
    const hidden = document.querySelector(`#${accordion.id}-checkbox input`);
    const isOpen = () => label.classList.contains("open");
    const visible = document.createElement("input");
    visible.type = "checkbox";
    visible.id = `${accordion.id}-visible-checkbox`;
    visible.className = "input-accordion-checkbox";
    visible.checked = isOpen();
    accordion.visibleCheckbox = visible;
    let isLinked = true;
    accordion.follow = () => {
        if (isLinked && isOpen() !== visible.checked) label.click();
        hidden.checked = visible.checked;
        updateInput(hidden);
    };
    const follows = new MutationObserver(() => {
        accordion.classList.toggle("input-accordion-open", isOpen());
        if (!isLinked) return;
        visible.checked = isOpen();
        accordion.follow();
    });
    follows.observe(label, { attributes: true, attributeFilter: ["class"] });
    visible.addEventListener("click", (event) => {
        isLinked = false;
        event.stopPropagation();
    });
    visible.addEventListener("input", accordion.follow);
    label.querySelector("span").prepend(visible);
    const extra = document.getElementById(`${accordion.id}-extra`);
    if (extra) label.insertBefore(extra, label.lastElementChild);
}

onUiLoaded(() => document.querySelectorAll(".input-accordion").forEach(setUpAccordion));
