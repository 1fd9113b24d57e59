"""Before the host starts: the extensions' own installers, each in a process of its own."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from modules import errors, extensions, thin
from modules.paths_internal import script_path

python = sys.executable
default_command_live = False


def git_tag() -> str:
    """The version, as the footer shows it."""
    return thin.TAG


def commit_hash() -> str:
    return "<none>"


def run(
    command: str,
    desc: str | None = None,
    errdesc: str | None = None,
    custom_env: dict[str, str] | None = None,
    live: bool = default_command_live,
) -> str:
    """What the command says.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(
        command, shell=True, env=custom_env, capture_output=not live, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{errdesc or 'Error running command'}.\n{done.stdout}\n{done.stderr}")
    return done.stdout or ""


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def run_pip(command: str, desc: str | None = None, live: bool = default_command_live) -> str:
    said = f"Couldn't install {desc}"
    return run(f'"{python}" -m pip {command} --prefer-binary', desc, said, live=live)


def run_extension_installer(extension_dir: str) -> None:
    """Its install.py, with the host's own folder importable; a failure is reported, no more."""
    installer = Path(extension_dir, "install.py")
    if not installer.is_file():
        return
    found = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": f"{script_path}{os.pathsep}{found}"}
    try:
        said = run(
            f'"{python}" "{installer}"',
            errdesc=f"Error running install.py for extension {extension_dir}",
            custom_env=environment,
        ).strip()
        if said:
            errors.logger.warning("%s", said)
    except Exception as error:
        errors.report(str(error))


def run_extensions_installers(settings_file: str) -> None:
    for each in extensions.active():
        run_extension_installer(each.path)
