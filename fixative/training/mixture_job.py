"""A mixture's whole training, for the command line and for hosts: from pictures to a Mixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.codecs.learnt import LEARNT_PREFIX, in_learnt_space, normalised, probe_latents
from fixative.errors import CodecError, MixtureError, SettingError
from fixative.mixture import Mixture, require_family
from fixative.provenance import provenance
from fixative.training.distributed import ALONE, Team
from fixative.training.loop import LoopSettings, ProgressCallback, run_training
from fixative.training.mixture_recipe import MixtureRecipe, OtherTrainingError
from fixative.training.mixture_set import MixtureSet, prepare_set
from fixative.training.pictures import PictureSource
from fixative.training.targets import PERIODS, draw_targets
from fixative.training.train_mixture import MixtureTraining


@dataclass(frozen=True)
class MixturePlan:
    """What to train, apart from pictures and codecs.

    Attributes:
        recipe: settings of the training itself.
        steps: its length.
        crops: how many square crops of the pictures to learn from.
        groups: K.
        start: a finished mixture of the same latent space to begin with, or None for zeros. Its
            groups are kept where there are as many as asked for.
        made_of: facts of the pictures, the VAE and the like, JSON types only. A checkpoint must
            agree with them, and the finished mixture's recipe tells them.
    """

    recipe: MixtureRecipe = field(default_factory=MixtureRecipe)
    steps: int = 700
    crops: int = 350
    groups: int = 4
    start: Mixture | None = None
    made_of: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class TrainedMixture:
    """The outcome of a training.

    Attributes:
        mixture: with its recipe, not yet saved.
        losses: the terms of the loss by name, a value a step, earlier runs included.
        steps_now: steps done by this run, fewer than planned where it went on from a checkpoint.
    """

    mixture: Mixture
    losses: dict[str, list[float]]
    steps_now: int


def train_mixture(
    pictures: PictureSource,
    codecs: Sequence[Codec],
    plan: MixturePlan,
    *,
    checkpoint: Path,
    on_step: ProgressCallback | None = None,
    on_encode: Callable[[int, int], None] | None = None,
    team: Team = ALONE,
) -> TrainedMixture:
    """Train a mixture; an interrupted training goes on, bit for bit, from its checkpoint.

    Args:
        pictures: to learn from.
        codecs: encoders that take turns, of one latent space; the first groups and routes the
            pictures. One of unknown family makes, or finds again, a learnt family.
        plan: what to train.
        checkpoint: the file to save to and go on from; the pictures' latents are kept beside it.
        on_step: called with (step, steps, losses).
        on_encode: called with (done, all) while pictures are encoded.
        team: the processes that share the work; each returns the whole, same mixture.

    Raises:
        MixtureError: the codecs, or the start, are of different latent spaces.
        SettingError: more groups than pictures.
        OtherTrainingError: the checkpoint is of other settings, pictures or codecs.
    """
    _check_counts(pictures, plan)
    team.require(plan.crops, "pictures", "raise pictures")
    plan = replace(plan, made_of={**plan.made_of, **team.facts()})
    codecs, probe = _of_one_space(codecs, plan.start)
    if plan.start is not None:
        _check_start(plan.start, codecs[0])
    recipe = plan.recipe if all(map(shows_features, codecs)) else _without_features(plan.recipe)
    _check_checkpoint(checkpoint, {**asdict(recipe), **_identity(plan)})
    described = _described(plan, recipe, pictures, codecs)
    targets = draw_targets()
    data = _prepared(pictures, codecs[0], targets, plan, checkpoint, on_encode, team)
    training = MixtureTraining(
        codecs,
        data,
        targets,
        list(PERIODS.values()),
        recipe,
        start=plan.start,
        made_of=_identity(plan),
        team=team,
    )
    steps_now = run_training(training, LoopSettings(plan.steps, checkpoint), on_step, team=team)
    told = {**described, **_grouping(data)}
    mixture = training.mixture(codecs[0].family, tuple(PERIODS), told, probe=probe)
    return TrainedMixture(mixture, training.losses, steps_now)


def latents_beside(checkpoint: Path) -> Path:
    """Where the latents of the training pictures are kept."""
    return checkpoint.with_suffix(".latents.pt")


def discard_checkpoint(checkpoint: Path) -> None:
    """Remove a checkpoint and what is kept beside it; nothing if there is none."""
    for path in (checkpoint, latents_beside(checkpoint)):
        path.unlink(missing_ok=True)


def shows_features(codec: Codec) -> bool:
    """Whether the multi-layer term of the loss can be had from this codec."""
    try:
        with torch.no_grad():
            _, features = codec.encode_with_features(torch.full((1, 3, 64, 64), 0.5))
    except CodecError:
        return False
    return len(features) > 0


def _without_features(recipe: MixtureRecipe) -> MixtureRecipe:
    return replace(recipe, feature_weight=0.0)


def _check_counts(pictures: PictureSource, plan: MixturePlan) -> None:
    count = min(sum(pictures.counts.values()), plan.crops)
    if count < plan.groups:
        raise SettingError(
            f"groups: {plan.groups} groups need at least as many pictures, got {count}; give more "
            "pictures, or lower groups"
        )


def _check_checkpoint(checkpoint: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another training before anything is encoded or written for this."""
    if not checkpoint.is_file():
        return
    settings = torch.load(checkpoint, weights_only=True, mmap=True)["recipe"]["settings"]
    if any(settings.get(key, ()) != value for key, value in wanted.items()):
        raise OtherTrainingError


