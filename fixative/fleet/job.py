"""What every worker is told, and the hashes that tell results of one job from another's."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fixative.batch import EngineChoice, FileOptions, build_protector, describe_engine
from fixative.batch.filters import Filters
from fixative.batch.plan import absolute
from fixative.codecs import EMBEDDED
from fixative.errors import SettingError
from fixative.fleet.storage import JOBS_FOLDER, OWN_FOLDER, Store, file_digest, open_store
from fixative.pictures import ReadLimits, output_format
from fixative.protector import Protector

_FORMAT = "fixative-fleet-1"


def load_engine(choice: EngineChoice) -> tuple[Protector, dict[str, Any]]:
    """Load codec and mixture, and say what they are in JSON types.

    Raises:
        FixativeError: something is unknown, damaged, out of range or does not fit together.
    """
    protector = build_protector(choice)
    described = describe_engine(choice, protector)
    codec = Path(choice.codec)
    if codec.is_dir():  # describe_engine hashes files only
        described["codec"]["files"] = _folder_digests(codec)
    return protector, described


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
        check: read all that is done already and compare its hashes, instead of trusting sizes,
            times and ETags.
        max_megapixels: the largest picture that is read.
        address: of a Ray cluster (``auto``, ``host:6379``); None to use this machine's cores.
        workers: fewest and most at a time; None for all of this machine's cores, or on a cluster
            for as many as it has or is given.
        results: a ``.jsonl`` or ``.parquet`` file for a row a picture, as a path or an address.
        storage_options: of the stores' file systems, by protocol: {"s3": {"endpoint_url": …}}.
        load: makes the engine, on each machine; sent to the workers, so it must be picklable.
    """

    source: str
    out: str
    engine: EngineChoice = field(default_factory=EngineChoice)
    output: str = "png"
    filters: Filters = field(default_factory=Filters)
    overwrite: bool = False
    check: bool = False
    max_megapixels: float = 64.0
    address: str | None = None
    workers: tuple[int, int] | None = None
    results: str | None = None
    storage_options: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    load: Callable[[EngineChoice], tuple[Protector, dict[str, Any]]] = load_engine

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers[0] <= self.workers[1]:
            least, most = self.workers
            raise SettingError(
                f"workers: expected the fewest and the most, 1 or more; got {least} to {most}"
            )
        if self.address is not None and self.address.startswith("ray://"):
            raise SettingError(
                f"address: {self.address} is for Ray's client, which this does not speak; "
                "run the command on a machine of the cluster with --address auto"
            )

    def everywhere(self) -> FleetRequest:
        """The same with paths from the root, as workers run in folders of their own."""
        engine = self.engine
        codec = engine.codec if engine.codec == EMBEDDED else str(absolute(Path(engine.codec)))
        mixture = engine.mixture and absolute(engine.mixture)
        return replace(
            self,
            source=_absolute(self.source),
            out=_absolute(self.out),
            engine=replace(engine, codec=codec, mixture=mixture),
        )

    def stores(self, scratch: str = f"{OWN_FOLDER}/scratch") -> tuple[Store, Store]:
        """The stores of the sources and of the results.

        Raises:
            SettingError: one of them cannot be reached from here.
        """
        source = open_store(self.source, self.options_for(self.source))
        out = open_store(self.out, self.options_for(self.out))
        return source, replace(out, scratch=scratch)

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
        return f"{JOBS_FOLDER}/{self.name}"

    def stores(self) -> tuple[Store, Store]:
        """The stores of the sources and of the results.

        Raises:
            SettingError: one of them cannot be reached from here.
        """
        return self.request.stores(f"{self.folder}/scratch")


def begin_job(request: FleetRequest) -> Job:
    """Name a run, and find out what its results depend on.

    Raises:
        FixativeError: the engine cannot be loaded.
    """
    request = request.everywhere()
    _, described = request.load(request.engine)
    return Job(request, settings_digest(request, described), f"{time.time_ns():x}")


def settings_digest(request: FleetRequest, described: Mapping[str, Any]) -> str:
    """The sha256 of what a result depends on besides its source: engine, settings, format."""
    facts = {
        "format": _FORMAT,
        "settings": asdict(request.engine.settings),
        "output": request.output,
        **described,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _absolute(url: str) -> str:
    return url if "://" in url else str(absolute(Path(url)))


def content_key(source: str, settings: str) -> str:
    """What a result is recognised by: its source's sha256 and its settings' digest, in one."""
    return hashlib.sha256(f"{source} {settings}".encode()).hexdigest()


def _folder_digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
