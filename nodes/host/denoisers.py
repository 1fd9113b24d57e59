"""A MODEL of the graph as the engine's denoiser: on a private copy, because it is trained on.

The whole prompt runs in ``torch.inference_mode()`` and what the stock loaders load are inference
tensors, which autograd refuses; and what is put on the host's own network could stay there. The
copy is made, and used, inside ``gradients_allowed``.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import torch
from torch import Tensor, nn

from fixative.codecs.tiny import channels_last
from fixative.errors import SettingError
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.network import RESOLUTION

from .conditions import encoded, stacked
from .gradients import gradients_allowed
from .testbed import is_testbed

#: The latent spaces, as codecs' families, of the models that pictures can be trained on.
FAMILIES: Mapping[type[Any], str] = {
    comfy.latent_formats.SD15: "sd1",
    comfy.latent_formats.SDXL: "sdxl",
    comfy.latent_formats.SD3: "sd3",
    comfy.latent_formats.Flux: "flux1",
}
#: Sides in pixels that those models were trained for.
SIDES = {"sd1": 512}
LARGE_SIDE = 1024
#: A pass there and back keeps about so many times the memory of one pass.
BACK_FACTOR = 6
#: Captions of the two conditionings.
POSITIVE, EMPTY = "positive", ""


@dataclass(frozen=True)
class Asked:
    """Which model, and what it is to draw.

    Attributes:
        model: the graph's MODEL.
        positive: CONDITIONING.
        negative: CONDITIONING; None: the same as ``positive``, and guidance changes nothing.
        side: of the pictures in pixels; 0: what the model was trained for.
    """

    model: Any
    positive: Any
    negative: Any | None = None
    side: int = 0


class HostDenoiser(Denoiser):
    """A private copy of a model of the host. Captions: ``positive``, and "" for the negative.

    Args:
        model: a BaseModel of the host, whose weights autograd accepts.
        asked: what the graph has; its conditionings are encoded here.
        prepare: called with a shape (B, C, h, w) before each run: to load the model.
        device: where the host runs it.
    """

    def __init__(
        self,
        model: Any,
        asked: Asked,
        *,
        prepare: Callable[[Sequence[int]], None],
        device: torch.device,
    ) -> None:
        family, side = family_of_model(asked.model), side_of_model(asked)
        channels = int(model.latent_format.latent_channels)
        super().__init__(
            model.diffusion_model,
            name="testbed" if is_testbed(asked.model) else type(model.model_config).__name__,
            family=family,
            latent_channels=channels,
            resolution=side,
            device=device,
        )
        self._model, self._prepare = model, prepare
        self._flow = isinstance(model.model_sampling, comfy.model_sampling.CONST)
        noise = torch.zeros(1, channels, side // 8, side // 8, device=device)
        prepare(noise.shape)
        given = {POSITIVE: asked.positive, EMPTY: asked.negative or asked.positive}
        self._known, self._constants = encoded(model, given, noise)

    def condition(self, captions: Sequence[str]) -> Condition:
        return stacked(self._known, captions)

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        sigmas = self._sigmas(times)
        if self._flow:
            return 1 - sigmas, sigmas
        signal = (1 + sigmas.square()).rsqrt()
        return signal, sigmas * signal

    def loss_weight(self, times: Tensor) -> Tensor:
        """Of the noise, (a/b)², or of the velocity, 1/b², by what the model predicts."""
        sampling = comfy.model_sampling
        if self._flow or isinstance(self._model.model_sampling, sampling.V_PREDICTION):
            return self.scales(times)[1].square().reciprocal()
        return super().loss_weight(times)

    def noised(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return super().noised(latents.to(self.device), noise.to(self.device), times)

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        self._prepare(noisy.shape)
        sigmas = self._sigmas(times)
        noisy = noisy.to(self.device, torch.float32)
        if not self._flow:  # the host's latents have a signal of 1
            noisy = noisy * (1 + sigmas.square()).sqrt()[:, None, None, None]
        return self._model.apply_model(noisy, sigmas, **self._constants, **condition).float()

    def _sigmas(self, times: Tensor) -> Tensor:
        """The host's noise levels of times (B,), between its smallest and its largest."""
        sampling = self._model.model_sampling
        low, high = float(sampling.sigma_min), float(sampling.sigma_max)
        steps = getattr(sampling, "num_timesteps", 0)  # those that the network has met
        fine = times.double().cpu()
        fine = (fine * (steps - 1)).round() / (steps - 1) if steps else fine
        found = [float(sampling.percent_to_sigma(1 - time)) for time in fine.tolist()]
        return torch.tensor(found, dtype=torch.float32).clamp(low, high).to(self.device)


