"""The methods that the platform's nodes offer, from the engine's registries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fixative.countermeasures import (
    COUNTERMEASURES,
    Chain,
    Countermeasure,
    Need,
    needed_resources,
)
from fixative.countermeasures.tiled import TiledCountermeasure
from fixative.errors import CodecError, SettingError
from fixative.protections.advdm import AdvDM
from fixative.protections.photoguard import TARGET
from fixative.protections.registry import PROTECTIONS
from fixative.protections.sds import ScoreDistillation
from fixative.registry import Parameter, choose, parse, settings_of, written

#: What a graph has for them: nothing, a VAE, or a VAE and its model.
_HAVE = (Need.NOTHING, Need.CODEC, Need.DENOISER)
_MISSING: Mapping[Need, str] = MappingProxyType(
    {
        Need.PAIRS: "learns from pictures before and after, which a graph does not have; Evaluate "
        "does that, and so does fixative train",
    }
)
COUNTERMEASURE_KINDS = tuple(name for name, kind in COUNTERMEASURES.items() if kind.needs in _HAVE)
WHAT = "countermeasure"

#: Iterative Protection's choices, as the protections' registry writes them.
PROTECTION_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "photoguard": "photoguard:goal=target",
        "photoguard low": "photoguard:goal=low",
        "photoguard mid": "photoguard:goal=mid",
        "photoguard high": "photoguard:goal=high",
        "photoguard to zero": "photoguard:goal=zero",
        "mist": "mist",
        "glaze": "glaze",
        "universal": "universal",
        "noise": "noise",
        "advdm": "advdm",
        "mist-fused": "mist-fused",
        "sds": "sds",
    }
)
#: Those that pull to no target: what they change is a denoiser's loss.
UNTARGETED = frozenset({AdvDM.name, ScoreDistillation.name})
STEPS, CONSISTENCY = "steps", "consistency"


def countermeasure_text(kind: str, settings: str, chain: str) -> str:
    """What was asked for, as the registry writes it.

    Args:
        kind: of ``COUNTERMEASURE_KINDS``.
        settings: its own, as the registry's grammar has them; empty for the defaults.
        chain: instead of both, if it is not empty.

    Raises:
        SettingError: an unknown name, a bad setting, or one that learns from known pairs.
    """
    name = "chain" if chain.strip() else "settings"
    text = chain.strip() or (f"{kind}:{settings.strip()}" if settings.strip() else kind)
    try:
        _check_countermeasure(text, chained=bool(chain.strip()))
    except SettingError as error:
        raise SettingError(f"{name}: {error}") from error
    return text


def _check_countermeasure(text: str, *, chained: bool) -> None:
    specs = parse(text, what=WHAT)
    if len(specs) > 1 and not chained:
        raise SettingError(f"expected those of one {WHAT}; write several in a row into chain")
    for spec in specs:
        kind = choose(COUNTERMEASURES, spec.name, what=WHAT)
        if kind.needs not in _HAVE:
            raise SettingError(f"{spec.name} {_MISSING[kind.needs]}")
        settings_of(spec, kind.parameters, what=WHAT)


def countermeasure_help() -> str:
    """Every setting with its range, in a line."""
    kinds = ((name, COUNTERMEASURES[name].parameters) for name in COUNTERMEASURE_KINDS)
    return "; ".join(f"{name}: {_all_told(found)}" for name, found in kinds if found)


def needing(text: str, resource: str) -> list[str]:
    """The names of those countermeasures in a chain that need a field of ``Resources``."""
    return [spec.name for spec in parse(text) if resource in needed_resources(spec.name)]


def require_vae(text: str, vae: Any) -> None:
    """See that a countermeasure has the VAE that it needs.

    Raises:
        CodecError: it has none.
    """
    names = needing(text, "codec")
    if names and vae is None:
        raise CodecError(
            f"vae: {', '.join(names)} looks through one; connect Load VAE or Load Checkpoint"
        )


def require_model(names: Sequence[str], model: Any, positive: Any) -> None:
    """See that methods which look through a denoiser have one.

    Raises:
        SettingError: model or positive is not connected.
    """
    looks = f"{', '.join(names)} looks through a diffusion model"
    if model is None:
        raise SettingError(f"model: {looks}; connect Load Testbed or Load Checkpoint")
    if positive is None:
        raise SettingError(
            f"positive: {looks}, which is told what the pictures are; connect CLIP Text Encode (an "
            "empty text will do), or that of Load Testbed"
        )


def limit_tiles(method: Countermeasure, side: int) -> None:
    """Let no tile be larger than ``side`` pixels a side, where gradients go through the VAE.

    Those of a denoiser stay: it sees subjects at one scale only, and there are no gradients.
    """
    for link in method.links if isinstance(method, Chain) else (method,):
        if isinstance(link, TiledCountermeasure) and link.needs is not Need.DENOISER:
            link.tile = min(link.tile, side)


def protection_text(method: str, steps: int, consistency: float) -> str:
    """What was asked for, as the registry writes it.

    Args:
        method: of ``PROTECTION_METHODS``.
        steps: 0 for as many as were published.
        consistency: β of IMPRESS's adaptive versions; 0 leaves it out.

    Raises:
        SettingError: more steps than the method takes, or β where it has none.
    """
    spec = parse(PROTECTION_METHODS[method])[0]
    parameters = {one.name: one for one in PROTECTIONS[spec.name].parameters}
    if consistency and CONSISTENCY not in parameters:
        raise SettingError(
            f"consistency: {method} has no such term; set it to 0, or choose a photoguard or mist"
        )
    asked: dict[str, float] = {STEPS: steps, CONSISTENCY: consistency}
    settings = settings_of(spec, tuple(parameters.values()))
    for name, value in asked.items():
        if value and name in parameters:
            settings[name] = parameters[name].checked(value, owner=method)
    return written(spec.name, settings, tuple(parameters.values()))


def protection_needs(text: str) -> tuple[str, ...]:
    """Which of ``ProtectionResources`` a protection cannot be made without."""
    spec = parse(text)[0]
    needs = PROTECTIONS[spec.name].needs
    chosen = settings_of(spec, PROTECTIONS[spec.name].parameters).get("goal") == TARGET
    return (*needs, "mixture") if chosen else needs


def is_untargeted(text: str) -> bool:
    """Whether a protection pulls to no target."""
    return parse(text)[0].name in UNTARGETED


def _all_told(parameters: tuple[Parameter, ...]) -> str:
    return ", ".join(_told(parameter) for parameter in parameters)


def _told(parameter: Parameter) -> str:
    values = (
        " or ".join(parameter.choices)
        if parameter.choices
        else f"{parameter.low:g} to {parameter.high:g}"
    )
    return f"{parameter.name} {values}"
