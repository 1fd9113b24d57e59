"""Puts the host's and the extensions' scripts and styles into the page."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from modules import scripts, shared

_original = gr.routes.templates.TemplateResponse


def webpath(path: str) -> str:
    """The address of a file, relative to the data folder where it lies in it."""
    file, here = Path(path), Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return f"file={shown}?{file.stat().st_mtime}"


def javascript_html() -> str:
    head = f"<script>var opts = {shared.opts.dumpjson()};</script>\n"
    for script in scripts.list_scripts("javascript", ".js"):
        head += f'<script type="text/javascript" src="{webpath(script.path)}"></script>\n'
    for script in scripts.list_scripts("javascript", ".mjs"):
        head += f'<script type="module" src="{webpath(script.path)}"></script>\n'
    return head


def css_html() -> str:
    paths = scripts.list_files_with_name("style.css")
    return "".join(f'<link rel="stylesheet" href="{webpath(path)}">' for path in paths)


def reload_javascript() -> None:
    """From now on every page carries them."""

    def template_response(*args: Any, **kwargs: Any) -> Any:
        response = _original(*args, **kwargs)
        body = response.body.replace(b"</head>", f"{javascript_html()}</head>".encode())
        response.body = body.replace(b"</body>", f"{css_html()}</body>".encode())
        response.init_headers()
        return response

    gr.routes.templates.TemplateResponse = template_response
