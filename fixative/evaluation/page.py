"""HTML pages that need nothing beside them, from the package's templates."""

from __future__ import annotations

from importlib import resources
from typing import Any

from fixative.errors import FixativeError
from fixative.evaluation.tables import Entry


def render_page(template: str, **values: Any) -> str:
    """Fill in a template.

    Args:
        template: its path below the package, as ``evaluation/report.html.j2``.
        values: what it shows; ``sort_key`` is there already.

    Raises:
        FixativeError: jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an optional extra, though torch brings it
    except ImportError as error:
        raise FixativeError(
            f"report: needs the package jinja2 ({error}); install it "
            "(pip install 'fixative[platform]')"
        ) from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(_source)
    )
    return environment.get_template(template).render(sort_key=_sort_key, **values)


def _source(name: str) -> str:
    return resources.files("fixative").joinpath(name).read_text("utf-8")


def _sort_key(entry: Entry) -> str:
    """What the page's script sorts by; empty goes last."""
    return "" if entry.value is None else str(entry.value)
