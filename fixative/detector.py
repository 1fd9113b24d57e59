"""How likely is a picture protected already? A few traces, weighed by logistic regression."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.codecs import EMBEDDED, load_codec
from fixative.codecs.base import Codec
from fixative.errors import SettingError, WeightsError
from fixative.images import check_images
from fixative.mixture import Mixture
from fixative.traces import FOUND, GENERAL, MATCH, MixtureMatch, found, region_traces
from fixative.weights import load_tensors, read_metadata, verified_weights

WEIGHTS_FILE = "detector.safetensors"
FORMAT = "fixative-detector-1"
#: The two sets of numbers: on the traces that any protection leaves, and on a mixture's match.
ANY, OWN = "any", "own"
TRACES_OF = {ANY: GENERAL, OWN: (FOUND,)}
#: Probabilities from which a picture is called likely protected, and perhaps protected.
LIKELY, PERHAPS = 0.9, 0.5


@dataclass(frozen=True)
class Inspection:
    """What is found in one picture.

    Attributes:
        probability: that it is protected, 0 to 1, where half of all pictures are, by the methods
            that the numbers were fitted on.
        score: the same as log odds; compare pictures by this.
        features: the traces by name; ``mixture_match`` only where a mixture was looked for.
    """

    probability: float
    score: float
    features: dict[str, float]

    @property
    def verdict(self) -> str:
        """``likely protected``, ``perhaps protected`` or ``no sign of protection``."""
        if self.probability >= LIKELY:
            return "likely protected"
        return "perhaps protected" if self.probability >= PERHAPS else "no sign of protection"

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Logistic:
    """Log odds = bias + Σ weight · (trace − mean) / scale.

    Attributes:
        names: of the traces, in order.
        weight: (F,).
        bias: (1,).
        mean: (F,) of the pictures it was fitted on.
        scale: (F,) their deviations.
    """

    names: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor

    def score(self, features: dict[str, float]) -> float:
        """The log odds of one picture's traces."""
        values = torch.tensor([features[name] for name in self.names], dtype=torch.float64)
        standard = (values - self.mean.double()) / self.scale.double()
        return float(standard @ self.weight.double() + self.bias.double())


class Detector:
    """Look for the traces of a protection.

    Args:
        codec: the embedded one, whose round trip the numbers were fitted with; None loads it.
        mixture: whose perturbations to look for, by far the surest trace of pictures protected
            with it; None looks for what all protections leave.
        path: another file of numbers than the shipped one.

    Raises:
        SettingError: another codec.
        WeightsError: the numbers are missing, damaged, or something else.
    """

    def __init__(
        self,
        codec: Codec | None = None,
        mixture: Mixture | None = None,
        *,
        path: Path | None = None,
    ) -> None:
        codec = codec or load_codec()
        if codec.name != EMBEDDED:
            raise SettingError(
                f"detector: its numbers were fitted with the embedded codec, and {codec.name} was "
                "given; leave the codec out, or give load_codec()"
            )
        self._codec = codec
        self._match = None if mixture is None else MixtureMatch(mixture)
        self._numbers = load_numbers(verified_weights(WEIGHTS_FILE) if path is None else path)

    def inspect(self, images: Tensor) -> list[Inspection]:
        """Inspect pictures, one by one.

        Args:
            images: (B, 3, H, W) in [0, 1], as they were found: not resized.

        Raises:
            ImageError: images are not of that form.
        """
        check_images(images)
        return [self._inspect(self.traces(image[None])) for image in images]

    def traces(self, image: Tensor) -> dict[str, float]:
        """The numbers that a picture (1, 3, H, W) in [0, 1] is judged by."""
        traces = region_traces(image, self._codec)
        if self._match is not None:
            traces[MATCH] = self._match(image)
            traces[FOUND] = found(traces[MATCH])
        return traces

    def _inspect(self, features: dict[str, float]) -> Inspection:
        score = score_of(self._numbers, features)
        return Inspection(torch.sigmoid(torch.tensor(score)).item(), score, features)


def score_of(numbers: Mapping[str, Logistic], features: dict[str, float]) -> float:
    """Log odds that a picture carries any protection or, where it was looked for, the mixture.

    1 − p = (1 − p_any) · (1 − p_own): a match alone is enough, whatever the other traces say.
    """
    kinds = [kind for kind in numbers if all(name in features for name in numbers[kind].names)]
    scores = torch.tensor([numbers[kind].score(features) for kind in kinds], dtype=torch.float64)
    neither = F.logsigmoid(-scores).sum().clamp(-500, -1e-12)
    return torch.log(torch.expm1(-neither)).item()


def load_numbers(path: Path) -> dict[str, Logistic]:
    """Read both sets of numbers.

    Raises:
        WeightsError: not a detector's file, or of other traces than this version's.
    """
    tensors = load_tensors(path)
    described: dict[str, Any] = json.loads(read_metadata(path).get("fixative", "{}"))
    names: dict[str, Sequence[str]] = described.get("traces", {})
    wanted = {kind: list(traces) for kind, traces in TRACES_OF.items()}
    if described.get("format") != FORMAT or names != wanted:
        raise WeightsError(
            f"detector: {path.name} is not a detector of this version's traces; install Fixative "
            "again, or fit it anew (benchmarks/detector.py --fit)"
        )
    return {
        kind: Logistic(
            tuple(names[kind]),
            *(tensors[f"{kind}.{part}"] for part in ("weight", "bias", "mean", "scale")),
        )
        for kind in wanted
    }
