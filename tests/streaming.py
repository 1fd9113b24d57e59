"""Run a folder through the stream with toy models, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fixative.batch.decide import Decider
from fixative.batch.here import Here
from fixative.batch.job import Finished
from fixative.batch.ledger import NAME, open_ledger
from fixative.batch.listing import Listing
from fixative.batch.pipeline import Pipeline
from fixative.batch.run import FileOptions
from fixative.batch.stream import Crew, Streaming
from fixative.pictures import OUTPUT_FORMATS
from tests.picture_files import save_photo
from tests.toy_models import toy_protector


@dataclass
class Run:
    """What a run did."""

    finished: list[Finished]
    skipped: dict[str, int]

    @property
    def protected(self) -> list[str]:
        """Names of the pictures that were computed."""
        return [f.result.source.name for f in self.finished if f.result.report is not None]

    @property
    def unchanged(self) -> list[str]:
        """Names of the pictures that were done before."""
        return [f.result.source.name for f in self.finished if f.result.unchanged]

    @property
    def errors(self) -> list[str]:
        """Why the others failed."""
        return [f.result.error for f in self.finished if f.result.error]


def fill(folder: Path, count: int, *, width: int = 96, height: int = 64) -> None:
    """Different pictures, some in sub-folders."""
    for number in range(count):
        place = folder if number % 3 else folder / f"s{number % 2}"
        save_photo(place / f"{number:03}.png", width, height, seed=number)


def stream(
    inputs: Path | list[Path],
    out: Path,
    *,
    settings: str = "one",
    overwrite: bool = False,
    limit: int | None = None,
    crew: Crew | None = None,
) -> Run:
    """Protect a folder; with ``limit``, stop is asked for after so many."""
    out.mkdir(parents=True, exist_ok=True)
    listing = Listing(
        [inputs] if isinstance(inputs, Path) else inputs, out, output=OUTPUT_FORMATS["png"]
    )
    finished: list[Finished] = []
    crew = crew or Here(Pipeline(toy_protector(), FileOptions()))
    with open_ledger(out) as ledger:
        decider = Decider(listing, ledger, settings, overwrite=overwrite)
        running = Streaming(listing, decider, lambda: len(finished) == limit)
        for item in running.run(crew):
            finished.append(item)
    return Run(finished, dict(listing.skipped))


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the ledger, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(NAME)
    }
