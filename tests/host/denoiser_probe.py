"""Run by the host's own Python: the testbed by the host's classes beside what the engine gave.

Everything happens in one process and in ``torch.inference_mode()``, as the real executor does.
Prints one JSON object; the test beside it judges.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import weakref
from pathlib import Path
from typing import Any

import torch
from gradient_probe import _become_host as become_host  # beside this script
from safetensors.torch import load_file
from stock_model_probe import stock_model  # likewise

CAPTION = ("photo", "new1")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--host", "--base", "--testbed", "--expected"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()
    become_host(options.host, options.base)
    with torch.inference_mode():
        found = _Probe(options.testbed, load_file(options.expected)).everything()
    print(json.dumps(found))  # noqa: T201 - the test reads it


class _Probe:
    def __init__(self, path: Path, expected: dict[str, torch.Tensor]) -> None:
        self._host = importlib.import_module("Fixative.nodes.host.testbed")
        self._adapter = importlib.import_module("Fixative.nodes.host.denoisers")
        self._expected = expected
        self._model, words = self._host.load_testbed_model(path)
        self._vae = self._host.load_testbed_vae()
        rows = (words.embed([caption]) for caption in (CAPTION, ()))
        self._positive, self._empty = (self._host.conditioning(row) for row in rows)
        self._asked = self._adapter.Asked(self._model, self._positive, self._empty)

    def everything(self) -> dict[str, Any]:
        before = {k: v.clone() for k, v in self._model.model.state_dict().items()}
        found = {**self._parity(), **self._lora(), **self._stopped(), **self._others()}
        found |= {"stock": stock_model(self._adapter)}
        after = self._model.model.state_dict()
        found["untouched"] = before.keys() == after.keys() and all(
            torch.equal(before[key], after[key]) for key in before
        )
        return found

    def _parity(self) -> dict[str, Any]:
        from fixative.mimicry.sampling import SampleSettings, sample

        with self._adapter.borrowed_denoiser(self._asked) as denoiser:
            given = {key: value.clone() for key, value in self._expected.items()}
            wanted, empty = (denoiser.condition([name] * 2) for name in ("positive", ""))
            drawn = sample(denoiser, given["noise"], wanted, empty, SampleSettings(4, 3.0))
            latents = given["latents"].requires_grad_(True)
            loss = denoiser.loss(latents, given["noise"], given["times"], wanted)
            (gradient,) = torch.autograd.grad(loss.sum(), latents)
            kind = [denoiser.name, denoiser.family, denoiser.resolution, denoiser.latent_channels]
        pictures = self._vae.decode(self._model.model.process_latent_out(drawn.clone()))
        return {
            "kind": kind,
            "drawn": _error(drawn, given["drawn"]),
            "loss": _error(loss.detach(), given["loss"]),
            "gradient": _error(gradient, given["gradient"]),
            "pictures": float((pictures.movedim(-1, 1) - given["pictures"]).abs().max()),
            "ksampler": _error(self._ksampler(self._model), given["drawn"]),
        }

    def _lora(self) -> dict[str, Any]:
        """Trained on the copy, the host's own loader puts it on, and the copy sees what is on."""
        from fixative.mimicry.lora import LoraSettings, applied, train_lora

        loras = importlib.import_module("Fixative.nodes.loras")
        settings = LoraSettings(rank=2, alpha=3.0, steps=2, batch=2, rate=0.05)
        with self._adapter.borrowed_denoiser(self._asked) as denoiser:
            latents = self._expected["latents"].clone()
            lora = train_lora(denoiser, latents, ["positive"] * 2, settings)
            plain = self._sampled(denoiser)
            with applied(denoiser, lora):
                mine = self._sampled(denoiser)
        model = loras.lora_model(lora)
        loaded, _ = importlib.import_module("comfy.sd").load_lora_for_models(
            self._model, None, model, 1.0, 0
        )
        baked = self._adapter.Asked(loaded, self._positive, self._empty)
        with self._adapter.borrowed_denoiser(baked) as denoiser:
            again = self._sampled(denoiser)
        return {
            "lora_moves": _error(mine, plain),
            "lora_loaded": _error(self._ksampler(loaded), mine),
            "lora_baked": _error(again, mine),
            "lora_layers": len(loaded.patches),
            "lora_tensors": [len(model), len(lora.tensors)],
        }

    def _stopped(self) -> dict[str, Any]:
        """A stop in the middle of a training frees the copy."""
        management = importlib.import_module("comfy.model_management")

        def stop(step: int, steps: int, loss: float) -> None:
            del step, steps, loss
            management.interrupt_current_processing()
            management.throw_exception_if_processing_interrupted()

        seen: list[Any] = []
        said = ""
        try:
            self._train(stop, seen)
        except management.InterruptProcessingException as error:
            said = type(error).__name__
        gc.collect()
        return {"stop": said, "released": seen[0]() is None}

    def _train(self, stop: Any, seen: list[Any]) -> None:
        from fixative.mimicry.lora import LoraSettings, train_lora

        with self._adapter.borrowed_denoiser(self._asked) as denoiser:
            seen.append(weakref.ref(denoiser.network))
            latents = self._expected["latents"].clone()
            asked = LoraSettings(rank=1, steps=3, batch=1)
            train_lora(denoiser, latents, ["positive"] * 2, asked, on_step=stop)

    def _others(self) -> dict[str, Any]:
        """Models that predict noise or a flow, and one that cannot be trained on pictures."""
        sampling = importlib.import_module("comfy.model_sampling")
        noise = self._model.clone()
        kind = type("Noise", (sampling.ModelSamplingDiscrete, sampling.EPS), {})
        noise.add_object_patch("model_sampling", kind(self._model.model.model_config))
        flow = self._model.clone()
        kind = type("Flow", (sampling.ModelSamplingDiscreteFlow, sampling.CONST), {})
        flow.add_object_patch("model_sampling", kind(self._model.model.model_config))
        found: dict[str, Any] = {"noise": self._levels(noise), "flow": self._levels(flow)}
        found["velocity"] = self._levels(self._model)  # the testbed's own, back again
        formats = importlib.import_module("comfy.latent_formats")
        own, self._model.model.latent_format = self._model.model.latent_format, formats.Wan21()
        try:
            self._levels(self._model)
        except Exception as error:
            found["refused"] = f"{type(error).__name__}: {error}"
        self._model.model.latent_format = own
        two = self._adapter.Asked(self._model, self._positive * 2, self._empty)
        try:
            with self._adapter.borrowed_denoiser(two):
                pass
        except Exception as error:
            found["two"] = f"{type(error).__name__}: {error}"
        return found

    def _levels(self, model: Any) -> list[list[float]]:
        times = torch.tensor([0.1, 0.5, 0.9])
        with self._adapter.borrowed_denoiser(
            self._adapter.Asked(model, self._positive)
        ) as denoiser:
            signal, noise = denoiser.scales(times)
            return [each.tolist() for each in (signal, noise, denoiser.loss_weight(times))]

    def _sampled(self, denoiser: Any) -> torch.Tensor:
        from fixative.mimicry.sampling import SampleSettings, sample

        wanted, empty = (denoiser.condition([name] * 2) for name in ("positive", ""))
        return sample(
            denoiser, self._expected["noise"].clone(), wanted, empty, SampleSettings(4, 3.0)
        )

    def _ksampler(self, model: Any) -> torch.Tensor:
        """What KSampler draws from the same noise, in the model's scaled latents."""
        noise = self._expected["noise"].clone()
        run = importlib.import_module("comfy.sample").sample
        latents = run(
            model,
            noise,
            4,
            3.0,
            "euler",
            "sgm_uniform",
            self._positive,
            self._empty,
            torch.zeros_like(noise),
            disable_pbar=True,
            seed=0,
        )
        return model.model.process_latent_in(latents)


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Root mean square of the difference, relative to the spread of what is expected."""
    return float((found - expected).square().mean().sqrt() / expected.std())


if __name__ == "__main__":
    main()
