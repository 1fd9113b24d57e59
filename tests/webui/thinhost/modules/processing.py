"""Makes a picture without a model, and runs the scripts around it in the host's own order."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from modules import images, sd_models, shared, thin
from modules import scripts as scripts_module
from modules.infotext_utils import create_infotext
from modules.shared import opts
from PIL import Image

#: Scripts that look at the picture run without gradients; in Forge even in inference mode.
WITHOUT_GRADIENTS = torch.inference_mode if thin.FORGE else torch.no_grad


@dataclass
class StableDiffusionProcessing:
    """What is asked for."""

    prompt: str = ""
    seed: int = -1
    width: int = 96
    height: int = 64
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 3
    outpath_samples: str = ""
    outpath_grids: str = ""
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    is_api: bool = False
    scripts: Any = None
    script_args: Any = ()
    extra_generation_params: dict[str, Any] = field(default_factory=dict)
    override_settings: dict[str, Any] = field(default_factory=dict)
    iteration: int = 0
    batch_index: int = 0
    all_seeds: list[int] = field(default_factory=list)
    all_prompts: list[str] = field(default_factory=list)

    def save_samples(self) -> bool:
        """Whether the pictures are written."""
        return opts.samples_save and not self.do_not_save_samples

    def close(self) -> None:
        self.scripts = None


class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """Of a text."""


@dataclass
class Processed:
    """What came of it."""

    images: list[Any]
    infotexts: list[str]
    info: str
    index_of_first_image: int
    comments: str = ""


def draw(seed: int, width: int, height: int) -> Image.Image:
    """Ramps, waves and grain: the same seed gives the same picture."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    planes = [
        0.5 + 0.3 * np.sin(6 * generator.random() * (x + c * y)) * np.cos(9 * y) for c in range(3)
    ]
    grain = generator.normal(0, 0.03, (height, width, 3))
    pixels = (np.stack(planes, -1) + grain).clip(0, 1) * 255
    return Image.fromarray(pixels.astype(np.uint8))


def process_images(p: StableDiffusionProcessing) -> Processed:
    """Draw all pictures; let the scripts work on them; save them."""
    first = random.randrange(2**31) if p.seed == -1 else p.seed
    count = p.n_iter * p.batch_size
    p.all_seeds = [first + index for index in range(count)]
    p.all_prompts = [p.prompt] * count
    if thin.FORGE and sd_models.ON_DISK != "none":
        sd_models.forge_model_reload()
    run = p.scripts or scripts_module.ScriptRunner()
    run.call("before_process", p)
    run.call("process", p)
    with WITHOUT_GRADIENTS():
        made = _all(p, run)
        grid = _grid(p, made)
    texts = [text for _, text in made]
    shown = [image for image, _ in made]
    lead = [grid] if grid is not None and opts.return_grid else []
    done = Processed(lead + shown, texts[:1] * len(lead) + texts, (texts or [""])[0], len(lead))
    run.call("postprocess", p, done)
    return done


def _all(p: StableDiffusionProcessing, run: Any) -> list[tuple[Image.Image, str]]:
    made: list[tuple[Image.Image, str]] = []
    state = shared.state
    if state.job_count == -1:
        state.job_count = p.n_iter
    for iteration in range(p.n_iter):
        p.iteration = iteration
        if state.interrupted or getattr(state, "stopping_generation", False):
            break
        run.call("before_process_batch", p, batch_number=iteration)
        run.call("process_batch", p, batch_number=iteration)
        state.sampling_steps = p.steps
        state.sampling_step = p.steps
        state.nextjob()
        for index in range(p.batch_size):
            p.batch_index = index
            made.append(_one(p, run, iteration * p.batch_size + index))
    return made


def _one(p: StableDiffusionProcessing, run: Any, index: int) -> tuple[Image.Image, str]:
    seed = p.all_seeds[index]
    pp = scripts_module.PostprocessImageArgs(draw(seed, p.width, p.height), index)
    run.call("postprocess_image", p, pp)
    if thin.since(1, 10):
        run.call("postprocess_image_after_composite", p, pp)
    image = pp.image
    if p.save_samples():
        images.save_image(
            image,
            p.outpath_samples,
            "",
            seed,
            p.prompt,
            opts.samples_format,
            info=create_infotext(p, index),
            p=p,
        )
    text = create_infotext(p, index)
    if opts.enable_pnginfo:
        image.info["parameters"] = text
    return image, text


def _grid(p: StableDiffusionProcessing, made: list[tuple[Image.Image, str]]) -> Image.Image | None:
    wanted = (opts.return_grid or opts.grid_save) and not p.do_not_save_grid
    if not wanted or not made or (len(made) < 2 and opts.grid_only_if_multiple):
        return None
    grid = images.image_grid([image for image, _ in made])
    if opts.grid_save:
        images.save_image(
            grid,
            p.outpath_grids,
            "grid",
            p.all_seeds[0],
            p.prompt,
            opts.grid_format,
            info=made[0][1],
            short_filename=True,
            p=p,
            grid=True,
        )
    return grid
