"""What the host is told of the node, and what it refuses before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from fixative.mixture import find_mixture
from tests.host.client import BadRequestError, ComfyClient
from tests.host.graphs import NODE, picture, protect_graph
from tests.host.server import RunningHost

pytestmark = pytest.mark.host


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"strength": 33.0}, "value_bigger_than_max"),
        ({"strength": -1.0}, "value_smaller_than_min"),
        ({"target": "sideways"}, "custom_validation_failed"),
        ({"strength_map": "guessed"}, "custom_validation_failed"),
        ({"mixture": "nowhere.safetensors"}, "custom_validation_failed"),
        ({"image": ["vae", 0]}, "return_type_mismatch"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    client: ComfyClient, given: dict[str, Any], problem: str
) -> None:
    graph = protect_graph(client.upload("bad.png", picture(16, 16)), **given)
    with pytest.raises(BadRequestError) as caught:
        client.run(graph)
    errors = caught.value.details["node_errors"][NODE]["errors"]
    assert {error["type"] for error in errors} == {problem}
    name, value = next(iter(given.items()))
    assert name in errors[0]["details"]
    assert problem != "custom_validation_failed" or f"got {value!r}" in errors[0]["details"]


def test_the_node_as_saved_workflows_know_it(client: ComfyClient) -> None:
    """Ids, order, types, bounds and defaults: a change here breaks people's workflows."""
    info = client.object_info("FixativeProtectImage")
    assert info["display_name"] == "Protect Image (Fixative)"
    assert info["category"] == "fixative"
    assert info["input_order"] == {
        "required": ["image", "vae", "strength", "target", "strength_map", "mixture"],
        "optional": ["mask"],
        "hidden": ["unique_id"],
    }
    inputs = {**info["input"]["required"], **info["input"]["optional"]}
    kinds = {name: kind for name, (kind, *_) in inputs.items()}
    assert kinds == {
        "image": "IMAGE",
        "vae": "VAE",
        "strength": "FLOAT",
        "target": "COMBO",
        "strength_map": "COMBO",
        "mixture": "COMBO",
        "mask": "MASK",
    }
    options = {name: entry[1] for name, entry in inputs.items()}
    bounds = {key: options["strength"][key] for key in ("default", "min", "max", "step")}
    assert bounds == {"default": 8.0, "min": 0.0, "max": 32.0, "step": 0.5}
    assert options["target"]["options"] == ["auto", "low", "mid", "high"]
    assert options["strength_map"]["options"] == ["learned", "lpips", "off"]
    offered = options["mixture"]["options"]  # other tests may have trained some
    assert offered[0] == "auto"
    assert find_mixture("sd1").name in offered[1:]
    defaults = [options[name]["default"] for name in ("target", "strength_map", "mixture")]
    assert defaults == ["auto", "learned", "auto"]
    assert all(entry["tooltip"] for entry in options.values())
    assert info["output"] == ["IMAGE", "MASK", "IMAGE", "STRING"]
    assert info["output_name"] == ["image", "strength map", "difference ×10", "report"]
    assert all(info["output_tooltips"])


def test_the_pack_loads_quietly_with_its_help(host: RunningHost, client: ComfyClient) -> None:
    text = host.log_text()
    assert "Fixative" in text
    assert "IMPORT FAILED): " + str(host.base / "custom_nodes") not in text
    assert (host.base / "models" / "fixative").is_dir()
    page = client.text("/extensions/Fixative/docs/FixativeProtectImage.md")
    assert page.startswith("# Protect Image (Fixative)")
