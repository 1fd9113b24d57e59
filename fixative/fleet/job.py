"""What every worker is told, and the hashes that tell results of one job from another's."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fixative.batch import EngineChoice, FileOptions, build_protector, describe_engine
from fixative.batch.filters import Filters
from fixative.errors import SettingError
from fixative.fleet.storage import OWN_FOLDER, Store, file_digest, open_store
from fixative.pictures import ReadLimits, output_format
from fixative.protector import Protector

_FORMAT = "fixative-fleet-1"


@dataclass(frozen=True)
class FleetRequest:
    """What the person asked for.

    Attributes:
        source: a folder or a picture, as a path or an address that fsspec knows.
        out: the folder for the results, likewise.
        engine: codec, mixture and settings; files that it names must be on every machine.
        output: name of the output format.
        filters: which of the pictures in folders are meant.
        overwrite: replace results that are of other sources or settings.
        max_megapixels: the largest picture that is read.
        address: of a Ray cluster (``auto``, ``host:6379``); None to use this machine's cores.
        workers: fewest and most at a time; None for 1 up to the cores there are.
        results: a ``.jsonl`` or ``.parquet`` file for a row a picture, as a path or an address.
        storage_options: of the stores' file systems, by protocol: {"s3": {"endpoint_url": …}}.
    """

    source: str
    out: str
    engine: EngineChoice = field(default_factory=EngineChoice)
    output: str = "png"
    filters: Filters = field(default_factory=Filters)
    overwrite: bool = False
    max_megapixels: float = 64.0
    address: str | None = None
    workers: tuple[int, int] | None = None
    results: str | None = None
    storage_options: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers[0] <= self.workers[1]:
            least, most = self.workers
            raise SettingError(
                f"workers: expected the fewest and the most, 1 or more; got {least} to {most}"
            )

    def options_for(self, url: str) -> Mapping[str, Any]:
        """The options of the store that an address names."""
        return self.storage_options.get(url.partition("://")[0] if "://" in url else "file", {})

    def file_options(self) -> FileOptions:
        """How a worker reads and writes its files, which are copies of its own."""
        limits = ReadLimits(megapixels=self.max_megapixels)
        return FileOptions(output=output_format(self.output), overwrite=True, limits=limits)


@dataclass(frozen=True)
class Job:
    """A request as the workers get it.

    Attributes:
        request: what the person asked for.
        settings: the digest of all that results depend on besides their sources.
        name: of this run of it, for its own files.
    """

    request: FleetRequest
    settings: str
    name: str

    @property
    def folder(self) -> str:
        """Of the list and of files that are not yet whole, relative to the results."""
        return f"{OWN_FOLDER}/jobs/{self.name}"

    def stores(self) -> tuple[Store, Store]:
        """The stores of the sources and of the results.

        Raises:
            SettingError: one of them cannot be reached from here.
        """
        request = self.request
        source = open_store(request.source, request.options_for(request.source))
        out = open_store(request.out, request.options_for(request.out))
        return source, replace(out, scratch=f"{self.folder}/scratch")


def begin_job(request: FleetRequest) -> Job:
    """Name a run, and find out what its results depend on.

    Raises:
        FixativeError: the engine cannot be loaded.
    """
    settings = settings_digest(request, build_protector(request.engine))
    return Job(request, settings, f"{time.time_ns():x}")


def settings_digest(request: FleetRequest, protector: Protector) -> str:
    """The sha256 of what a result depends on besides its source: engine, settings, format."""
    engine = describe_engine(request.engine, protector)
    codec = Path(request.engine.codec)
    if codec.is_dir():  # describe_engine hashes files only
        engine["codec"]["files"] = _folder_digests(codec)
    facts = {
        "format": _FORMAT,
        "settings": asdict(request.engine.settings),
        "output": request.output,
        **engine,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def content_key(source: str, settings: str) -> str:
    """What a result is recognised by: its source's sha256 and its settings' digest, in one."""
    return hashlib.sha256(f"{source} {settings}".encode()).hexdigest()


def _folder_digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
