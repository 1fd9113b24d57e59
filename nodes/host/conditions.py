"""CONDITIONING of the host as the engine's conditions: batches of tensors for ``apply_model``."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.sampler_helpers
import comfy.samplers
import torch
from torch import Tensor

from fixative.errors import FixativeError, SettingError
from fixative.mimicry.denoiser import Condition

#: What the host calls the text that a network attends to.
TEXT = "c_crossattn"
#: What a conditioning may carry that belongs to places or times of one picture.
_BOUND = ("area", "mask", "control", "gligen", "hooks", "start_percent", "end_percent")


def encoded(
    model: Any, given: Mapping[str, Any], noise: Tensor
) -> tuple[dict[str, Condition], dict[str, Any]]:
    """What the host's own sampler would hand to the network.

    Args:
        model: a BaseModel of the host, on the device of the noise.
        given: CONDITIONING by the name of its input.
        noise: (1, C, h, w), of the latents' shape.

    Returns:
        By name, tensors with one row; and what is no tensor and the same for all.

    Raises:
        SettingError: a conditioning is bound to places or times, or the two do not fit together.
    """
    rows = {name: _row(model, name, content, noise) for name, content in given.items()}
    keys = {frozenset(row) for row in rows.values()}
    if len(keys) > 1:
        raise SettingError(
            "negative: expected a conditioning of the same kind as positive (same text encoder)"
        )
    tensors = {
        name: {key: value for key, value in row.items() if torch.is_tensor(value)}
        for name, row in rows.items()
    }
    first = next(iter(rows.values()))
    constants = {key: value for key, value in first.items() if not torch.is_tensor(value)}
    return _of_one_length(tensors), constants


def _row(model: Any, name: str, content: Sequence[Any], noise: Tensor) -> dict[str, Any]:
    if len(content) != 1 or any(key in content[0][1] for key in _BOUND):
        raise SettingError(
            f"{name}: expected one plain conditioning, as CLIP Text Encode gives it; combined "
            "ones, areas, masks, ControlNets and time ranges belong to one picture"
        )
    conds = comfy.sampler_helpers.convert_cond(content)
    # A tensor of inference mode cannot be kept for gradients; a clone made outside of it can.
    [cond] = [{key: _own(value) for key, value in one.items()} for one in conds]
    [done] = comfy.samplers.encode_model_conds(
        model.extra_conds, [cond], noise, noise.device, "positive"
    )
    return {
        key: _placed(value.cond, noise.device, name) for key, value in done["model_conds"].items()
    }


def _own(value: Any) -> Any:
    return value.detach().clone() if torch.is_tensor(value) else value


def _placed(value: Any, device: torch.device, name: str) -> Any:
    if isinstance(value, list):
        raise SettingError(f"{name}: reference pictures in a conditioning are not supported")
    return _own(value).to(device) if torch.is_tensor(value) else value


def _of_one_length(conditions: dict[str, Condition]) -> dict[str, Condition]:
    """Texts repeated to one length, as the host joins them: attention does not notice.

    Raises:
        SettingError: something else differs in shape.
    """
    texts = [one[TEXT].shape[1] for one in conditions.values() if TEXT in one]
    length = math.lcm(*texts)
    for one in conditions.values():
        if TEXT in one:
            one[TEXT] = one[TEXT].repeat(1, length // one[TEXT].shape[1], 1)
    first, *others = conditions.values()
    for other in others:
        for key, value in other.items():
            if value.shape != first[key].shape:
                raise SettingError(
                    f"negative: {key} has shape {tuple(value.shape)}, that of positive "
                    f"{tuple(first[key].shape)}; encode both with the same text encoder"
                )
    return conditions


def stacked(known: Mapping[str, Condition], names: Sequence[str]) -> Condition:
    """One row a name, (B, …).

    Raises:
        FixativeError: a name that no conditioning was given for.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        raise FixativeError(
            f"caption {unknown[0]!r}: expected one of {', '.join(map(repr, known))}"
        )
    rows = [known[name] for name in names]
    return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
