"""Files appear whole or not at all."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from fixative.errors import SettingError
from fixative.pictures import atomic_file, write_text


def test_nothing_is_left_by_an_error_or_an_interrupt(tmp_path: Path) -> None:
    def broken(kind: type[BaseException]) -> None:
        with atomic_file(tmp_path / "a") as temporary:
            temporary.write_bytes(b"half")
            raise kind

    for kind in (ValueError, KeyboardInterrupt):
        with pytest.raises(kind):
            broken(kind)
        assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_whole_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with atomic_file(path, overwrite=True) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_to_replace(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(SettingError, match="exists already"), atomic_file(tmp_path / "a"):
        pass
    with pytest.raises(SettingError, match="is a folder"):
        write_text(tmp_path, "x", overwrite=True)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def outrun() -> None:
        with atomic_file(tmp_path / "b") as temporary:
            temporary.write_text("mine")
            (tmp_path / "b").write_text("theirs")

    with pytest.raises(SettingError, match="exists already"):
        outrun()
    assert (tmp_path / "b").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError), atomic_file(tmp_path / "file" / "a"):  # noqa: PT011
        pass


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_ordinary_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


def test_text_of_odd_names(tmp_path: Path) -> None:
    write_text(tmp_path / "a", '"é\udcff"')
    assert re.fullmatch(rb'"\xc3\xa9\\udcff"', (tmp_path / "a").read_bytes())
