"""Every protection by name: ``photoguard:200,goal=zero``."""

from __future__ import annotations

from fixative.errors import SettingError
from fixative.protections import (
    ablated,
    advdm,
    glaze,
    mist,
    mist_fused,
    noise,
    photoguard,
    refined,
    sds,
    universal,
)
from fixative.protections.base import Protection
from fixative.protections.iterative import OnAttackStep
from fixative.protections.method import Method, ProtectionResources, Request
from fixative.registry import choose, parse, settings_of

__all__ = ["PROTECTIONS", "ProtectionResources", "make_protection"]

WHAT = "protection"
_HOMES = (
    ablated,
    refined,
    universal,
    photoguard,
    mist,
    glaze,
    advdm,
    mist_fused,
    sds,
    noise,
)
PROTECTIONS: dict[str, Method] = {home.METHOD.name: home.METHOD for home in _HOMES}


def make_protection(
    text: str,
    resources: ProtectionResources | None = None,
    *,
    strength: float = 8.0,
    seed: int = 0,
    on_step: OnAttackStep | None = None,
) -> Protection:
    """Make the protection that a person wrote.

    Args:
        text: ``name[:value[,key=value…]]``.
        resources: what it may be made with.
        strength: L-infinity budget in 1/255, 0 to 32.
        seed: of all randomness.
        on_step: told of each step of the iterative ones; may raise, to stop.

    Raises:
        SettingError: an unknown name or setting, a value out of range, something missing among
            the resources, or a chain: protections are not chained.
        MixtureError: mixture and codec are of different families.
    """
    specs = parse(text, what=WHAT)
    if len(specs) != 1:
        raise SettingError(f"{WHAT} {text!r}: expected one method, got {len(specs)} joined by +")
    method = choose(PROTECTIONS, specs[0].name, what=WHAT)
    settings = settings_of(specs[0], method.parameters, what=WHAT)
    return method.make(
        Request(method.name, settings, resources or ProtectionResources(), strength, seed, on_step)
    )
