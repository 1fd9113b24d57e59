"""What the registry knows of a protection, and what one is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.mimicry.denoiser import Denoiser
from fixative.mixture import Mixture
from fixative.perceptual import VisibilityMap, load_visibility_map
from fixative.perceptual.distance import PerceptualDistance
from fixative.protections.base import Protection
from fixative.protections.iterative import OnAttackStep
from fixative.protector import MAP_OFF
from fixative.registry import Parameter, Value

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class ProtectionResources:
    """What protections are made with; each takes what it needs, and says what it lacks.

    Attributes:
        codec: with gradients, for the iterative ones; with a decoder for ``consistency``.
        mixture: of the codec's family.
        distance: LPIPS or its stand-in, with gradients.
        visibility: a strength map already loaded; another one that is asked for is loaded.
        denoiser: of the codec's family, with gradients.
    """

    codec: Codec | None = None
    mixture: Mixture | None = None
    distance: PerceptualDistance | None = None
    visibility: VisibilityMap | None = None
    denoiser: Denoiser | None = None


@dataclass(frozen=True)
class Request:
    """One protection as somebody asked for it.

    Attributes:
        name: of the method.
        settings: the value of each of its parameters.
        resources: what there is to make it with.
        strength: L-infinity budget in 1/255.
        seed: of all randomness.
        on_step: told of each step, of the iterative ones.
    """

    name: str
    settings: Mapping[str, Value]
    resources: ProtectionResources
    strength: float
    seed: int = 0
    on_step: OnAttackStep | None = None

    def whole(self, name: str) -> int:
        """A setting that is a whole number."""
        return int(self.settings[name])

    def number(self, name: str) -> float:
        """A setting that is a number."""
        return float(self.settings[name])

    def word(self, name: str) -> str:
        """A setting that is a word."""
        return str(self.settings[name])

    @property
    def codec(self) -> Codec:
        """The codec.

        Raises:
            SettingError: there is none.
        """
        return self._there(self.resources.codec, "a codec")

    @property
    def mixture(self) -> Mixture:
        """The mixture.

        Raises:
            SettingError: there is none.
        """
        return self._there(self.resources.mixture, "a mixture of perturbations")

    @property
    def distance(self) -> PerceptualDistance:
        """The perceptual distance.

        Raises:
            SettingError: there is none.
        """
        return self._there(self.resources.distance, "a perceptual distance")

    @property
    def denoiser(self) -> Denoiser:
        """The denoiser.

        Raises:
            SettingError: there is none.
        """
        return self._there(self.resources.denoiser, "a denoiser (the testbed, or a model)")

    def visibility(self, name: str) -> VisibilityMap | None:
        """The strength map of that name: the one given, or a loaded one; None for ``off``."""
        if name == MAP_OFF:
            return None
        given = self.resources.visibility
        if given is not None and given.name == name:
            return given
        return load_visibility_map(name, device=self.codec.device)

    def _there(self, thing: Thing | None, what: str) -> Thing:
        if thing is None:
            raise SettingError(f"protection {self.name}: needs {what}, and none was given")
        return thing


@dataclass(frozen=True)
class Method:
    """An entry of the registry.

    Attributes:
        name: what a person writes.
        help: what it is, in a line.
        make: from a request with this method's settings.
        parameters: what may be set; the first one also without its name.
        needs: of ``ProtectionResources``, what it cannot be made without.
    """

    name: str
    help: str
    make: Callable[[Request], Protection]
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()
