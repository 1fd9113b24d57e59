"""The command line, with the host's names and defaults for what an extension may look at."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import argparse
import os
import shlex

from modules.paths_internal import data_path

parser = argparse.ArgumentParser()
for _flag in (
    *("api", "nowebui", "medvram", "medvram-sdxl", "lowvram", "no-half", "no-half-vae"),
    *("listen", "share", "hide-ui-dir-config", "freeze-settings", "skip-install"),
    *("no-gradio-queue", "ui-debug-mode"),
):
    parser.add_argument(f"--{_flag}", action="store_true")
for _name in ("api-auth", "gradio-auth", "server-name", "subpath", "device-id"):
    parser.add_argument(f"--{_name}", default=None)
parser.add_argument("--port", type=int, default=None)
parser.add_argument("--precision", default="autocast")
parser.add_argument("--data-dir", default=data_path)
parser.add_argument("--gradio-allowed-path", action="append", default=[data_path])

cmd_opts, _ = parser.parse_known_args(shlex.split(os.environ.get("COMMANDLINE_ARGS", "")))
