"""What a wheel carries; what the registry gets is tested in test_publishing.py."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built of this checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-q", "-w", str(folder), str(checkout)], check=True)
    with zipfile.ZipFile(next(folder.glob("fixative-*.whl"))) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package_and_its_weights_only(wheel: list[str], checkout: Path) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fixative"}
    shipped = {f"fixative/_weights/{path.name}" for path in (checkout / "weights").iterdir()}
    assert shipped <= set(wheel)
    assert "fixative/__main__.py" in wheel
    assert {f"fixative/protocols/{name}.yaml" for name in ("quick", "paper")} <= set(wheel)
    assert "fixative/evaluation/report.html.j2" in wheel
    assert any(name.endswith("entry_points.txt") for name in wheel)
