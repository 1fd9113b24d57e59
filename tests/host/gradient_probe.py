"""Run by the host's own Python: gradients through VAEs as its stock loader gives them.

Everything happens in one process and in ``torch.inference_mode()``, as the real executor does.
Prints one JSON object; the test beside it judges.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import logging
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
from decoder_probe import round_trip  # beside this script
from random_vaes import RANDOM_NAMES, random_file

#: Of the central difference, on [0, 1]; latents are good to 1e-6.
STEP = 3e-5
HEIGHT, WIDTH = 40, 72  # no multiple of 16: crops, where the host would, are the same for both


def main() -> None:
    options = _options()
    _become_host(options.host, options.base)
    results = {name: _case(name) for name in options.vaes}
    results["stopped"] = _stopped()
    print(json.dumps(results))  # noqa: T201 - the test reads it


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("vaes", nargs="+")
    return parser.parse_args()


def _become_host(host: Path, base: Path) -> None:
    sys.path[0] = str(host)
    settings = importlib.import_module("comfy.cli_args").args  # before any other of the host's
    settings.cpu, settings.base_directory = True, str(base)
    importlib.import_module("utils.extra_config")  # or another module of that name comes first
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    _load_pack(Path(__file__).resolve().parents[2])


def _load_pack(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "Fixative", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["Fixative"] = module
    spec.loader.exec_module(module)
    module.nodes.host.folders.register_folders()


@torch.inference_mode()
def _case(name: str) -> dict[str, Any]:
    from Fixative.nodes.host import gradients  # type: ignore[import-not-found]

    vae = _stock_vae(name)
    try:
        return _measured(gradients, vae)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _stock() -> Any:
    """The host's own nodes."""
    return importlib.import_module("nodes")


def _stock_vae(name: str) -> Any:
    if name in RANDOM_NAMES:
        path = random_file(name)
        try:
            return _stock().VAELoader().load_vae(path.name)[0]
        finally:
            path.unlink()
    return _stock().VAELoader().load_vae(name)[0]


def _measured(gradients: Any, vae: Any) -> dict[str, Any]:
    from Fixative.nodes.host.codecs import codec_of  # type: ignore[import-not-found]

    ratio = int(vae.spacial_compression_encode())
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, HEIGHT // ratio * ratio, WIDTH // ratio * ratio, 3, generator=generator)
    planes = image.movedim(-1, 1)
    hosts = _stock().VAEEncode().encode(vae, image)[0]["samples"]
    hosts = hosts.squeeze(2) if hosts.dim() == 5 else hosts
    scaled = codec_of(vae).encode(planes)
    codec = gradients.gradient_codec(vae)
    with gradients.gradients_allowed():
        picture = planes.clone().requires_grad_(True)
        latents, features = _with_features(codec, picture)
        (gradient,) = torch.autograd.grad(latents.square().sum(), picture)
    blocks, recompute_error = _recomputed(codec, planes)
    again = gradients.gradient_codec(vae) is codec
    shapes = [list(feature.shape) for feature in features]
    kept = weakref.ref(codec._module)
    frozen = not any(p.requires_grad for p in codec._module.parameters())
    gradients.release_codec(vae)
    result = {
        "family": codec.family,
        "latent_shape": list(latents.shape),
        "host_shape": list(hosts.shape),
        "unscaled_error": _error(_unscaled(latents.detach(), codec), hosts),
        "scaled_error": _error(latents.detach(), scaled),
        "features": shapes,
        "gradient_finite": bool(gradient.isfinite().all()),
        "gradient_share": float((gradient != 0).float().mean()),
        "blocks": blocks,
        "recompute_error": recompute_error,
        "slope_error": _slope_error(gradients, vae, planes),
        "cached": again,
        "frozen": frozen,
    }
    gradients.release_codec(vae)
    del codec, latents, features, gradient, picture
    gc.collect()
    return {**result, "released": kept() is None, **round_trip(gradients, vae, planes)}


