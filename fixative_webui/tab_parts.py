"""What the sub-tabs are built from: fields, the two buttons, results, and the way in between.

Each sub-tab ends in the same three outputs: something to look at, files to download, a report.
Works with the gradio of A1111 (3.41) and of Forge (4.40).
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.errors import FixativeError
from fixative.protections.base import MAX_STRENGTH
from fixative_webui import host
from fixative_webui.settings import TARGETS, Options
from fixative_webui.tab_answer import Answer, failed, stopped
from fixative_webui.tab_files import preview

log = logging.getLogger(__name__)

#: How an event takes JavaScript.
_JS = "_js" if gr.__version__.startswith("3.") else "js"
STRENGTH_MAPS = ("learned", "lpips", "off")
VAES = {"auto": "auto", "loaded": "of the loaded checkpoint", "embedded": "Fixative's own"}

#: The work of a sub-tab: from the values of its fields to what is shown.
Work = Callable[..., Answer]


@dataclass(frozen=True)
class Results:
    """The right-hand side of a sub-tab.

    Attributes:
        name: of the sub-tab, in the ids of its elements.
        run: the button that begins.
        view: HTML to look at.
        files: downloads.
        report: HTML.
    """

    name: str
    run: Any
    view: Any
    files: Any
    report: Any


def results(name: str, label: str, *, long: bool = True) -> Results:
    """Run, Interrupt and the places for what comes of it.

    Args:
        name: of the sub-tab.
        label: of Run.
        long: whether it takes long enough to be interrupted.
    """
    with gr.Row():
        run = gr.Button(label, variant="primary", elem_id=f"fixative_{name}_run")
        if long:
            interrupt = gr.Button("Interrupt", elem_id=f"fixative_{name}_interrupt")
            interrupt.click(fn=host.interrupt, inputs=[], outputs=[], queue=False)
    with gr.Column(elem_id=f"fixative_{name}_results"):
        view = gr.HTML(elem_id=f"fixative_{name}_view")
        files = gr.File(
            label="Download",
            file_count="multiple",
            interactive=False,
            visible=False,
            elem_id=f"fixative_{name}_files",
        )
        report = gr.HTML(elem_id=f"fixative_{name}_report")
    return Results(name, run, view, files, report)


def wire(results: Results, work: Work, inputs: Sequence[Any]) -> None:
    """Let Run begin the work, in the host's queue and with its progress bar."""
    task = gr.Textbox(visible=False, elem_id=f"fixative_{results.name}_task")
    fields = [task, *inputs]
    start = f"(...given) => fixativeStart('{results.name}', given.slice(0, {len(fields)}))"
    results.run.click(
        fn=host.queued(answering(work), failed=2),
        inputs=fields,
        outputs=[results.view, results.files, results.report],
        show_progress="hidden",
        **{_JS: start},
    )


def answering(work: Work) -> Callable[..., list[Any]]:
    """Carry out work; whatever goes wrong is told in words.

    Returns:
        A handler, whose first argument is the task's id, for view, files and report.
    """

    def handle(_task: str, *given: Any) -> list[Any]:
        try:
            answer = work(*given)
        except host.Stopped:
            answer = stopped()
        except FixativeError as error:
            answer = failed(str(error))
        except OUT_OF_MEMORY:
            answer = failed("There is not enough memory; use smaller pictures, or unload models.")
        except OSError as error:
            answer = failed(f"{error.filename or 'a file'}: {error.strerror or error}")
        except Exception as error:  # a person must not meet a stack trace
            log.exception("the Fixative tab failed")
            told = f"{type(error).__name__}: {error}; the host's console says more"
            answer = failed(f"This failed for a reason not foreseen ({told}).")
        return updates(answer)

    return handle


def updates(answer: Answer) -> list[Any]:
    """An answer as gradio takes it."""
    files = [str(path) for path in answer.files]
    return [answer.view, gr.update(value=files or None, visible=bool(files)), answer.report]


def picture_field(name: str, label: str, *, many: bool = False) -> Any:
    """A field that files are dropped on; unlike an image field it keeps their metadata.

    What is no picture is not refused here, but in words when its turn comes. A field for one
    picture shows it.
    """
    field = gr.File(
        label=label,
        file_count="multiple" if many else "single",
        elem_id=f"fixative_{name}",
    )
    if not many:
        shown = gr.HTML(elem_id=f"fixative_{name}_preview")
        field.change(fn=preview, inputs=[field], outputs=[shown], show_progress="hidden")
    return field


def protection_fields(name: str, options: Options) -> list[Any]:
    """Strength, target, map and VAE, as the settings have them; see ``chosen``."""
    strength = gr.Slider(
        minimum=0,
        maximum=MAX_STRENGTH,
        step=0.5,
        value=options.strength,
        label="Strength in 1/255: how much a colour may change at most",
        elem_id=f"fixative_{name}_strength",
    )
    with gr.Row():
        target = gr.Dropdown(
            choices=list(TARGETS),
            value=options.target,
            label="Target: pattern that it aims at",
            elem_id=f"fixative_{name}_target",
        )
        strength_map = gr.Dropdown(
            choices=list(STRENGTH_MAPS),
            value=options.strength_map,
            label="Strength map: press less where it shows",
            elem_id=f"fixative_{name}_map",
        )
    return [not_remembered(each) for each in (strength, target, strength_map)] + [
        vae_field(name, options)
    ]


def vae_field(name: str, options: Options) -> Any:
    """Which VAE to look through."""
    return not_remembered(
        gr.Dropdown(
            choices=list(VAES.values()),
            value=VAES.get(options.vae, VAES["auto"]),
            label="VAE",
            elem_id=f"fixative_{name}_vae",
        )
    )


def vae_named(label: str) -> str:
    """The choice that a label of ``vae_field`` stands for."""
    return next(choice for choice, text in VAES.items() if text == label)


def not_remembered(field: Any) -> Any:
    """A field whose default comes from our settings, not from what the host once stored."""
    field.do_not_save_to_config = True
    return field
