"""``python -m fixative.demo``: protect real pictures that lie inside a package, and show it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from fixative.cli.compare import compare
from fixative.cli.console import clear_errors, results, say
from fixative.errors import FixativeError
from fixative.pictures.atomic import write_text

#: Photographs inside the package scikit-image; nothing is downloaded.
PICTURES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
)
_COLUMNS = ("picture", "size", "target", "pull", "largest change", "PSNR", "seconds")


def find_pictures() -> tuple[Path, ...]:
    """The demo's pictures.

    Raises:
        FixativeError: scikit-image is not installed, or comes without them.
    """
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise FixativeError("demo: its pictures come in scikit-image; pip install 'fixative[demo]'")
    folder = Path(spec.origin).parent / "data"
    found = tuple(folder / name for name in PICTURES if (folder / name).is_file())
    if not found:
        raise FixativeError(f"demo: no pictures in {folder}; pip install 'fixative[demo]' again")
    return found


def run_demo(out: Path) -> int:
    """Write protected pictures, comparison sheets and a report into a folder.

    Args:
        out: the folder; what an earlier run left there is replaced.

    Returns:
        The exit code: 0, or 2 if a picture failed.
    """
    from fixative.batch import EngineChoice  # noqa: PLC0415 - PyTorch loads for seconds
    from fixative.cli.protect_run import Request, run  # noqa: PLC0415

    request = Request(
        inputs=find_pictures(),
        out=out / "protected",
        engine=EngineChoice(),
        output="png",
        mask=None,
        report=out / "report.json",
        overwrite=True,
        max_megapixels=64.0,
    )
    out.mkdir(parents=True, exist_ok=True)
    code = run(request)
    report: dict[str, Any] = json.loads((out / "report.json").read_text("utf-8"))
    done: list[dict[str, Any]] = [entry for entry in report["pictures"] if entry["ok"]]
    for entry in done:
        sheet = out / "compare" / Path(entry["output"]).name
        compare(Path(entry["source"]), Path(entry["output"]), sheet, overwrite=True)
    write_text(out / "report.md", markdown(report), overwrite=True)
    say(results(), f"report: {out / 'report.md'}")
    return code


def markdown(report: dict[str, Any]) -> str:
    """A short report for people, from the JSON one."""
    settings = report["settings"]
    lines = [
        "# Fixative demo",
        "",
        f"Pictures from scikit-image, protected at {settings['strength']:g}/255 with the embedded "
        f"model, strength map {settings['strength_map']}. Pull: how much of the way to the target "
        "the latents went (1 = reached, 0 = no effect).",
        "",
        _row(_COLUMNS),
        _row("---" for _ in _COLUMNS),
    ]
    lines += [_row(_cells(entry)) for entry in report["pictures"] if entry["ok"]]
    failed = [entry["error"] for entry in report["pictures"] if not entry["ok"]]
    lines += ["", *(f"Failed: {line}" for line in failed)]
    return "\n".join(lines).rstrip() + "\n"


def _cells(entry: dict[str, Any]) -> list[str]:
    name = Path(entry["output"]).name
    width, height = entry["size"]
    return [
        f"[{name}](protected/{name}) ([sheet](compare/{name}))",
        f"{width} × {height}",
        entry["target"],
        f"{entry['pull']:.2f}",
        f"{entry['max_change']}/255",
        "no change" if entry["psnr"] is None else f"{entry['psnr']:.1f} dB",
        f"{entry['seconds']:.2f}",
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")] = Path("demo"),
) -> None:
    """Protect real pictures and write what there is to see into a folder."""
    with clear_errors():
        code = run_demo(out)
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
