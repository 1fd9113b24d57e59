"""Graphs around the mimicry nodes, in the host's API format: all on the testbed, and small."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.host.client import ComfyClient, Graph
from tests.host.graphs import add_batch, picture
from tests.host.platform_graphs import NODE

MIMICRY, EDIT = "FixativeLoraMimicryTest", "FixativeEditTest"
SIDE = 64
#: As little as shows that it works.
SMALL: dict[str, dict[str, Any]] = {
    MIMICRY: {
        "rank": 2,
        "steps": 3,
        "learning_rate": 0.0,
        "batch": 2,
        "layers": "attention",
        "repetitions": 1,
        "seed": 0,
        "samples": 2,
        "sampling_steps": 2,
        "guidance": 1.5,
        "side": SIDE,
        "fit": "window",
    },
    EDIT: {
        "denoise": 0.5,
        "seed": 0,
        "sampling_steps": 2,
        "guidance": 1.5,
        "side": SIDE,
        "fit": "window",
    },
}
TEXTS = {MIMICRY: (2, 3), EDIT: (1, 2)}


def mimicry_graph(
    client: ComfyClient,
    node: str,
    *,
    caption: str = "photo new1",
    counts: tuple[int, ...] = (3, 3),
    vae: str | None = None,
    **settings: Any,
) -> Graph:
    """Pictures with noise on them in the place of a protection.

    Args:
        client: uploads them.
        node: the node's id.
        caption: of Load Testbed.
        counts: clean, protected and perhaps purified pictures.
        vae: what the stock VAELoader loads; None: the testbed's.
        settings: inputs that differ from ``SMALL``.
    """
    graph: Graph = {"testbed": _node("FixativeLoadTestbed", caption=caption)}
    inputs: dict[str, Any] = {**SMALL[node]}
    outputs = {"model": 0, "vae": 1, "positive": 2, "negative": 3}
    inputs |= {name: ["testbed", number] for name, number in outputs.items()}
    if vae is not None:
        graph["vae"] = _node("VAELoader", vae_name=vae)
        inputs["vae"] = ["vae", 0]
    for name, count in zip(("clean", "protected", "purified"), counts, strict=False):
        part: Graph = {}
        pictures = [client.upload(f"{name} {n}.png", _drawn(name, n)) for n in range(count)]
        socket = add_batch(part, tuple(pictures))
        graph |= {f"{name} {key}": _renamed(value, name) for key, value in part.items()}
        inputs[name] = [f"{name} {socket[0]}", socket[1]]
    graph[NODE] = _node(node, **{**inputs, **settings})
    graph["grid"] = _node("SaveImage", images=[NODE, 0], filename_prefix="grid")
    for name, number in zip(("report", "json"), TEXTS[node], strict=True):
        graph[name] = _node("PreviewAny", source=[NODE, number])
    return graph


def add_drawing(graph: Graph, lora: int) -> Graph:
    """Save a LoRA with the host's own node, load it with another, and draw with KSampler."""
    graph["save"] = _node("SaveLoRA", lora=[NODE, lora], prefix="loras/mimicry", steps=3)
    put_on = {"model": ["testbed", 0], "lora": [NODE, lora], "strength_model": 1.0}
    graph["put on"] = _node("LoraModelLoader", **put_on)
    graph["empty"] = _node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1)
    for name, model in (("with", ["put on", 0]), ("without", ["testbed", 0])):
        graph[name] = _node(
            "KSampler",
            model=model,
            positive=["testbed", 2],
            negative=["testbed", 3],
            latent_image=["empty", 0],
            seed=1,
            steps=2,
            cfg=2.0,
            sampler_name="euler",
            scheduler="sgm_uniform",
            denoise=1.0,
        )
        graph[f"decode {name}"] = _node("VAEDecode", samples=[name, 0], vae=["testbed", 1])
        taken = {"images": [f"decode {name}", 0], "filename_prefix": name}
        graph[f"drawn {name}"] = _node("SaveImage", **taken)
    return graph


def _drawn(name: str, number: int) -> Any:
    clean = picture(SIDE + 16, SIDE + 8, seed=number)
    if name == "clean":
        return clean
    coins = np.random.default_rng(len(name)).integers(0, 2, clean.shape) * 2 - 1
    return (clean.astype(np.int16) + 8 * coins).clip(0, 255).astype(np.uint8)


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def _renamed(node: dict[str, Any], prefix: str) -> dict[str, Any]:
    inputs = {
        key: [f"{prefix} {value[0]}", value[1]] if isinstance(value, list) else value
        for key, value in node["inputs"].items()
    }
    return {**node, "inputs": inputs}
