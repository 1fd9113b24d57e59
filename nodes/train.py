"""Train Mixture: learn perturbations for the VAE of this graph, from pictures of one's own."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.codecs import Codec
from fixative.codecs.learnt import in_learnt_space
from fixative.errors import SettingError
from fixative.mixture import SIDE, Mixture
from fixative.training.evaluate import measure_pulls, sample_pictures
from fixative.training.mixture_job import (
    MixturePlan,
    TrainedMixture,
    discard_checkpoint,
    train_mixture,
)
from fixative.training.mixture_recipe import MixtureRecipe, OtherTrainingError
from fixative.training.pictures import PictureList
from fixative.training.starts import AUTO, NOTHING, starting_mixture

from . import mixtures, training
from .convert import from_pil
from .host.codecs import weights_digest
from .host.folders import input_folder, mixture_files, models_folder
from .host.gradients import gradient_codec, gradients_allowed, release_codec
from .host.notices import warn
from .host.progress import Progress, node_id_of
from .host.temp import save_temp
from .schema import build, check_choices
from .train_inputs import CROP_STEP, START_FROM, train_inputs, train_outputs
from .training_pictures import folder_state, gather_pictures

CHECKPOINTS = "checkpoints"
#: Share of the crops that are aimed at a target drawn by lot.
SPREAD = 0.2


@dataclass(frozen=True)
class Run:
    """One run of the node.

    Attributes:
        name: from ``training.safe_name``.
        plan: what to train.
        pictures: to learn from.
        overwrite: replace a mixture, or an interrupted training, of that name.
        progress: of the node.
    """

    name: str
    plan: MixturePlan
    pictures: PictureList
    overwrite: bool
    progress: Progress

    @property
    def checkpoint(self) -> Path:
        """What an interrupted training goes on from."""
        return models_folder() / CHECKPOINTS / f"{self.name}.pt"


class TrainMixture(io.ComfyNode):
    """Node ``FixativeTrainMixture``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeTrainMixture",
            display_name="Train Mixture (Fixative)",
            category="fixative/training",
            description="Trains perturbations for the connected VAE on your own pictures, from a "
            "finished mixture or from nothing, and saves them for the other nodes to use.",
            search_aliases=["pre-train", "fine-tune", "mixture of perturbations", "FastProtect"],
            inputs=train_inputs(),
            outputs=train_outputs(),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(
        cls, name: str | None = None, start_from: str | None = None, crop: int | None = None
    ) -> bool | str:
        """Refuse what cannot be trained before anything runs; None comes from another node.

        The host checks no bounds of an input that is named here.
        """
        if crop is not None and (crop % CROP_STEP or not CROP_STEP <= crop <= SIDE):
            return f"crop: expected a multiple of {CROP_STEP} up to {SIDE}, got {crop}"
        try:
            training.safe_name("given" if name is None else name)
        except SettingError as error:
            return str(error)
        return check_choices({"start_from": start_from}, {"start_from": START_FROM})

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **_others: Any) -> Any:
        """Train again when the folder's pictures have changed."""
        return folder_state(_folder(folder))

    @classmethod
    def execute(
        cls,
        vae: Any,
        name: str,
        start_from: str,
        steps: int,
        groups: int,
        eta: float,
        crop: int,
        batch: int,
        learning_rate: float,
        seed: int,
        most_pictures: int,
        overwrite: bool,
        images: Tensor | None = None,
        folder: str = "",
        start: Mixture | None = None,
    ) -> Any:
        """Train with gradients that the host has switched off; stopping keeps the checkpoint."""
        pictures = gather_pictures(images, _folder(folder), most=most_pictures, seed=seed)
        recipe = MixtureRecipe(eta, batch, crop, learning_rate / 255, seed=seed, spread=SPREAD)
        vae_facts = {
            "name": training.vae_name(cls.hidden.prompt, node_id_of(cls)),
            "weights_sha256": weights_digest(vae),
        }
        try:
            with gradients_allowed():
                codec = gradient_codec(vae)
                begun = _start(start_from, start, codec.family)
                facts = {"vae": vae_facts, "data": _data_facts(pictures), "steps": steps}
                plan = MixturePlan(recipe, steps, len(pictures), groups, begun, facts)
                progress = Progress(steps, node_id_of(cls))
                run = Run(training.safe_name(name), plan, pictures, overwrite, progress)
                return _output(run, codec, node_id_of(cls))
        finally:
            release_codec(vae)


def _output(run: Run, codec: Codec, node_id: str | None) -> Any:
    """Train, measure, save, and only then drop the checkpoint."""
    trained = _trained(run, codec)
    run.progress.done(run.plan.steps, "measuring the pull")
    measured_with = in_learnt_space(codec, trained.mixture.learnt())
    examples = sample_pictures(run.pictures)
    start = run.plan.start
    pulls = measure_pulls(trained.mixture, measured_with, examples, before=start)
    path = _saved(run, trained.mixture)
    discard_checkpoint(run.checkpoint)
    for text in training.warnings(path.name, run.pictures, pulls):
        warn(text, node_id=node_id)
    curve = training.loss_picture(trained.losses, path.stem)
    told = training.report(trained, path, run.pictures, pulls, start=start)
    run.progress.done(run.plan.steps, training.pull_line(pulls, trained.mixture.eta), curve)
    mixture = mixtures.named(path.name, mixture_files())
    shown = {"images": [save_temp(curve, "training")]}
    return io.NodeOutput(mixture, from_pil(curve), told, ui=shown)


def _trained(run: Run, codec: Codec) -> TrainedMixture:
    view = training.TrainingView(run.progress.done, run.name)

    def go() -> TrainedMixture:
        return train_mixture(
            run.pictures,
            [codec],
            run.plan,
            checkpoint=run.checkpoint,
            on_step=view.step,
            on_encode=view.encoded,
        )

    try:
        return go()
    except OtherTrainingError as error:
        if not run.overwrite:
            raise SettingError(training.other_training(run.name)) from error
        discard_checkpoint(run.checkpoint)
        return go()


def _saved(run: Run, mixture: Mixture) -> Path:
    taken = mixtures.shipped_names()
    path = training.free_path(models_folder(), run.name, overwrite=run.overwrite, taken=taken)
    mixture.save(path)
    return path


def _start(start_from: str, connected: Mixture | None, family: str) -> Mixture | None:
    if start_from == NOTHING:
        return None
    return connected or starting_mixture(AUTO, family)


def _folder(text: str | None) -> Path | None:
    return input_folder(text) if text and text.strip() else None


def _data_facts(pictures: PictureList) -> dict[str, Any]:
    """What of the pictures a checkpoint must agree with, and the recipe tells."""
    return {
        "count": len(pictures),
        "sha256": pictures.digest(),
        "unreadable": len(pictures.unreadable),
        "left_out": pictures.left_out,
    }
