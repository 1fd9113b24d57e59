"""Protection Report: what a protection did, beside controls of the same size."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.codecs import Codec
from fixative.errors import FixativeError
from fixative.mixture import Mixture
from fixative.perceptual import VISIBILITY_MAPS, VisibilityMap
from fixative.report_plot import report_picture
from fixative.report_text import VISIBILITY_NAMES, ReportContext, report_json, report_lines
from fixative.reporting import PROTECTED, PictureFigures, Reporter, ReportSettings, check_pairs

from . import mixtures
from .convert import from_pil, split_alpha
from .host.codecs import codec_of, family_of
from .host.folders import mixture_files
from .host.gradients import borrowed_codec
from .host.progress import Progress, node_id_of
from .inputs import TARGETS, target_input, vae_input
from .schema import build, check_choices
from .sockets import MIXTURE
from .visibility import visibility_map

MOST_PGD_STEPS = 1000


class ProtectionReport(io.ComfyNode):
    """Node ``FixativeProtectionReport``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeProtectionReport",
            display_name="Protection Report (Fixative)",
            category="fixative",
            description="Measures what a protection did to pictures, through the VAE's eyes and "
            "through yours, beside random noise of the same size.",
            search_aliases=["measure protection", "PSNR", "LPIPS", "metrics", "evaluate"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, target: str | None = None, lpips: str | None = None) -> bool | str:
        """Refuse a choice that is not offered."""
        offered = {"target": TARGETS, "lpips": VISIBILITY_MAPS}
        return check_choices({"target": target, "lpips": lpips}, offered)

    @classmethod
    def execute(
        cls,
        original: Tensor,
        protected: Tensor,
        vae: Any,
        target: str,
        lpips: str,
        pgd_steps: int,
        mixture: Mixture | None = None,
    ) -> Any:
        """Measure pair by pair; a stop takes effect between two of them, and in the PGD."""
        before, _ = split_alpha(original, name="original")
        after, _ = split_alpha(protected, name="protected")
        check_pairs(before, after)
        codec, match = codec_of(vae), family_of(vae)
        chosen = mixture or mixtures.choose(mixtures.AUTO, codec.family, mixture_files())
        settings = ReportSettings(target, pgd_steps)
        progress = Progress(len(before) * (pgd_steps + 1), node_id_of(cls))
        with _gradients(vae, pgd_steps) as gradients:
            reporter = Reporter(codec, chosen, _visibility(lpips), settings, gradients=gradients)
            figures = _measure_each(reporter, before, after, progress)
        context = ReportContext(settings, match, chosen, lpips)
        plot = report_picture(figures, visibility_name=VISIBILITY_NAMES[lpips])
        return io.NodeOutput(
            from_pil(plot), report_lines(figures, context), report_json(figures, context)
        )


def _measure_each(
    reporter: Reporter, before: Tensor, after: Tensor, progress: Progress
) -> list[PictureFigures]:
    figures: list[PictureFigures] = []
    done = count(1)
    for i, one in progress.each(list(before)):

        def step(text: str = f"{i + 1}/{len(before)}") -> None:
            progress.done(next(done), text)

        figures.append(reporter.measure(one[None], after[i : i + 1], on_step=step))
        step(f"{i + 1}/{len(before)}: pull {figures[-1].versions[PROTECTED].pull:.3f}")
    return figures


@contextmanager
def _gradients(vae: Any, pgd_steps: int) -> Generator[Codec | None]:
    if pgd_steps == 0:
        yield None
        return
    with borrowed_codec(vae) as codec:
        yield codec


def _visibility(name: str) -> VisibilityMap:
    try:
        return visibility_map(name)
    except FixativeError as error:
        raise FixativeError(f"lpips: {name} is not available here. {error}") from error


def _inputs() -> list[Any]:
    return [
        build(io.Image.Input, "original", tooltip="The pictures before they were protected."),
        build(
            io.Image.Input,
            "protected",
            tooltip="The same pictures afterwards: as many, of the same size.",
        ),
        vae_input(),
        target_input(),
        build(
            io.Combo.Input,
            "lpips",
            options=list(VISIBILITY_MAPS),
            default="learned",
            tooltip="How visible the change is. learned: the built-in stand-in for LPIPS. lpips: "
            "the reference, needs the lpips package.",
        ),
        build(
            io.Int.Input,
            "pgd_steps",
            default=0,
            min=0,
            max=MOST_PGD_STEPS,
            step=1,
            tooltip="Also attack each picture with this many steps of PGD, as an upper mark to "
            "compare with. Slow: seconds to minutes a step. 0 leaves it out.",
        ),
        build(
            MIXTURE.Input,
            "mixture",
            optional=True,
            tooltip="Whose targets to measure towards. Without one: the mixture that fits the VAE.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.Image.Output,
            "plot",
            display_name="plot",
            tooltip="Pulls beside their controls, how often each change occurs, and the means.",
        ),
        build(
            io.String.Output,
            "report",
            display_name="report",
            tooltip="A line a picture and what to make of it. Show it with Preview Any.",
        ),
        build(
            io.String.Output,
            "json",
            display_name="JSON",
            tooltip="Everything measured, with seeds, versions, VAE family and the mixture's hash.",
        ),
    ]
