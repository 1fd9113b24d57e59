"""Evaluate: carry out a protocol on the graph's pictures and VAE, and report."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from fixative.errors import FixativeError
from fixative.evaluation import Results, evaluate
from fixative.evaluation.markdown import markdown_tables
from fixative.evaluation.report import write_report
from fixative.evaluation.run import Progress as Step
from fixative.mixture import Mixture

from . import evaluations, mixtures
from .convert import split_alpha
from .distances import perceptual_distance
from .host.codecs import weights_digest
from .host.folders import mixture_files, models_folder
from .host.gradients import gradient_codec, gradients_allowed, release_codec
from .host.outputs import output_folder
from .host.progress import Progress, node_id_of, stops
from .inputs import vae_input
from .schema import build, check_choices
from .sockets import MIXTURE


class Evaluate(io.ComfyNode):
    """Node ``FixativeEvaluate``; ids and the order of widgets never change."""

    @classmethod
    def define_schema(cls) -> Any:
        """Describe the node to the host."""
        return build(
            io.Schema,
            node_id="FixativeEvaluate",
            display_name="Evaluate (Fixative)",
            category="fixative/platform",
            description="Compares protections and countermeasures on your pictures, by a protocol: "
            "what each protection does, how much it is seen, what is left of it after each "
            "countermeasure, and at worst. Writes a report that opens in a browser. Takes minutes "
            "to hours; stopped, the next run goes on where it was.",
            search_aliases=[
                "benchmark",
                "compare protections",
                "IMPRESS",
                "protocol",
                "robustness",
            ],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(
        cls, protocol: str | None = None, custom: str | None = None, folder: str | None = None
    ) -> bool | str:
        """Refuse what cannot be measured before anything runs; None comes from another node."""
        choices = {"protocol": evaluations.choices(models_folder())}
        choice = check_choices({"protocol": protocol}, choices)
        if choice is not True:
            return choice
        try:
            if protocol is not None and custom is not None:
                evaluations.read_protocol(protocol, custom, models_folder())
            evaluations.check_folder("given" if folder is None else folder)
        except FixativeError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, protocol: str | None = None, **_others: Any) -> Any:
        """Run again when a protocol's or a mixture's file has changed."""
        state = evaluations.file_state(protocol, models_folder())
        return state, mixtures.fingerprint(mixture_files())

    @classmethod
    def execute(
        cls,
        images: Tensor,
        vae: Any,
        protocol: str,
        custom: str,
        folder: str,
        fresh: bool,
        mixture: Mixture | None = None,
    ) -> Any:
        """Measure cell by cell; a stop keeps what is done, and the next run goes on from there."""
        asked = evaluations.read_protocol(protocol, custom, models_folder())
        view = _View(node_id_of(cls))
        try:
            with gradients_allowed():
                pictures, _ = split_alpha(images.clone(), name="images")
                codec = gradient_codec(vae, decoder=True)
                chosen = mixture or mixtures.fitting(codec.family, mixture_files())
                tools = evaluations.tools_for(asked, codec, chosen, perceptual_distance())
                place = evaluations.Place(output_folder(), folder.strip(), weights_digest(vae))
                out = place.of(asked, tools, pictures)
                found = evaluate(
                    asked,
                    pictures,
                    out,
                    tools=tools,
                    on_progress=view.tell,
                    fresh=fresh,
                    stops=stops(),
                )
        finally:
            release_codec(vae)
        path = write_report(found, out)
        view.conclude(found)
        headline = evaluations.headline(found, path, output_folder())
        told = f"{headline}\n\n{markdown_tables(found)}"
        return io.NodeOutput(evaluations.pictures_of(found), told, str(path))


class _View:
    """The progress of an evaluation in the node."""

    def __init__(self, node_id: str | None) -> None:
        self._node_id = node_id
        self._progress: Progress | None = None

    def tell(self, step: Step) -> None:
        """A cell is done, or something in it."""
        self._progress = self._progress or Progress(step.total, self._node_id)
        self._progress.done(step.done, f"{step.done}/{step.total}: {step.doing}")

    def conclude(self, found: Results) -> None:
        """Everything is done."""
        total = len(found.rows)
        (self._progress or Progress(total, self._node_id)).done(total, evaluations.counted(found))


def _inputs() -> list[Any]:
    return [
        build(
            io.Image.Input,
            "images",
            tooltip="Pictures to measure on, as one batch. More pictures narrow the intervals; "
            "those that the protocol does not measure teach the attacks that learn.",
        ),
        vae_input(),
        build(
            io.Combo.Input,
            "protocol",
            options=evaluations.choices(models_folder()),
            default=evaluations.DEFAULT,
            tooltip="What to compare. quick: minutes to an hour on a CPU. paper: both papers' "
            "tables, for a GPU and a night. Files: from models/fixative/protocols. custom: the "
            "text below.",
        ),
        build(
            io.String.Input,
            "custom",
            default=evaluations.EXAMPLE,
            multiline=True,
            tooltip="A protocol of your own in YAML, which counts if protocol is custom. The help "
            "page explains every key.",
        ),
        build(
            io.String.Input,
            "folder",
            default="fixative/evaluation",
            tooltip="Where to write, inside the output folder. The protocol's name and a code of "
            "pictures, VAE and protocol are added, so that no evaluation overwrites another.",
        ),
        build(
            io.Boolean.Input,
            "fresh",
            default=False,
            tooltip="Measure everything anew, instead of going on where an earlier run of the "
            "same was.",
        ),
        build(
            MIXTURE.Input,
            "mixture",
            optional=True,
            tooltip="The mixture to compare. Without one: the one that fits the VAE; if there is "
            "none, what needs a mixture is reported as not run.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        build(
            io.Image.Output,
            "report",
            display_name="report",
            tooltip="Two plots: effect over visibility, and what is left after each "
            "countermeasure.",
        ),
        build(
            io.String.Output,
            "table",
            display_name="table",
            tooltip="All tables, worst cases first, as Markdown. Show it with Preview Any.",
        ),
        build(
            io.String.Output,
            "path",
            display_name="path",
            tooltip="The report to open in a browser; results.json, pictures and plots lie beside "
            "it.",
        ),
    ]