@torch.inference_mode()
def _stopped() -> dict[str, Any]:
    """The user presses stop in the middle of Refine Perturbation; then it runs to its end."""
    import comfy.model_management as management  # type: ignore[import-not-found]
    from Fixative.nodes.host import gradients  # type: ignore[import-not-found]
    from Fixative.nodes.refine import RefinePerturbation  # type: ignore[import-not-found]

    vae, image = _stock_vae("taesd"), torch.rand(1, 48, 64, 3)
    given = {"image": image, "vae": vae, "perturbation": _perturbation(image, vae)}
    copy = weakref.ref(gradients.gradient_codec(vae)._module)
    steps: list[int] = []

    def watch(count: int, _total: int, _preview: Any, **_more: Any) -> None:
        steps.append(count)
        if count == 3:
            management.interrupt_current_processing()

    comfy_utils = importlib.import_module("comfy.utils")
    comfy_utils.set_progress_bar_global_hook(watch)
    stop = ""
    try:
        RefinePerturbation.execute(**given, steps=6, step_size=1.0)
    except management.InterruptProcessingException as error:
        stop = type(error).__name__
    comfy_utils.set_progress_bar_global_hook(None)
    gc.collect()
    result = {"stop": stop, "steps": steps, "released": copy() is None}
    refined = RefinePerturbation.execute(**given, steps=2, step_size=1.0)[0]
    return {**result, "then_finished": refined.finished}


def _perturbation(image: torch.Tensor, vae: Any) -> Any:
    from Fixative.nodes.host.codecs import codec_of  # type: ignore[import-not-found]

    from fixative.mixture import load_mixture
    from fixative.steps import assign_pictures, target_perturbation

    mixture = load_mixture()
    return target_perturbation(
        mixture, assign_pictures(image.movedim(-1, 1), codec_of(vae), mixture)
    )


def _recomputed(codec: Any, planes: torch.Tensor) -> tuple[int, float]:
    """How many blocks of the host's own can run twice, and what that changes of the gradient."""
    from fixative.codecs.gradient import LatentGradient, Rung

    target = torch.zeros(1, 1, 1, 1)
    plain, frugal = (
        LatentGradient(codec, ladder=[Rung(recompute)])(planes, target)[1]
        for recompute in (False, True)
    )
    return len(codec.recomputable_blocks()), _error(frugal, plain)


def _with_features(codec: Any, picture: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    from fixative.errors import CodecError

    try:
        return codec.encode_with_features(picture)
    except CodecError:  # video autoencoders show none
        return codec.encode(picture), []


def _unscaled(latents: torch.Tensor, codec: Any) -> torch.Tensor:
    from fixative.codecs import SCALINGS

    scaling = SCALINGS.get(codec.family)
    return latents if scaling is None else latents / scaling.scale + scaling.shift


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference, relative to the latents' spread."""
    return float((found - expected).abs().max() / expected.std())


def _slope_error(gradients: Any, vae: Any, planes: torch.Tensor) -> float:
    """Gradient along a direction against a central difference, relative; both by the codec."""
    codec = gradients.gradient_codec(vae)
    with gradients.gradients_allowed():
        weights = torch.linspace(-1, 1, 7)
        # Smooth, because an encoder of ReLUs has a kink wherever something is about to change.
        smooth = torch.nn.functional.avg_pool2d(planes.clone(), 9, 1, 4, count_include_pad=False)
        picture = smooth.requires_grad_(True)

        def value(x: torch.Tensor) -> torch.Tensor:
            flat = codec.encode(x).double().flatten()
            return (flat * weights.repeat(len(flat) // 7 + 1)[: len(flat)]).sum()

        (gradient,) = torch.autograd.grad(value(picture), picture)
        step = gradient / gradient.abs().max() * STEP
        with torch.no_grad():
            rise = (value(picture + step) - value(picture - step)) / 2
        along = (gradient.double() * step).sum()
    return float((rise - along).abs() / along.abs())


if __name__ == "__main__":
    main()
