"""The files of a set of shards: in a folder, or in any store that fsspec reads."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from fixative.errors import FixativeError, ImageError, SettingError

INDEX = "index.json"
#: Key, in a shard, of a picture's kind; the picture's own key is its file's ending.
KIND = "kind"


def is_address(place: Path | str) -> bool:
    """Whether a place is in a store (``s3://bucket/shards``) and not a folder of this machine."""
    return isinstance(place, str) and "://" in place


class ShardFolder:
    """What `pack_shards` wrote, to be read.

    Args:
        place: a folder, or the address of one.

    Raises:
        SettingError: an unknown kind of store, or one whose package is not installed.
    """

    def __init__(self, place: Path | str) -> None:
        self._folder = Path(place)
        self._store = None
        if is_address(place):
            from fixative.fleet.storage import open_store  # noqa: PLC0415 - loads much

            self._store = open_store(str(place))

    def index(self) -> list[dict[str, Any]]:
        """Each shard's file and how many pictures of each kind it holds.

        Raises:
            ImageError: no index, or nothing in it.
        """
        try:
            with self._opened(INDEX) as file:
                found = json.loads(file.read())["shards"]
        except (KeyError, ValueError, ImageError) as error:
            raise ImageError(
                f"training shards: {self._label(INDEX)} is no index of shards ({error}); make one "
                "with fixative train shards"
            ) from error
        if not found:
            raise ImageError(
                f"training shards: {self._label(INDEX)} names no shard; pack them again"
            )
        return found

    def records(self, name: str) -> Generator[tuple[str, bytes], None, None]:
        """Kind and bytes of every picture of a shard, in order.

        Raises:
            ImageError: it is missing, or cannot be read.
        """
        tariterators = webdataset().tariterators
        with self._opened(name) as stream:
            files = tariterators.tar_file_expander([{"url": name, "stream": stream}])
            for sample in tariterators.group_by_keys(files):
                kind = sample.pop(KIND).decode()
                (data,) = (value for key, value in sample.items() if not key.startswith("__"))
                yield kind, data

    @contextmanager
    def _opened(self, name: str) -> Generator[IO[bytes], None, None]:
        try:
            with self._file(name) as file:
                yield file
        except FileNotFoundError as error:
            raise ImageError(
                f"training shards: no file {self._label(name)}; bring it back, or pack them again"
            ) from error
        except (FixativeError, ValueError, KeyError):
            raise
        except Exception as error:  # each store's client has failures of its own
            raise ImageError(
                f"training shards: {self._label(name)} cannot be read ({error}); "
                "see that it is there and may be read"
            ) from error

    def _file(self, name: str) -> AbstractContextManager[IO[bytes]]:
        if self._store is None:
            return (self._folder / name).open("rb")
        opened = self._store.fs.open(self._store.path(name), "rb")
        return cast("AbstractContextManager[IO[bytes]]", opened)

    def _label(self, name: str) -> str:
        return str(self._folder / name) if self._store is None else self._store.label(name)


def webdataset() -> Any:
    """The package.

    Raises:
        SettingError: it is not installed.
    """
    try:
        import webdataset as found  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingError(
            "training shards need webdataset; pip install 'fixative[distributed]'"
        ) from error
    return found
