"""The cluster file is one that Ray takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

CLUSTER = Path(__file__).resolve().parent.parent / "docs/ray-cluster.yaml"


def test_the_cluster_file_is_of_rays_schema() -> None:
    ray: Any = pytest.importorskip("ray")
    jsonschema: Any = pytest.importorskip("jsonschema")
    place = Path(ray.__file__).parent / "autoscaler/ray-schema.json"
    schema = json.loads(place.read_text("utf-8"))
    cluster = yaml.safe_load(CLUSTER.read_text("utf-8"))
    jsonschema.validate(cluster, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**cluster, "max_machines": 1}, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
