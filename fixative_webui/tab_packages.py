"""What the mimicry test needs beyond what every host has."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from fixative.errors import SettingError

#: As the engine's extra ``mimic`` has them, by import name.
NEEDED = {"diffusers": "diffusers>=0.30", "peft": "peft>=0.13", "jinja2": "jinja2>=3.1"}
#: What to install of them: newer ones pull in a huggingface_hub that no host's gradio works with.
FITTING = {**NEEDED, "diffusers": "diffusers==0.30.*", "peft": "peft==0.13.*"}


def require_packages() -> None:
    """See that what the test needs is installed and works in this host.

    Raises:
        SettingError: it is not; with the command that installs it, or with what is wrong.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        packages = " ".join(f'"{FITTING[name]}"' for name in missing)
        raise SettingError(
            f"The mimicry test needs {', '.join(missing)}, which this web UI lacks. Install into "
            f'its own Python, then start it again: "{sys.executable}" -m pip install {packages}'
        )
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except Exception as error:  # a package that does not fit others raises nearly anything
            raise SettingError(
                f"The mimicry test needs {name}, which is installed but does not work with this "
                f"web UI's other packages ({type(error).__name__}: {error}). Use a version that "
                "does, or run the test outside of the web UI: fixative mimic"
            ) from error
