"""Components that the host adds to gradio's; gradio reads the signature that ``wraps`` shows."""

# What differs between hosts is defined twice: a type checker sees one of them.
# pyright: basic, reportMissingImports=false, reportRedeclaration=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

from functools import wraps
from typing import Any

import gradio as gr
from modules import (
    gradio_extensions,  # noqa: F401 - for what it changes
    thin,
)


class FormComponent:
    """Fits inside a form."""

    def get_expected_parent(self) -> Any:
        return gr.components.Form


gr.Dropdown.get_expected_parent = FormComponent.get_expected_parent

if thin.FORGE:

    class ToolButton(gr.Button, FormComponent):
        @wraps(gr.Button.__init__)
        def __init__(
            self, value: str = "", *args: Any, elem_classes: Any = None, **kwargs: Any
        ) -> None:
            classes = ["tool", *(elem_classes or [])]
            super().__init__(*args, elem_classes=classes, value=value, **kwargs)

        def get_block_name(self) -> str:
            return "button"

    class FormRow(gr.Row, FormComponent):
        def get_block_name(self) -> str:
            return "row"

else:

    class ToolButton(FormComponent, gr.Button):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            classes = kwargs.pop("elem_classes", [])
            super().__init__(*args, elem_classes=["tool", *classes], **kwargs)

        def get_block_name(self) -> str:
            return "button"

    class FormRow(FormComponent, gr.Row):
        def get_block_name(self) -> str:
            return "row"


class _InputAccordion(gr.Checkbox):
    """A hidden checkbox and an accordion that follow each other, by a script of the page."""

    global_index = 0

    def _set_up(self, value: bool | None, kwargs: dict[str, Any]) -> None:
        self.accordion_id = kwargs.get("elem_id")
        if self.accordion_id is None:
            self.accordion_id = f"input-accordion-{_InputAccordion.global_index}"
            _InputAccordion.global_index += 1
        hidden = {**kwargs, "elem_id": f"{self.accordion_id}-checkbox", "visible": False}
        gr.Checkbox.__init__(self, value, **hidden)
        script = f'function(checked){{ inputAccordionChecked("{self.accordion_id}", checked); }}'
        self.change(fn=None, inputs=[self], **{"js" if thin.FORGE else "_js": script})
        label = kwargs.get("label", "Accordion")
        classes = ["input-accordion"]
        self.accordion = gr.Accordion(
            label, open=bool(value), elem_id=self.accordion_id, elem_classes=classes
        )

    def extra(self) -> Any:
        return gr.Column(
            elem_id=f"{self.accordion_id}-extra", elem_classes="input-accordion-extra", min_width=0
        )

    def __enter__(self) -> Any:
        self.accordion.__enter__()
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        self.accordion.__exit__(exc_type, exc_val, exc_tb)

    def get_block_name(self) -> str:
        return "checkbox"


if thin.FORGE:

    class InputAccordionImpl(_InputAccordion):
        """Made anew by gradio 4 for updates: then it must be a checkbox and no more."""

        @wraps(gr.Checkbox.__init__)
        def __init__(self, value: Any = None, setup: bool = False, **kwargs: Any) -> None:
            if setup:
                self._set_up(value, kwargs)
            else:
                super().__init__(value=value, **kwargs)

    def InputAccordion(value: Any = None, **kwargs: Any) -> InputAccordionImpl:  # noqa: N802
        return InputAccordionImpl(value=value, setup=True, **kwargs)

else:

    class InputAccordion(_InputAccordion):
        @wraps(gr.Checkbox.__init__)
        def __init__(self, value: Any, **kwargs: Any) -> None:
            self._set_up(value, kwargs)
