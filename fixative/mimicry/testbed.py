"""The testbed: a laboratory animal. A small latent diffusion model that ships with the project.

It draws what looks like its training pictures from afar. It is there because it fits in a
repository and learns in seconds; nothing that it shows is a promise about a large model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from fixative.codecs.tiny import channels_last
from fixative.errors import WeightsError
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.network import RESOLUTION, build_unet, signal_levels
from fixative.mimicry.vocabulary import Vocabulary, parse_caption
from fixative.pictures.atomic import atomic_file
from fixative.weights import load_tensors, read_metadata, verified_weights

FILE = "testbed.safetensors"
FORMAT = "fixative-testbed-1"
#: Prefix of the network's tensors in the file; the words' vectors are ``words``.
NETWORK = "unet."
WORDS = "words"


@dataclass(frozen=True)
class Testbed:
    """The trained network, its words and how it was trained.

    Attributes:
        unet: (B, 4, h, w) latents, (B,) times and (B, 3, 64) words to (B, 4, h, w) velocity.
        vocabulary: its words.
        recipe: JSON types only.
    """

    __test__ = False  # no test, whatever pytest thinks of the name

    unet: nn.Module
    vocabulary: Vocabulary
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])


class TestbedDenoiser(Denoiser):
    """The testbed as a denoiser; captions are up to three of its words: ``photo dog new1``.

    Args:
        testbed: as loaded. Its network is the denoiser's own from now on.
        device: where it runs.
    """

    __test__ = False

    def __init__(self, testbed: Testbed, *, device: torch.device | str = "cpu") -> None:
        super().__init__(
            testbed.unet.to(device),
            name="testbed",
            family="sd1",
            latent_channels=4,
            resolution=RESOLUTION,
            device=device,
        )
        self.recipe, self._vocabulary = testbed.recipe, testbed.vocabulary
        self._levels = signal_levels().to(self.device)

    def condition(self, captions: Sequence[str]) -> Condition:
        words = self._vocabulary.embed([parse_caption(caption) for caption in captions])
        return {"words": words.to(self.device)}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        signal = self._levels[self._steps(times)]
        return signal.sqrt(), (1 - signal).sqrt()

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        noisy = noisy.to(self.device, torch.float32)
        found = self.network(
            noisy.contiguous(memory_format=torch.channels_last),
            self._steps(times),
            condition["words"],
        ).sample
        signal, level = (each[:, None, None, None] for each in self.scales(times))
        return signal * noisy - level * found

    def loss_weight(self, times: Tensor) -> Tensor:
        return 1 / self.scales(times)[1].square()

    def _steps(self, times: Tensor) -> Tensor:
        """Times (B,) in [0, 1] as the network counts them, 0 to 999."""
        last = len(self._levels) - 1
        return (times.to(self.device) * last).round().long().clamp(0, last)


def save_testbed(
    unet: nn.Module, vocabulary: Vocabulary, path: Path, recipe: dict[str, Any]
) -> None:
    """Write a testbed in half precision, whole or not at all."""
    tensors = {
        NETWORK + key: value.half().contiguous(memory_format=torch.contiguous_format)
        for key, value in unet.state_dict().items()
    }
    tensors[WORDS] = vocabulary.vectors.half().contiguous()
    described = {"format": FORMAT, "words": list(vocabulary.words), "recipe": recipe}
    with atomic_file(path, overwrite=True) as partial:
        partial.write_bytes(save(tensors, {"fixative": json.dumps(described)}))


def read_testbed(path: Path | None = None) -> tuple[dict[str, torch.Tensor], Vocabulary]:
    """The network's tensors by diffusers' names, and the words; the shipped ones by default.

    Raises:
        WeightsError: no testbed, or a damaged one.
    """
    path = path or verified_weights(FILE)
    described = describe(path)
    tensors = {key: value.float() for key, value in load_tensors(path).items()}
    vocabulary = Vocabulary(tuple(described["words"]), tensors.pop(WORDS))
    return {key.removeprefix(NETWORK): value for key, value in tensors.items()}, vocabulary


def load_testbed(path: Path | None = None) -> Testbed:
    """The shipped testbed, or one from a file, strictly loaded.

    Raises:
        WeightsError: no testbed, or a damaged one.
        FixativeError: diffusers is not installed.
    """
    tensors, vocabulary = read_testbed(path)
    unet = build_unet()
    try:
        unet.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"testbed: the file does not fit the network: {error}") from error
    channels_last(unet.requires_grad_(False).eval())
    return Testbed(unet, vocabulary, describe(path or verified_weights(FILE))["recipe"])


def describe(path: Path) -> dict[str, Any]:
    """What a testbed's file says of itself: format, words and recipe.

    Raises:
        WeightsError: it is not one.
    """
    described: dict[str, Any] = json.loads(read_metadata(path).get("fixative", "{}"))
    if described.get("format") != FORMAT:
        raise WeightsError(
            f"testbed: {path.name} is not one (format {described.get('format')!r}, expected "
            f"{FORMAT!r}); make one with fixative train testbed"
        )
    return described
