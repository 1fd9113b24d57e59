"""The published files alone, in a folder of their own, load in the real host."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.host.build import BuiltHost
from tests.host.client import ComfyClient
from tests.host.server import running_host
from tests.publishing import published_files

pytestmark = pytest.mark.host


def test_it_loads_with_all_its_nodes_and_texts(
    built_host: BuiltHost, checkout: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "pack"
    try:
        files = published_files(checkout)
    except FileNotFoundError as error:
        pytest.skip(f"not a git checkout: {error}")
    for path in files:
        target = pack / path.relative_to(checkout)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    expected = json.loads((checkout / "locales" / "en" / "nodeDefs.json").read_text("utf-8"))
    with running_host(built_host, tmp_path / "host", pack=pack) as host:
        client = ComfyClient(host.address)
        found = {node for node in client.all_object_info() if node.startswith("Fixative")}
        assert found == set(expected), host.log_text()[-2000:]
        assert set(json.loads(client.text("/i18n"))) >= {"en", "zh", "ja", "ko"}
        scripts = json.loads(client.text("/extensions"))
        assert any(name.startswith("/extensions/Fixative/") for name in scripts)
        for node in expected:
            assert client.text(f"/extensions/Fixative/docs/{node}.md").startswith("# ")
        assert "IMPORT FAILED): " + str(host.base / "custom_nodes") not in host.log_text()
