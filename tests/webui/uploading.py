"""Give files to a gradio page as a person does, and see that they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, expect

from tests.webui.server import RunningWebui

ATTEMPTS, SETTLE_MS = 5, 500


def upload(place: Locator, webui: RunningWebui, paths: Sequence[Path]) -> None:
    """Choose files in a file component, instead of those that it has.

    Under load gradio 3.41.2 now and then keeps an empty file of what a browser gives it, with any
    extension or none; such files are given again.

    Args:
        place: the component.
        webui: whose page it is on.
        paths: an empty one among them is meant.
    """
    for _ in range(ATTEMPTS):
        for file in _emptied(webui, paths):
            file.unlink()
        clear = place.get_by_role("button", name="Clear")
        if clear.count():  # of the files that were given before
            clear.first.click()
        place.locator("input[type=file]").set_input_files([_in_memory(path) for path in paths])
        for path in paths:
            expect(place).to_contain_text(path.stem[:8])
        place.page.wait_for_timeout(SETTLE_MS)
        if not _emptied(webui, paths):
            return
    raise AssertionError(f"gradio kept empty files of {paths}, {ATTEMPTS} times")


def _in_memory(path: Path) -> FilePayload:
    """A file that is given with its content: by its path it arrives empty more often."""
    return {"name": path.name, "mimeType": "image/png", "buffer": path.read_bytes()}


def _emptied(webui: RunningWebui, paths: Sequence[Path]) -> list[Path]:
    """What gradio has of these files without their content."""
    full = {path.name for path in paths if path.stat().st_size > 0}
    kept = (webui.base / "tmp").rglob("*")
    return [p for p in kept if p.name in full and p.is_file() and p.stat().st_size == 0]