def _of_one_space(
    codecs: Sequence[Codec], start: Mixture | None
) -> tuple[list[Codec], Tensor | None]:
    """The codecs in the space of the first one, and its probe where that space is learnt."""
    first = in_learnt_space(codecs[0], {} if start is None else start.learnt(), new=True)
    probe = normalised(probe_latents(first)) if first.family.startswith(LEARNT_PREFIX) else None
    learnt = {} if probe is None else {first.family: probe}
    found = [first, *(in_learnt_space(codec, learnt) for codec in codecs[1:])]
    families = {codec.family for codec in found}
    if len(families) != 1:
        raise MixtureError(
            f"codecs: expected one latent family, got {', '.join(sorted(families))}; train a "
            "mixture for each"
        )
    return found, probe


def _check_start(start: Mixture, codec: Codec) -> None:
    require_family(start, codec.family, codec.latent_channels)
    if start.target_names != tuple(PERIODS):
        raise MixtureError(
            f"start: mixture {start.name} aims at {', '.join(start.target_names)}, expected "
            f"{', '.join(PERIODS)}; start from another one, or from nothing"
        )


def _prepared(
    pictures: PictureSource,
    codec: Codec,
    targets: Tensor,
    plan: MixturePlan,
    checkpoint: Path,
    on_encode: Callable[[int, int], None] | None,
    team: Team,
) -> MixtureSet:
    keeps = plan.start is not None and plan.start.groups == plan.groups
    return prepare_set(
        pictures,
        codec,
        targets,
        count=plan.crops,
        groups=plan.groups,
        seed=plan.recipe.seed,
        centroids=plan.start.centroids if plan.start is not None and keeps else None,
        cache=latents_beside(checkpoint),
        made_of=plan.made_of,
        on_encode=on_encode,
        team=team,
    )


def _identity(plan: MixturePlan) -> dict[str, Any]:
    """What a checkpoint must agree with beyond the recipe."""
    return {**plan.made_of, "start": None if plan.start is None else start_facts(plan.start)}


def start_facts(start: Mixture) -> dict[str, Any]:
    """What the recipe tells of the mixture that a training began with."""
    return {"name": start.name, "eta": start.eta * 255, "tensors_sha256": start.digest()}


def _described(
    plan: MixturePlan, recipe: MixtureRecipe, pictures: PictureSource, codecs: Sequence[Codec]
) -> dict[str, Any]:
    described = {
        **asdict(recipe),
        "kind": "mixture",
        "steps": plan.steps,
        "codecs": [codec.name for codec in codecs],
        "pictures": pictures.counts,
        "square_crops": plan.crops,
        **_identity(plan),
        **provenance(),
    }
    if recipe.feature_weight != plan.recipe.feature_weight:
        described["left_out"] = "multi-layer term: an encoder shows no features"
    return described


def _grouping(data: MixtureSet) -> dict[str, Any]:
    routed = data.target.bincount(minlength=len(PERIODS)).tolist()
    return {
        "routed": dict(zip(PERIODS, routed, strict=True)),
        "grouped_as": data.group.bincount(minlength=len(data.centroids)).tolist(),
    }
