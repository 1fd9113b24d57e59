"""How the detector's few numbers were found: logistic regression on traces, and its ROC."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from fixative.detector import FORMAT, Logistic
from fixative.pictures.atomic import atomic_file

#: Pulls weights to zero; without it, traces that part the pictures wholly would grow without end.
RIDGE = 0.01
NEWTON_STEPS = 50


def fit_logistic(
    names: Sequence[str], traces: Tensor, protected: Tensor, *, ridge: float = RIDGE
) -> Logistic:
    """Fit by Newton's method; protected and other pictures weigh the same in sum.

    Args:
        names: of the traces.
        traces: (N, F).
        protected: (N,) True for the protected ones; both kinds must be there.
        ridge: weight of the squared weights.
    """
    values, labels = traces.double(), protected.double()
    mean, scale = values.mean(0), values.std(0).clamp_min(1e-9)
    design = torch.cat([(values - mean) / scale, torch.ones(len(values), 1)], 1)
    share = labels.mean()
    weights = torch.where(protected, 0.5 / share, 0.5 / (1 - share)) / len(labels)
    penalty = torch.full((design.shape[1],), ridge, dtype=torch.float64)
    penalty[-1] = 0  # the bias is free
    found = torch.zeros(design.shape[1], dtype=torch.float64)
    for _ in range(NEWTON_STEPS):
        chance = torch.sigmoid(design @ found)
        slope = design.T @ (weights * (chance - labels)) + penalty * found
        bend = (design.T * (weights * chance * (1 - chance))) @ design + penalty.diag()
        found = found - torch.linalg.solve(bend + 1e-9 * torch.eye(len(found)), slope)
    return Logistic(tuple(names), found[:-1], found[-1:], mean, scale)


def area_under_roc(protected: Tensor, others: Tensor) -> float:
    """The chance that a protected picture scores above another one; a tie counts half."""
    above = (protected[:, None] > others[None]).double()
    return (above + 0.5 * (protected[:, None] == others[None]).double()).mean().item()


def save_numbers(path: Path, fitted: Mapping[str, Logistic], recipe: dict[str, Any]) -> None:
    """Write both sets of numbers as ``load_numbers`` reads them."""
    tensors = {
        f"{kind}.{part}": getattr(logistic, part).float().contiguous()
        for kind, logistic in fitted.items()
        for part in ("weight", "bias", "mean", "scale")
    }
    described = {
        "format": FORMAT,
        "traces": {kind: list(logistic.names) for kind, logistic in fitted.items()},
        "recipe": recipe,
    }
    with atomic_file(path, overwrite=True) as partial:
        partial.write_bytes(save(tensors, {"fixative": json.dumps(described)}))