@contextmanager
def borrowed_denoiser(asked: Asked) -> Generator[Denoiser, None, None]:
    """A denoiser on a private copy of the graph's model, gone when the block ends; use it inside.

    Raises:
        SettingError: a model of no latent space that pictures can be trained in.
    """
    family_of_model(asked.model)
    with gradients_allowed():
        copied = _private_copy(asked.model)
        device = asked.model.load_device
        patcher = comfy.model_patcher.ModelPatcher(
            copied, load_device=device, offload_device=comfy.model_management.unet_offload_device()
        )
        try:
            yield HostDenoiser(copied, asked, prepare=_loader(patcher), device=device)
        finally:
            patcher.detach()
            del patcher, copied
            comfy.model_management.soft_empty_cache()


def family_of_model(model: Any) -> str:
    """The latent space that a MODEL works in, as codecs' families.

    Raises:
        SettingError: none that pictures can be trained in.
    """
    base = model.model
    family = FAMILIES.get(type(base.latent_format))
    sampling = comfy.model_sampling
    own = model.get_model_object("model_sampling")  # with what a node has put in its place
    known = isinstance(own, sampling.EPS | sampling.CONST)
    if family is None or not known or getattr(base, "concat_keys", ()):
        kind = type(base.model_config).__name__
        raise SettingError(
            f"model: {kind} is none of the models that can be used here: text-to-image models in "
            "the latents of SD 1.x/2.x, SDXL, SD3 or FLUX.1; Load Testbed gives one"
        )
    return family


def side_of_model(asked: Asked) -> int:
    """Side in pixels of the pictures to train on, a multiple of 64."""
    if is_testbed(asked.model):
        return asked.side or RESOLUTION
    return asked.side or SIDES.get(family_of_model(asked.model), LARGE_SIDE)


def _private_copy(patcher: Any) -> Any:
    """A copy of a MODEL with what is on it (LoRAs, another sampling), whose weights are its own."""
    comfy.model_management.load_models_gpu([patcher], force_patch_weights=True)
    model = patcher.model
    dtype = _training_dtype(patcher)
    memo: dict[int, Any] = {id(getattr(model, "current_patcher", None)): None}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        in_network = name.startswith("diffusion_model.")
        memo[id(tensor)] = _own_tensor(tensor, dtype if in_network else tensor.dtype)
    copied = copy.deepcopy(model, memo)
    for module in copied.modules():
        _forget_loading(module)
    copied.diffusion_model.dtype, copied.manual_cast_dtype = dtype, None
    if patcher.load_device.type == "cpu":
        channels_last(copied.diffusion_model)
    return copied.eval().requires_grad_(False)


def _own_tensor(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    where = comfy.model_management.unet_offload_device()
    kind = dtype if tensor.is_floating_point() else tensor.dtype
    own = tensor.detach().to(where, kind, copy=True)
    return nn.Parameter(own, requires_grad=False) if isinstance(tensor, nn.Parameter) else own


def _forget_loading(module: nn.Module) -> None:
    """What the host's memory management has noted on a module is not true of its copy."""
    notes = {
        "comfy_patched_weights": False,
        "model_loaded_weight_memory": 0,
        "lowvram_patch_counter": 0,
        "model_lowvram": False,
        "current_weight_patches_uuid": None,
        "model_offload_buffer_memory": 0,
    }
    for name, value in notes.items():
        if hasattr(module, name):
            setattr(module, name, value)


def _training_dtype(patcher: Any) -> torch.dtype:
    """float32, unless the model comes in less and the device computes in bfloat16 as well."""
    kept = patcher.model.get_dtype()
    management = comfy.model_management
    if kept == torch.float32 or not management.should_use_bf16(patcher.load_device):
        return torch.float32
    return torch.bfloat16


def _loader(patcher: Any) -> Callable[[Sequence[int]], None]:
    """What makes room for a run and puts the copy where it runs, by the host's own management."""

    def load(shape: Sequence[int]) -> None:
        factor = BACK_FACTOR if torch.is_grad_enabled() else 1
        needed = patcher.model.memory_required(list(shape)) * factor
        with gradients_allowed():  # weights moved in inference mode would become unusable
            comfy.model_management.load_models_gpu(
                [patcher], memory_required=needed, force_full_load=True
            )

    return load
