"""Give files to a gradio page as a person does, and see that they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, expect

ATTEMPTS, UPLOAD_MS = 5, 10_000


def upload(place: Locator, paths: Sequence[Path]) -> None:
    """Choose files in a file component, instead of those that it has.

    Where gradio 3.41.2 redraws the component while it uploads, it drops the server's answer, shows
    "Uploading..." for ever, and would send empty files: they are given again, as a person would.

    Args:
        place: the component.
        paths: files.
    """
    for _ in range(ATTEMPTS):
        clear = place.get_by_role("button", name="Clear")
        if clear.count():  # of the files that were given before
            clear.first.click()
        place.locator("input[type=file]").set_input_files(list(paths))
        for path in paths:
            expect(place).to_contain_text(path.stem[:8], timeout=UPLOAD_MS)
        if _is_uploaded(place):
            return
    raise AssertionError(f"gradio did not take {paths}, {ATTEMPTS} times")


def _is_uploaded(place: Locator) -> bool:
    try:
        expect(place).not_to_contain_text("Uploading", timeout=UPLOAD_MS)
    except AssertionError:
        return False
    return True
