"""The sub-tab Inspect: how likely are pictures protected already?"""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
from typing import Any

import gradio as gr

from fixative.errors import FixativeError, SettingError
from fixative.pictures import read_picture
from fixative.pictures.naming import shown
from fixative_webui import host
from fixative_webui import tab_html as html
from fixative_webui.looking import Inspected, inspect
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, all_uploaded
from fixative_webui.tab_parts import picture_field, results, wire


def build() -> None:
    """Lay out the sub-tab."""
    with gr.Row(equal_height=False):
        with gr.Column():
            pictures = picture_field(
                "inspect_pictures", "Pictures, as they were found: not resized", many=True
            )
        with gr.Column():
            found = results("inspect", "Inspect")
    wire(found, inspect_all, [pictures])


def inspect_all(pictures: Any) -> Answer:
    """Inspect uploaded pictures, one after another.

    Raises:
        SettingError: there are none.
    """
    sources = all_uploaded(pictures)
    if not sources:
        raise SettingError("pictures: there are none; drop files on the field, or click on it")
    options, failures = Options.from_settings(), list[str]()
    found: list[tuple[str, Inspected]] = []
    with host.turn(), host.job("Inspecting"):
        for number, source in enumerate(sources):
            name = shown(source.name)
            host.tell(number, len(sources), f"{number + 1} of {len(sources)}: {name}")
            try:
                found.append((name, inspect(read_picture(source, limits=LIMITS), options)))
            except FixativeError as error:
                failures.append(str(error).replace(str(source), name))
    return Answer(_told(found, failures))


def _told(found: list[tuple[str, Inspected]], failures: list[str]) -> str:
    rows = [[name, *_cells(one)] for name, one in found]
    meaning = [html.paragraph(found[0][1].report.splitlines()[-1])] if found else []
    facts = {name: one.info for name, one in found}
    return html.report(
        html.heading(f"{len(found)} inspected, {len(failures)} failed"),
        *(html.problem(line) for line in failures),
        html.table(("picture", "verdict", "to know"), rows) if rows else "",
        *meaning,
        html.details("Every trace, as JSON", json.dumps(facts, indent=1)) if found else "",
    )


def _cells(one: Inspected) -> list[str]:
    verdict, *others = one.report.splitlines()[:-1]
    return [verdict, "; ".join([*others, *one.notices])]
