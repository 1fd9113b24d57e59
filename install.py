"""Fixative's install hook for hosts, and the bootstrap of its two commands.

    python install.py demo    make an environment here, protect real pictures, write demo/
    python install.py test    make an environment here and run every test, the real ComfyUI's too
    python install.py         what ComfyUI-Manager and A1111 call: add missing light requirements

Standard library only. Run by any Python, it says so plainly where it is too old.
"""

import sys

OLDEST = (3, 10)
if sys.version_info < OLDEST:
    sys.stderr.write(
        f"Fixative needs Python 3.10 or newer, this is {sys.version_info[0]}."
        f"{sys.version_info[1]} ({sys.executable}); install one and start, "
        "for example: python3.11 install.py\n"
    )
    sys.exit(2)

# Only now: on an older Python some of these would fail with a puzzling line.
import argparse
import hashlib
import importlib.metadata
import os
import re
import shlex
import sqlite3
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent
ENVIRONMENT = CHECKOUT / ".venv-fixative"
LOCK = CHECKOUT / ".venv-fixative.lock"
#: How long to wait for another install.py that is installing into the same environment.
LOCK_SECONDS = 1800
PINS = CHECKOUT / "tests"
#: Requirement files of each command, and those installed alone, without what they ask for.
PROFILES = {
    "demo": (("requirements-demo.txt",), ()),
    "test": (("requirements-demo.txt", "requirements-test.txt"), ("requirements-no-deps.txt",)),
}
USER_ERROR = 2


class InstallError(Exception):
    """A step failed; the message says which and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="install.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=sorted(PROFILES), help="see above")
    parser.add_argument("--skip-install", action="store_true", help="install nothing")
    options = parser.parse_args(arguments)
    skip = options.skip_install or _host_says_skip()
    if options.command is None:
        return add_missing_requirements(skip=skip)
    try:
        python = _environment_python() if skip else prepare_environment(options.command)
        return run_command(options.command, python)
    except InstallError as error:
        print(f"install.py {options.command}: {error}", file=sys.stderr)
        return USER_ERROR


# --- called by a host ---------------------------------------------------------------------------


def add_missing_requirements(*, skip: bool) -> int:
    """Install the light requirements that the host lacks; never fail its start."""
    missing = [] if skip else [line for line in host_requirements() if not is_satisfied(line)]
    if not missing:
        return 0
    print(f"Fixative: installing {', '.join(missing)}", flush=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    command = (*pip, "install", "--retries", "1", "--timeout", "10", *missing)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "pip failed").splitlines()[-1]
        print(f"Fixative: could not install {', '.join(missing)} ({reason}); trying without")
    return 0


def host_requirements() -> list[str]:
    """The lines of requirements.txt without comments."""
    lines = (CHECKOUT / "requirements.txt").read_text("utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def is_satisfied(requirement: str) -> bool:
    """Whether ``name`` or ``name>=1.2`` is installed for this Python."""
    name, _, least = requirement.partition(">=")
    try:
        found = importlib.metadata.version(name.strip())
    except importlib.metadata.PackageNotFoundError:
        return False
    return _numbers(found) >= _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers of a version: 1.2.3rc1 → (1, 2, 3)."""
    release = re.match(r"[\d.]*", version.strip())
    return tuple(int(part) for part in release.group().split(".") if part) if release else ()


def _host_says_skip() -> bool:
    """A1111 hands its own arguments to extensions through this variable."""
    return "--skip-install" in shlex.split(os.environ.get("COMMANDLINE_ARGS", ""), posix=False)


# --- the two commands ---------------------------------------------------------------------------


def prepare_environment(profile: str) -> Path:
    """Make the environment, or find it complete from an earlier run; return its Python."""
    with _one_at_a_time():
        stamp = ENVIRONMENT / f"complete-{profile}.txt"
        if not (stamp.is_file() and stamp.read_text("utf-8") == _recipe(profile)):
            _install(profile)
            stamp.write_text(_recipe(profile), "utf-8")
    return _environment_python()


def run_command(command: str, python: Path) -> int:
    """Run the demo or the tests with the environment's Python."""
    folder, *arguments = {
        "demo": (Path.cwd(), "-m", "fixative.demo", "--out", str(CHECKOUT / "demo")),
        # Processes share the tests; more than four would only wait for the servers' tests.
        "test": (CHECKOUT, "-m", "pytest", "-n", "auto", "--maxprocesses=4"),
    }[command]
    return subprocess.run([str(python), *map(str, arguments)], cwd=folder, check=False).returncode


def _install(profile: str) -> None:
    started = time.monotonic()
    together, alone = PROFILES[profile]
    if not _matches_this_python():
        _say(f"making an environment in {ENVIRONMENT.name}")
        _run(sys.executable, "-m", "venv", "--clear", ENVIRONMENT, hint=_VENV_HINT)
        (ENVIRONMENT / "made-by.txt").write_text(_maker(), "utf-8")
    _say("installing what is pinned (once; a minute, more where torch must be downloaded)")
    pip = (_environment_python(), "-m", "pip", "--disable-pip-version-check", "install", "-q")
    _run(*pip, *(part for name in together for part in ("-r", PINS / name)), hint=_NETWORK_HINT)
    for name in alone:
        _run(*pip, "--no-deps", "-r", PINS / name, hint=_NETWORK_HINT)
    _run(*pip, "--no-deps", "--no-build-isolation", "-e", CHECKOUT, hint=_NETWORK_HINT)
    _say(f"environment ready after {time.monotonic() - started:.0f} s")


_VENV_HINT = "is the venv module there? (Debian and Ubuntu: apt install python3-venv)"
_NETWORK_HINT = "is the package registry reachable, and is there disk space?"


def _recipe(profile: str) -> str:
    """What an environment is made of: a change of any of it installs anew."""
    together, alone = PROFILES[profile]
    texts = [(PINS / name).read_text("utf-8") for name in (*together, *alone)]
    texts += [(CHECKOUT / "pyproject.toml").read_text("utf-8"), _maker()]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _maker() -> str:
    """The Python, and the place: an environment that was moved or copied does not work."""
    return f"{sys.version}\n{ENVIRONMENT}"


def _matches_this_python() -> bool:
    made_by = ENVIRONMENT / "made-by.txt"
    return made_by.is_file() and made_by.read_text("utf-8") == _maker()


def _environment_python() -> Path:
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        raise InstallError(f"no environment in {ENVIRONMENT}; run it without --skip-install")
    return python


@contextmanager
def _one_at_a_time() -> Generator[None]:
    """Hold a lock between processes, given back by the system when a process dies."""
    try:
        connection = sqlite3.connect(LOCK, timeout=LOCK_SECONDS, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        raise InstallError(f"cannot lock {LOCK} ({error}); is the folder writable?") from error
    try:
        yield
    finally:
        connection.close()


def _run(*command: Path | str, hint: str) -> None:
    """Run a step quietly; what it said is shown only where it fails."""
    words = [str(part) for part in command]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise InstallError(f"{' '.join(words)} failed; {hint}\n{done.stderr[-2000:]}")


def _say(text: str) -> None:
    print(f"install.py: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
