"""The testbed's words: a small learnt vocabulary in place of a text encoder.

A caption has three places: what kind of picture it is, what it shows, and which one it is. Each
place holds a word of the vocabulary or nothing. A few words were never trained on: an imitator's
LoRA gives one of them its meaning (the rare token of DreamBooth).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor

from fixative.errors import FixativeError

#: The word that stands in an empty place; three of them are the empty caption.
NOTHING = ""
#: Places of a caption.
PLACES = 3
#: Words that no training picture had: an imitator's names for what is new.
NEW_WORDS = ("new1", "new2", "new3", "new4")

Caption = tuple[str, str, str]


@dataclass(frozen=True)
class Vocabulary:
    """Words and their learnt vectors.

    Attributes:
        words: in the order of the rows.
        vectors: (words, D) float32.
    """

    words: tuple[str, ...]
    vectors: Tensor

    def indices(self, captions: Iterable[Sequence[str]]) -> Tensor:
        """Rows of the captions' words, (B, 3) int64; short captions are filled with nothing.

        Raises:
            FixativeError: a caption is too long or has an unknown word.
        """
        return torch.tensor([self._row(caption) for caption in captions])

    def embed(self, captions: Iterable[Sequence[str]]) -> Tensor:
        """What the denoiser attends to: (B, 3, D) float32."""
        return self.vectors[self.indices(captions)]

    def _row(self, caption: Sequence[str]) -> list[int]:
        if len(caption) > PLACES:
            raise FixativeError(f"caption {caption}: expected at most {PLACES} words")
        filled = [*caption, *[NOTHING] * (PLACES - len(caption))]
        return [self._index(word) for word in filled]

    def _index(self, word: str) -> int:
        if word in self.words:
            return self.words.index(word)
        near = get_close_matches(word, self.words, n=1, cutoff=0.5)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(known for known in self.words if known)
        raise FixativeError(f"caption: the testbed does not know {word!r}{guess} It knows: {known}")


def parse_caption(text: str) -> tuple[str, ...]:
    """The words of a caption written with spaces, as ``photo dog new1``."""
    return tuple(text.split())
