"""Makes the README's pictures of the tab: ``python -m tests.webui.make_pictures FOLDER``.

Shown are photographs that come inside scikit-image and may be published. The mimicry test takes
some minutes of a processor: its LoRAs are trained as long as those of a quick test.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from fixative.demo import find_pictures
from fixative.pictures import read_picture
from tests.browser.chromium import WHAT_TO_DO, find_chromium, running_browser
from tests.webui.server import running_webui
from tests.webui.tab_page import TabPage

FLAVOUR = "a1111-1.10.1"
WIDTH, WIDE, SIDE = 1180, 1360, 512
#: Of the mimicry test: one LoRA of each kind.
MIMICRY = {"countermeasures": "", "baseline": "", "seeds": "1", "samples": "4"}
#: Left, top and side of its pictures, in the square photograph that they are cut from.
VIEWS = ((0, 0, 448), (64, 0, 448), (32, 64, 448))


def main(out: Path) -> None:
    """Click through the sub-tabs and take a picture of each."""
    path = find_chromium()
    if path is None:
        raise SystemExit(WHAT_TO_DO)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_browser(path) as browser:
        place = Path(folder)
        pictures = [_small(picture, place) for picture in find_pictures()[:3]]
        with running_webui(FLAVOUR, place / "host", "--api") as webui:
            tab = TabPage(browser, webui, width=WIDTH)
            for name, show in STEPS.items():
                show(tab, pictures, place)
                tab.save(out / f"webui_{name}.png")


def _protect(tab: TabPage, pictures: list[Path], place: Path) -> None:
    tab.open("Protect", "One picture")
    tab.give("protect_one_picture", pictures[0])
    tab.run("protect_one")
    tab.downloads("protect_one", place / "got", 1)


def _batch(tab: TabPage, pictures: list[Path], place: Path) -> None:
    del place
    tab.open("Protect", "Batch of files")
    tab.give("protect_batch_pictures", *pictures)
    tab.run("protect_batch")


def _purify(tab: TabPage, pictures: list[Path], place: Path) -> None:
    del pictures
    [protected] = (place / "got").iterdir()
    tab.open("Purify")
    tab.give("purify_picture", protected)
    tab.write("purify_written", "jpeg:75+resize:0.5")
    tab.run("purify")


def _compare(tab: TabPage, pictures: list[Path], place: Path) -> None:
    [protected] = (place / "got").iterdir()
    tab.open("Compare")
    tab.give("compare_before", pictures[0])
    tab.give("compare_after", protected)
    tab.run("compare")
    tab.view("compare").locator("select").select_option("difference")


def _inspect(tab: TabPage, pictures: list[Path], place: Path) -> None:
    [protected] = (place / "got").iterdir()
    tab.open("Inspect")
    tab.give("inspect_pictures", protected, *pictures)
    tab.run("inspect")


def _mimicry(tab: TabPage, pictures: list[Path], place: Path) -> None:
    tab.page.set_viewport_size({"width": WIDE, "height": 900})  # the table has many columns
    tab.open("Mimicry test")
    tab.give("mimicry_pictures", *_views(pictures[1], place))
    for field, text in MIMICRY.items():
        tab.write(f"mimicry_{field}", text)
    tab.run("mimicry")
    tab.loaded(tab.page.locator("#fixative_mimicry_view img"))


STEPS: dict[str, Callable[[TabPage, list[Path], Path], None]] = {
    "protect": _protect,
    "batch": _batch,
    "purify": _purify,
    "compare": _compare,
    "inspect": _inspect,
    "mimicry": _mimicry,
}


def _small(source: Path, place: Path) -> Path:
    """The centre square of a photograph."""
    image = read_picture(source).image().convert("RGB")
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    path = place / f"{source.stem}.png"
    square = image.crop((left, top, left + side, top + side))
    square.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path)
    return path


def _views(source: Path, place: Path) -> list[Path]:
    """Three pictures of one subject, since an imitator wants several."""
    paths: list[Path] = []
    for number, (left, top, side) in enumerate(VIEWS, start=1):
        paths.append(place / f"{source.stem}_{number}.png")
        read_picture(source).image().crop((left, top, left + side, top + side)).save(paths[-1])
    return paths


if __name__ == "__main__":
    main(Path(sys.argv[1]))
