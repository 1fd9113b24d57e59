"""Protections and countermeasures as a protocol names them, with what they learn from pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from fixative.countermeasures.averaging import SharedPerturbations, load_shared
from fixative.countermeasures.base import Countermeasure
from fixative.countermeasures.registry import make_countermeasure, needed_resources
from fixative.countermeasures.remover import Remover, load_remover
from fixative.errors import FixativeError, MixtureError, SettingError
from fixative.evaluation.files import file_name
from fixative.evaluation.protocol import (
    WINDOW,
    CountermeasureEntry,
    ProtectionEntry,
    Protocol,
)
from fixative.evaluation.subjects import Subject, cut
from fixative.evaluation.tools import Tools
from fixative.protections.base import Protection
from fixative.protections.iterative import OnAttackStep
from fixative.protections.registry import PROTECTIONS, WHAT, make_protection
from fixative.registry import choose, parse
from fixative.training.averaging import LEAST_PAIRS, learn_shared
from fixative.training.pairs import Pair, pair_images
from fixative.training.remover import RemoverRecipe, train_remover

#: What countermeasures learn from pairs, below the evaluation's folder.
FOLDER = "learnt"
#: Seeds of the pairs begin here, beyond those of the measured pictures.
PAIR_SEEDS = 100_000
SHARED, REMOVER = "shared", "remover"


class NotRun(Exception):  # noqa: N818 - not an error: the reason is part of the result
    """Something that this evaluation cannot do, and why."""


@dataclass
class Makers:
    """Builds methods; what is learnt from pairs is learnt once and kept in files.

    Args:
        protocol: names them.
        tools: what they work with.
        pairs: pictures that are not measured.
        out: the evaluation's folder.
        tell: told what is being learnt.
    """

    protocol: Protocol
    tools: Tools
    pairs: tuple[Subject, ...]
    out: Path
    tell: Callable[[str], None]
    _shared: dict[str, SharedPerturbations] = field(default_factory=dict[str, SharedPerturbations])
    _removers: dict[str, Remover] = field(default_factory=dict[str, Remover])

    def protection(
        self,
        entry: ProtectionEntry,
        strength: float,
        *,
        seed: int,
        on_step: OnAttackStep | None = None,
    ) -> Protection:
        """A protection at a strength.

        Raises:
            NotRun: something that it needs is not there.
        """
        resources = self.tools.for_protections()
        method = choose(PROTECTIONS, parse(entry.method, what=WHAT)[0].name, what=WHAT)
        for need in method.needs:
            if getattr(resources, need) is None:
                raise NotRun(f"needs a {need}, and {self._why_missing(need)}")
        try:
            return make_protection(
                entry.method, resources, strength=strength, seed=seed, on_step=on_step
            )
        except (SettingError, MixtureError) as error:  # the protocol's check let its words pass
            raise NotRun(str(error)) from error

    def countermeasure(
        self, entry: CountermeasureEntry, protection: ProtectionEntry, *, seed: int
    ) -> Countermeasure:
        """A countermeasure; of those that learn from pairs, against this protection.

        Raises:
            NotRun: it needs a decoder or pairs, and there are none.
        """
        needs = needed_resources(entry.method)
        if "codec" in needs and self.tools.no_decoder:
            raise NotRun(self.tools.no_decoder)
        resources = self.tools.for_countermeasures()
        if SHARED in needs:
            resources = replace(resources, shared=self._shared_of(protection))
        if REMOVER in needs:
            resources = replace(resources, remover=self._remover_of(protection))
        try:
            return make_countermeasure(entry.method, resources, seed=seed)
        except SettingError as error:  # the protocol's check let its words pass: a package lacks
            raise NotRun(str(error)) from error

    def learns(self, entry: CountermeasureEntry) -> bool:
        """Whether it learns from pairs of one tool."""
        return bool(needed_resources(entry.method) & {SHARED, REMOVER})

    def learns_from(self, entry: CountermeasureEntry) -> ProtectionEntry:
        """The tool that it is tried against first: what it does to clean pictures is that one's."""
        names = entry.against or (self.protocol.protections[0].name,)
        return next(p for p in self.protocol.protections if p.name == names[0])

    def _why_missing(self, need: str) -> str:
        if need == "denoiser":
            return "none was given: the testbed, or a model of the codec's family"
        return f"there is none for codecs of family {self.tools.codec.family!r}"

    def _shared_of(self, protection: ProtectionEntry) -> SharedPerturbations:
        if protection.name not in self._shared:
            path = self._file("shared", protection)
            if not path.is_file():
                learn_shared(self._pairs_of(protection)).save(path)
            self._shared[protection.name] = load_shared(path)
        return self._shared[protection.name]

    def _remover_of(self, protection: ProtectionEntry) -> Remover:
        if protection.name not in self._removers:
            path = self._file("remover", protection)
            if not path.is_file():
                train_remover(
                    self._pairs_of(protection),
                    path,
                    checkpoint=path.with_suffix(".ckpt"),
                    steps=self.protocol.remover_steps,
                    recipe=RemoverRecipe(seed=self.protocol.seed),
                    on_step=lambda step, steps, _: self.tell(
                        f"training a remover of {protection.name}, step {step}/{steps}"
                    ),
                )
            self._removers[protection.name] = load_remover(path)
        return self._removers[protection.name]

    def _pairs_of(self, protection: ProtectionEntry) -> list[Pair]:
        """Pictures before and after the protection at its largest strength.

        Both attacks fit how strong the perturbation is, so one strength teaches all.
        """
        both = list(self._protected_pairs(protection))
        if len(both) < LEAST_PAIRS:
            raise NotRun(
                f"needs {LEAST_PAIRS} pairs or more of pictures that are not measured, and there "
                f"are {len(both)}: give more pictures, and 'pairs' in the protocol"
            )
        return pair_images([clean for clean, _ in both], [protected for _, protected in both])

    def _protected_pairs(self, protection: ProtectionEntry) -> Iterator[tuple[Tensor, Tensor]]:
        strength = max(protection.strengths)
        for number, subject in enumerate(self.pairs):
            told = f"pair {number + 1}/{len(self.pairs)} of {protection.name}"
            self.tell(f"protecting {told}")
            try:
                image = subject.load(self.protocol.size)
            except FixativeError:
                continue  # one that cannot be read is one pair less; the measured ones are counted
            if protection.sees == WINDOW:
                image = cut(image, self.protocol.window)
            seed = self.protocol.seed + PAIR_SEEDS + number
            method = self.protection(protection, strength, seed=seed)
            yield image[0], method.protect(image).image[0]

    def _file(self, kind: str, protection: ProtectionEntry) -> Path:
        return self.out / FOLDER / f"{kind}-{file_name(protection.name)}.safetensors"
