"""Graphs in the host's API format."""

from __future__ import annotations

from typing import Any

import numpy as np

from fixative.mixture import find_mixture
from tests.host.client import Graph, Pixels

NODE = "protect"


def protect_graph(*pictures: str, vae: str = "taesd", **settings: Any) -> Graph:
    """Load pictures, batch them, protect them, save all four outputs.

    Args:
        pictures: names of uploaded pictures of one size.
        vae: what the stock VAELoader loads.
        settings: inputs of the node that differ from its defaults.
    """
    graph: Graph = {"vae": {"class_type": "VAELoader", "inputs": {"vae_name": vae}}}
    image = add_batch(graph, pictures)
    defaults = {"strength": 8.0, "target": "auto", "strength_map": "learned", "mixture": "auto"}
    inputs = {"image": image, "vae": ["vae", 0], **defaults, **settings}
    graph[NODE] = {"class_type": "FixativeProtectImage", "inputs": inputs}
    graph["map"] = {"class_type": "MaskToImage", "inputs": {"mask": [NODE, 1]}}
    for name, source in {"image": [NODE, 0], "map": ["map", 0], "difference": [NODE, 2]}.items():
        inputs = {"images": source, "filename_prefix": name}
        graph[f"save {name}"] = {"class_type": "SaveImage", "inputs": inputs}
    graph["report"] = {"class_type": "PreviewAny", "inputs": {"source": [NODE, 3]}}
    return graph


def add_batch(graph: Graph, pictures: tuple[str, ...]) -> list[Any]:
    """Add nodes that load pictures as one batch; return the batch's socket."""
    batch: list[Any] = []
    for number, picture in enumerate(pictures):
        graph[f"load {number}"] = {"class_type": "LoadImage", "inputs": {"image": picture}}
        socket = [f"load {number}", 0]
        if batch:
            inputs = {"image1": batch, "image2": socket}
            graph[f"batch {number}"] = {"class_type": "ImageBatch", "inputs": inputs}
            socket = [f"batch {number}", 0]
        batch = socket
    return batch


def repeated(graph: Graph, times: int) -> Graph:
    """The same graph with the picture repeated to a batch."""
    inputs = {"image": graph[NODE]["inputs"]["image"], "amount": times}
    graph["repeat"] = {"class_type": "RepeatImageBatch", "inputs": inputs}
    graph[NODE]["inputs"]["image"] = ["repeat", 0]
    return graph


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth colour with some texture, (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 40
    planes = [np.sin(x * (c + 1) + seed) * np.cos(y * (3 - c)) * 80 + 128 for c in range(3)]
    noisy = np.stack(planes, -1) + random.normal(0, 12, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def chain_graph(*pictures: str, vae: str = "taesd", **settings: Any) -> Graph:
    """The same as ``protect_graph``, by the step-by-step nodes.

    Args:
        pictures: names of uploaded pictures of one size.
        vae: what the stock VAELoader loads.
        settings: Protect Image's inputs that differ from its defaults.
    """
    given = {"strength": 8.0, "target": "auto", "strength_map": "learned", **settings}
    graph: Graph = {"vae": {"class_type": "VAELoader", "inputs": {"vae_name": vae}}}
    image, pert = add_batch(graph, pictures), ["perturb", 0]
    mixture = {"name": find_mixture("sd1").name}
    assign: dict[str, Any] = {"image": image, "vae": ["vae", 0], "mixture": ["mixture", 0]}
    assign["target"] = given["target"]
    perturb = {"assignment": ["assign", 0], "mixture": ["mixture", 0]}
    apply: dict[str, Any] = {"image": image, "perturbation": pert}
    _add(graph, "mixture", "FixativeLoadMixture", **mixture)
    _add(graph, "assign", "FixativeAssignMixture", **assign)
    _add(graph, "perturb", "FixativeTargetPerturbation", **perturb, strength=given["strength"])
    if given["strength_map"] != "off":
        strength = {"image": image, "perturbation": pert, "visibility": given["strength_map"]}
        _add(graph, "strength", "FixativeAdaptiveStrength", **strength)
        _add(graph, "map", "MaskToImage", mask=["strength", 0])
        _add(graph, "save map", "SaveImage", images=["map", 0], filename_prefix="map")
        apply["map"] = ["strength", 0]
    if "mask" in given:
        apply["mask"] = given["mask"]
    _add(graph, "apply", "FixativeApplyPerturbation", **apply)
    saved = {"image": ["apply", 0], "difference": ["apply", 1], "preview": ["perturb", 1]}
    for name, source in saved.items():
        _add(graph, f"save {name}", "SaveImage", images=source, filename_prefix=name)
    _add(graph, "report", "PreviewAny", source=["apply", 2])
    return graph


def _add(graph: Graph, node: str, kind: str, **inputs: Any) -> None:
    graph[node] = {"class_type": kind, "inputs": inputs}
