"""The mixture of perturbations (MoP): what FastProtect learns once and every picture shares."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from fixative.errors import MixtureError
from fixative.pictures.atomic import atomic_file
from fixative.weights import load_tensors, read_manifest, read_metadata, verified_weights

FORMAT = "fixative-mixture-1"
SIDE = 512
#: Perturbations are stored as int8 steps of (η/2)/127.
STEPS = 127


@dataclass(frozen=True)
class Mixture:
    """Perturbations for T targets × (1 global + K groups), and what is needed to choose.

    Attributes:
        family: the latent space it was trained in (``sd1``, …).
        eta: η, the budget of a sum of two perturbations, L-infinity on [0, 1].
        target_names: T names, from low to high pattern repetition.
        shared: (T, 3, 512, 512) int8, the global perturbations δg.
        group: (T, K, 3, 512, 512) int8, the group perturbations Δk.
        centroids: (K, C, h, w) float32, group centres in latent space; h = w = 512 / downscale.
        target_latents: (T, C, h, w) float32, z_y of each target picture.
        target_entropies: (T,) float32, H(z_y) in bits.
        recipe: how it was trained, JSON types only.
        name: what messages call it.
        probe: (C, h, w) normalised latents of the probe picture (``fixative.codecs.learnt``), by
            which a learnt family is found again; None for the families that are shipped.
    """

    family: str
    eta: float
    target_names: tuple[str, ...]
    shared: Tensor
    group: Tensor
    centroids: Tensor
    target_latents: Tensor
    target_entropies: Tensor
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])
    name: str = "mixture"
    probe: Tensor | None = None

    @property
    def groups(self) -> int:
        """K, the number of groups."""
        return self.group.shape[1]

    @cached_property
    def quantum(self) -> float:
        """The value of one int8 step on [0, 1]."""
        return self.eta / 2 / STEPS

    def combined(self, target: Tensor, group: Tensor) -> Tensor:
        """δg + Δk of each picture.

        Args:
            target: (B,) indices of targets.
            group: (B,) indices of groups.

        Returns:
            (B, 3, 512, 512) float32 in [−η, η].
        """
        target, group = target.cpu(), group.cpu()
        steps = self.shared[target].float() + self.group[target, group].float()
        return steps.mul_(self.quantum)

    def digest(self) -> str:
        """A hash of its perturbations and groups, in hex."""
        found = hashlib.sha256()
        for tensor in (self.shared, self.group, self.centroids.half()):
            found.update(tensor.contiguous().numpy().tobytes())
        return found.hexdigest()

    def learnt(self) -> dict[str, Tensor]:
        """Its family and probe, as ``in_learnt_space`` takes them; {} where there is no probe."""
        return {} if self.probe is None else {self.family: self.probe}

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all."""
        tensors = {
            "global": self.shared,
            "group": self.group,
            "centroids": self.centroids.half(),
            "target_latents": self.target_latents.half(),
            "target_entropies": self.target_entropies,
        }
        if self.probe is not None:
            tensors["probe"] = self.probe
        described = {
            "format": FORMAT,
            "family": self.family,
            "eta_255": self.eta * 255,
            "targets": list(self.target_names),
            "recipe": self.recipe,
        }
        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        # A file, not a folder, beside it: a host that lists this folder remembers its sub-folders.
        # Written by us: safetensors' own writing leaves a file that only its owner may read.
        with atomic_file(path, overwrite=True) as partial:
            partial.write_bytes(save(contiguous, {"fixative": json.dumps(described)}))


def quantise(perturbation: Tensor, eta: float) -> Tensor:
    """Round a perturbation within ±η/2 to int8 steps of (η/2)/127."""
    return (perturbation * (2 * STEPS / eta)).round().clamp(-STEPS, STEPS).to(torch.int8)


def load_mixture(path: Path | None = None, *, family: str = "sd1") -> Mixture:
    """Load a mixture file, or the shipped mixture of a family.

    Raises:
        MixtureError: not a mixture, or no shipped mixture of that family.
        WeightsError: missing or damaged file.
    """
    source = find_mixture(family) if path is None else path
    tensors, described = load_tensors(source), _description(source)
    try:
        return _checked(
            Mixture(
                family=described["family"],
                eta=described["eta_255"] / 255,
                target_names=tuple(described["targets"]),
                shared=tensors.pop("global"),
                group=tensors.pop("group"),
                centroids=tensors.pop("centroids").float(),
                target_latents=tensors.pop("target_latents").float(),
                target_entropies=tensors.pop("target_entropies").float(),
                recipe=described["recipe"],
                name=source.name,
                probe=tensors.pop("probe", None),
            ),
            source,
        )
    except KeyError as error:
        raise MixtureError(f"mixture {source.name}: {error} is missing; get it again") from error


def read_family(path: Path) -> str:
    """The latent family of a file, without loading its perturbations.

    Raises:
        MixtureError: not a mixture.
        WeightsError: damaged file.
    """
    return str(_description(path)["family"])


def read_learnt(path: Path) -> dict[str, Tensor]:
    """``Mixture.learnt`` of a file, without loading its perturbations.

    Raises:
        MixtureError: not a mixture.
        WeightsError: damaged file.
    """
    family = read_family(path)
    with safetensors.safe_open(path, framework="pt") as file:
        return {family: file.get_tensor("probe")} if "probe" in file.keys() else {}  # noqa: SIM118


def find_mixture(family: str) -> Path:
    """The shipped mixture of a family.

    Raises:
        MixtureError: there is none; the message says which there are.
    """
    shipped = {
        entry["family"]: name
        for name, entry in read_manifest().items()
        if entry["kind"] == "mixture"
    }
    if family not in shipped:
        raise MixtureError(
            f"mixture: none is shipped for the latent family {family!r} (there is one for: "
            f"{', '.join(sorted(shipped))}); use a VAE of that family, or give a mixture file "
            "trained for yours"
        )
    return verified_weights(shipped[family])


def require_family(mixture: Mixture, family: str, latent_channels: int) -> None:
    """Refuse a mixture of another latent space than the codec's.

    Raises:
        MixtureError: family or channels differ.
    """
    if mixture.family != family or mixture.centroids.shape[1] != latent_channels:
        raise MixtureError(
            f"mixture {mixture.name}: made for the latent family {mixture.family!r}, but the "
            f"codec's is {family!r}; choose a mixture of that family or another codec"
        )


def _description(path: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(read_metadata(path).get("fixative", "{}"))
    if described.get("format") != FORMAT:
        raise MixtureError(
            f"mixture {path.name}: not a mixture file (format {described.get('format')!r}, "
            f"expected {FORMAT!r})"
        )
    return described


def _checked(mixture: Mixture, path: Path) -> Mixture:
    targets, groups = len(mixture.target_names), mixture.centroids.shape[0]
    cells = mixture.centroids.shape[1:]
    expected = {
        "global": (mixture.shared, (targets, 3, SIDE, SIDE), torch.int8),
        "group": (mixture.group, (targets, groups, 3, SIDE, SIDE), torch.int8),
        "target_latents": (mixture.target_latents, (targets, *cells), torch.float32),
        "target_entropies": (mixture.target_entropies, (targets,), torch.float32),
    }
    for key, (tensor, shape, dtype) in expected.items():
        if tuple(tensor.shape) != shape or tensor.dtype != dtype:
            raise MixtureError(
                f"mixture {path.name}: {key} is {tuple(tensor.shape)} {tensor.dtype}, "
                f"expected {shape} {dtype}; get the file again"
            )
    return mixture
