"""The mixture that a training begins with, by the words a person says it in."""

from __future__ import annotations

from pathlib import Path

from fixative.errors import MixtureError
from fixative.mixture import Mixture, find_mixture, load_mixture

AUTO, NOTHING = "auto", "nothing"


def starting_mixture(choice: str, family: str) -> Mixture | None:
    """What to begin with.

    Args:
        choice: ``auto`` (the shipped mixture of the family, if there is one), ``nothing``, or the
            path of a mixture file.
        family: of the codec to train on.

    Raises:
        MixtureError: not a mixture file.
        WeightsError: no such file, or a damaged one.
    """
    if choice == NOTHING:
        return None
    return load_mixture(Path(choice)) if choice != AUTO else _shipped(family)


def _shipped(family: str) -> Mixture | None:
    try:
        return load_mixture(find_mixture(family))
    except MixtureError:  # there is none of that family
        return None
