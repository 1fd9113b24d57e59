"""Infotext: what is written into a picture about how it was made."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import json
from typing import Any


def quote(text: Any) -> str:
    """Quoted where a comma, colon or line break would be misread."""
    said = str(text)
    if not any(mark in said for mark in ",\n:"):
        return said
    return json.dumps(said, ensure_ascii=False)


def create_infotext(p: Any, index: int) -> str:
    """The prompt, then the parameters in one line."""
    parameters = {
        "Steps": p.steps,
        "Seed": p.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        **p.extra_generation_params,
    }
    known = {key: value for key, value in parameters.items() if value is not None}
    line = ", ".join(k if k == v else f"{k}: {quote(v)}" for k, v in known.items())
    return f"{p.prompt}\n{line}".strip()
