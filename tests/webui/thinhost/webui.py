"""Builds the page, serves it, and lets the extensions add their routes."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import logging
import threading
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from modules import (
    call_queue,
    progress,
    script_callbacks,
    scripts,
    sd_models,
    shared,
    thin,
    ui,
    ui_gradio_extensions,
)
from modules.api.api import Api
from modules.shared_cmd_options import cmd_opts

logger = logging.getLogger("thinhost")


def _handle_exception(request: Request, error: Exception) -> JSONResponse:
    """Both hosts' answer to what a route raises."""
    found = vars(error)
    content = {
        "error": type(error).__name__,
        "detail": found.get("detail", ""),
        "body": found.get("body", ""),
        "errors" if not thin.FORGE else "message": str(error),
    }
    status = int(found.get("status_code", 500))
    return JSONResponse(status_code=status, content=jsonable_encoder(content))


def run() -> None:
    """Start, serve, and wait."""
    scripts.load_scripts()
    if not thin.FORGE and sd_models.ON_DISK != "none":
        threading.Thread(target=sd_models.model_data.get_sd_model, daemon=True).start()
    script_callbacks.before_ui_callback()
    ui_gradio_extensions.reload_javascript()
    shared.demo = ui.create_ui()
    shared.demo.queue(64)
    app, _, _ = shared.demo.launch(
        server_name=cmd_opts.server_name or "127.0.0.1",
        server_port=cmd_opts.port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        allowed_paths=_allowed_paths(),
        auth=_gradio_auth(),
        app_kwargs={
            "docs_url": "/docs",
            "redoc_url": "/redoc",
            "exception_handlers": {Exception: _handle_exception},
        },
    )
    _add_routes(app)
    script_callbacks.app_started_callback(shared.demo, app)
    logger.info("%s ready on http://%s:%s", thin.TAG, "127.0.0.1", shared.demo.server_port)
    _main_thread()


def _allowed_paths() -> list[str]:
    """The data folder; and the host's own, which is the working folder of a real one."""
    return [*cmd_opts.gradio_allowed_path, scripts.script_path]


def _gradio_auth() -> list[tuple[str, ...]] | None:
    pairs = (cmd_opts.gradio_auth or "").split(",")
    return [tuple(pair.split(":")) for pair in pairs if pair] or None


def _add_routes(app: Any) -> None:
    app.user_middleware = [x for x in app.user_middleware if x.cls.__name__ != "CORSMiddleware"]
    app.middleware_stack = None
    progress.setup_progress_api(app)
    if cmd_opts.api:
        Api(app, call_queue.queue_lock)


def _main_thread() -> None:
    """Forge works off its own jobs here; A1111 waits for a command."""
    if thin.FORGE:
        from modules_forge import main_thread

        main_thread.loop()
    while shared.state.wait_for_server_command(timeout=5) not in ("stop", "restart"):
        pass
    shared.demo.close()
