"""The arms of a mimicry test: what the imitator gets to see, everything else being equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from fixative.countermeasures.registry import COUNTERMEASURES
from fixative.countermeasures.registry import WHAT as COUNTERMEASURE
from fixative.errors import SettingError
from fixative.protections.registry import PROTECTIONS
from fixative.protections.registry import WHAT as PROTECTION
from fixative.registry import choose, parse, settings_of

#: Noise of the same budget, and the iterative baseline.
NOISE, BASELINE = "noise", "photoguard:10"
DEFAULT_PROTECTIONS = ("mixture",)
DEFAULT_COUNTERMEASURES = ("jpeg:75+resize:0.5",)


class Role(str, Enum):
    """What an arm is there for."""

    NONE = "no LoRA"
    CLEAN = "clean"
    CONTROL = "control"
    NOISE = "noise"
    BASELINE = "baseline"
    PROTECTED = "protected"
    PURIFIED = "purified"


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        role: what it is there for.
        protection: of the pictures; None: none.
        countermeasure: of the imitator, on the pictures; None: none.
    """

    role: Role
    protection: str | None = None
    countermeasure: str | None = None

    @property
    def name(self) -> str:
        """As tables show it, and unlike every other arm's."""
        if self.role in (Role.NONE, Role.CLEAN):
            return self.role.value
        if self.role is Role.CONTROL:
            return "clean, other seed"
        assert self.protection is not None
        after = "" if self.countermeasure is None else f" → {self.countermeasure}"
        return self.protection + after

    @property
    def pictures(self) -> str:
        """The arm whose pictures it learns from: a control learns from the clean ones."""
        return Role.CLEAN.value if self.role in (Role.NONE, Role.CONTROL) else self.name

    @property
    def source(self) -> Arm:
        """The arm whose pictures are purified here; itself where none are."""
        if self.role is not Role.PURIFIED:
            return self
        assert self.protection is not None
        return Arm(_role_of(self.protection), self.protection)


def plan_arms(
    protections: Sequence[str] = DEFAULT_PROTECTIONS,
    countermeasures: Sequence[str] = DEFAULT_COUNTERMEASURES,
    *,
    baseline: str | None = BASELINE,
) -> tuple[Arm, ...]:
    """No LoRA, clean, control, noise, baseline, each protection, and each after each
    countermeasure.

    Args:
        protections: as ``make_protection`` reads them.
        countermeasures: as ``make_countermeasure`` reads them.
        baseline: the iterative protection to compare with; None leaves it out.

    Raises:
        SettingError: an unknown method or setting, or none at all.
    """
    for text in (*protections, *([baseline] if baseline else [])):
        _check_protection(text)
    for text in countermeasures:
        _check_countermeasure(text)
    arms = [Arm(Role.NONE), Arm(Role.CLEAN), Arm(Role.CONTROL), Arm(Role.NOISE, NOISE)]
    arms += [Arm(Role.BASELINE, baseline)] if baseline else []
    for text in protections:
        if text not in (NOISE, baseline):
            arms.append(Arm(Role.PROTECTED, text))
        arms += [Arm(Role.PURIFIED, text, each) for each in countermeasures]
    return tuple(dict.fromkeys(arms))


def _role_of(protection: str) -> Role:
    return Role.NOISE if protection == NOISE else Role.PROTECTED


def _check_protection(text: str) -> None:
    specs = parse(text, what=PROTECTION)
    if len(specs) != 1:
        raise SettingError(f"{PROTECTION} {text!r}: expected one method, got {len(specs)}")
    method = choose(PROTECTIONS, specs[0].name, what=PROTECTION)
    settings_of(specs[0], method.parameters, what=PROTECTION)


def _check_countermeasure(text: str) -> None:
    for spec in parse(text, what=COUNTERMEASURE):
        kind = choose(COUNTERMEASURES, spec.name, what=COUNTERMEASURE)
        settings_of(spec, kind.parameters, what=COUNTERMEASURE)
