"""What Train Mixture shows and tells: names, curve, report. Nothing of the host is in here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from fixative.errors import SettingError
from fixative.mixture import Mixture
from fixative.plots import curve_picture
from fixative.training.evaluate import Pulls
from fixative.training.mixture_job import TrainedMixture
from fixative.training.pictures import PictureList

SUFFIX = ".safetensors"
LONGEST_NAME = 80
#: Names that Windows keeps for devices.
RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10)))
)
#: Seconds between two texts, and between two curves: drawing one takes a tenth of a second.
TEXT_EVERY, CURVE_EVERY = 0.5, 3.0
#: Steps that the smooth curve averages.
SMOOTHED = 20

Show = Callable[[int, str, Image | None], None]


def safe_name(name: str) -> str:
    """A file name, without folder and suffix, of what a person typed.

    Raises:
        SettingError: nothing is left of it.
    """
    bare = name.strip().removesuffix(SUFFIX)
    kept = re.sub(r"[^\w\- .]+", "_", bare)[:LONGEST_NAME].strip(" ._")
    if not kept:
        raise SettingError(f"name: expected letters or digits, got {name!r}")
    return f"{kept}_" if kept.split(".")[0].lower() in RESERVED else kept


def free_path(folder: Path, name: str, *, overwrite: bool, taken: Sequence[str] = ()) -> Path:
    """Where to save: NAME, or NAME_2, NAME_3, … where that exists and may not be replaced.

    Args:
        folder: of the mixtures.
        name: from ``safe_name``.
        overwrite: replace a file of that name.
        taken: file names that stay taken even then: a file there would hide a shipped mixture.
    """
    number = 1
    while True:
        path = folder / f"{name if number == 1 else f'{name}_{number}'}{SUFFIX}"
        if path.name not in taken and (overwrite or not path.exists()):
            return path
        number += 1


def vae_name(prompt: Mapping[str, Any] | None, node_id: str | None) -> str:
    """The file that the graph's VAE was loaded from, as far as the graph tells."""
    wire = (prompt or {}).get(node_id or "", {}).get("inputs", {}).get("vae")
    source = (prompt or {}).get(str(wire[0]), {}) if isinstance(wire, list) else {}
    inputs: Mapping[str, Any] = source.get("inputs", {})
    texts = [inputs.get(key) for key in ("vae_name", "ckpt_name")]
    return next((text for text in texts if isinstance(text, str)), "the graph's VAE")


def smoothed(values: Sequence[float]) -> list[float]:
    """The mean of each value and those before it, 20 at the most."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    firsts = (max(0, end - SMOOTHED) for end in range(1, len(sums)))
    return [(sums[i + 1] - sums[first]) / (i + 1 - first) for i, first in enumerate(firsts)]


def loss_picture(losses: Mapping[str, Sequence[float]], name: str) -> Image:
    """The loss of the latents, each step and smoothed: 0 = every crop looks like its target."""
    latent = losses.get("latent", ())
    series = {"each step": latent, f"mean of the last {SMOOTHED}": smoothed(latent)}
    return curve_picture(series, title=f"Training {name}", y_label="distance to the target")


class TrainingView:
    """Shows a training while it runs.

    Args:
        show: takes steps done, a text and perhaps a picture; stops where the user stops.
        name: of the mixture.
    """

    def __init__(self, show: Show, name: str) -> None:
        self._show, self._name = show, name
        self._latent: list[float] = []
        self._began = self._told = self._drawn = time.monotonic()

    def encoded(self, done: int, total: int) -> None:
        """One more picture was looked at."""
        self._show(0, f"looking at picture {done} of {total}", None)
        self._began = time.monotonic()

    def step(self, step: int, steps: int, losses: dict[str, float]) -> None:
        """One more step was done."""
        now = time.monotonic()
        self._latent.append(losses["latent"])
        last = step == steps
        text, picture = "", None
        if last or len(self._latent) == 1 or now - self._told > TEXT_EVERY:
            self._told, text = now, self._text(step, steps, now)
        if last or now - self._drawn > CURVE_EVERY:
            picture = loss_picture({"latent": self._latent}, self._name)
            self._drawn = time.monotonic()
        self._show(step, text, picture)

    def _text(self, step: int, steps: int, now: float) -> str:
        left = (now - self._began) / len(self._latent) * (steps - step)
        loss = smoothed(self._latent)[-1]
        return f"step {step} of {steps}, loss {loss:.4f}, {duration(left)} left"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def report(
    trained: TrainedMixture,
    path: Path,
    pictures: PictureList,
    pulls: Pulls,
    *,
    start: Mixture | None,
) -> str:
    """What was done, in lines a person reads, and the recipe as JSON below."""
    mixture = trained.mixture
    recipe, steps = mixture.recipe, len(trained.losses["latent"])
    earlier = steps - trained.steps_now
    continued = f", {earlier} of them in an earlier run" if earlier else ""
    lines = [
        f"Fixative: trained {path.name} for the latent family {mixture.family} "
        f"(VAE: {recipe['vae']['name']})",
        f"{steps} steps{continued}, {len(pictures)} pictures in {mixture.groups} groups, "
        f"η {mixture.eta * 255:g}/255",
        "started from nothing" if start is None else f"started from {start.name}",
        pull_line(pulls, mixture.eta),
        *left_out_lines(pictures),
        *_recipe_lines(recipe),
        f"saved as models/fixative/{path.name}; Load Mixture and Protect Image list it now",
    ]
    return "\n".join(lines) + "\n\n" + json.dumps({"recipe": recipe}, indent=1)


def pull_line(pulls: Pulls, eta: float) -> str:
    """The effect beside its start and random noise of the same budget."""
    before = "" if pulls.before is None else f"before {pulls.before:.3f}, "
    return (
        f"pull on {pulls.pictures} of the training pictures at {eta * 255:g}/255: "
        f"{pulls.after:.3f} ({before}random noise {pulls.noise:.3f}; 1 = the target is reached)"
    )


def left_out_lines(pictures: PictureList) -> list[str]:
    """Which pictures were not learnt from."""
    lines: list[str] = []
    if pictures.unreadable:
        first = pictures.unreadable[0]
        lines.append(f"{len(pictures.unreadable)} files could not be read; the first: {first}")
    if pictures.left_out:
        lines.append(f"{pictures.left_out} pictures more than most_pictures were left out")
    return lines


def warnings(name: str, pictures: PictureList, pulls: Pulls) -> list[str]:
    """What the user must know at once."""
    texts: list[str] = []
    if pictures.unreadable:
        texts.append(f"{name}: {left_out_lines(pictures)[0]}")
    if pulls.after <= max(pulls.noise, pulls.before or 0.0):
        better = "random noise" if pulls.after <= pulls.noise else "the mixture it started from"
        texts.append(
            f"{name}: pulls no more than {better} ({pulls.after:.3f}); train for more steps, or "
            "with more pictures"
        )
    return texts


def other_training(name: str) -> str:
    """Why an interrupted training of that name cannot go on."""
    return (
        f"name: an interrupted training called {name!r} had other settings, pictures or another "
        "VAE; set them back to go on, choose another name, or turn on overwrite to begin anew"
    )


def _recipe_lines(recipe: Mapping[str, Any]) -> list[str]:
    lines = [f"left out: {recipe['left_out']}"] if "left_out" in recipe else []
    empty = list(recipe["grouped_as"]).count(0)
    if empty:
        lines.append(f"{empty} groups met no picture; they use the mean of the others")
    return lines
