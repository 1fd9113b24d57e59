"""Which mixtures there are to choose from, and the one that fits a family."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from fixative.errors import FixativeError, MixtureError
from fixative.mixture import Mixture, load_mixture, read_learnt
from fixative.weights import read_manifest, verified_weights

AUTO = "auto"

logger = logging.getLogger(__name__)


def choices(host_files: dict[str, Path]) -> list[str]:
    """``auto``, then every mixture by file name; one in the host's folder hides a shipped one."""
    try:
        shipped = _shipped()
    except FixativeError as error:  # said again, to the user, when the node runs
        logger.error("Fixative: %s", error)
        shipped = {}
    return [AUTO, *sorted({*host_files, *shipped})]


def choose(choice: str, family: str, host_files: dict[str, Path]) -> Mixture:
    """The mixture asked for, or the one that fits the VAE's family.

    Raises:
        MixtureError: none fits, or the one asked for is not there.
    """
    if choice != AUTO:
        return named(choice, host_files)
    found = fitting(family, host_files)
    if found is None:
        raise MixtureError(_nothing_fits(family))
    return found


def fitting(family: str, host_files: dict[str, Path]) -> Mixture | None:
    """The first mixture of a family, shipped ones first; None where there is none."""
    for name in (*_shipped(), *sorted(host_files)):
        mixture = _readable(name, host_files)
        if mixture is not None and mixture.family == family:
            return mixture
    return None


def named(name: str, host_files: dict[str, Path]) -> Mixture:
    """The mixture of that file name, from the host's folder or from the shipped ones.

    Raises:
        MixtureError: there is none, or the file is no mixture.
    """
    if name in host_files:
        path = host_files[name]
    elif name in _shipped():
        path = verified_weights(name)
    else:
        raise MixtureError(f"mixture: no file {name!r}; there are {', '.join(choices(host_files))}")
    return _loaded(path, path.stat().st_mtime_ns)


def shipped_names() -> list[str]:
    """File names that are shipped: one in the host's folder would hide its namesake."""
    return list(_shipped())


def fingerprint(host_files: dict[str, Path]) -> list[tuple[str, int]]:
    """Changes when a mixture file does: a node that used the old one must then run again."""
    return [(name, path.stat().st_mtime_ns) for name, path in sorted(host_files.items())]


def learnt_spaces(host_files: dict[str, Path]) -> dict[str, Tensor]:
    """The probe of every latent space that a mixture in the host's folder has learnt, by name."""
    found: dict[str, Tensor] = {}
    for _, path in sorted(host_files.items()):
        found |= _learnt_space(path, path.stat().st_mtime_ns)
    return found


@lru_cache(maxsize=256)
def _learnt_space(path: Path, changed_ns: int) -> dict[str, Tensor]:
    del changed_ns
    try:
        return read_learnt(path)
    except FixativeError:  # said by whatever loads the file
        return {}


def _nothing_fits(family: str) -> str:
    families = ", ".join(sorted(set(_shipped().values())))
    found = (
        "the VAE is of no family that Fixative knows (family: unknown)"
        if family == "unknown"
        else f"the VAE is of the family {family!r}, which has no mixture here"
    )
    return (
        f"vae: {found}. Connect a VAE of a family that has one ({families}), "
        "put a mixture trained for it into the host's folder models/fixative, or make one with "
        "Train Mixture"
    )


def _readable(name: str, host_files: dict[str, Path]) -> Mixture | None:
    try:
        return named(name, host_files)
    except FixativeError as error:
        logger.warning("Fixative: passing over a file: %s", error)
        return None


@lru_cache(maxsize=4)
def _loaded(path: Path, changed_ns: int) -> Mixture:
    """A loaded mixture, kept until its file changes."""
    del changed_ns
    return load_mixture(path)


def _shipped() -> dict[str, str]:
    """Family by file name of every shipped mixture."""
    return {
        name: str(entry["family"])
        for name, entry in read_manifest().items()
        if entry["kind"] == "mixture"
    }
