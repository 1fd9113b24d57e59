"""A host of our own making that an A1111 or Forge extension runs in, on the real gradio.

    FIXATIVE_THIN_FLAVOUR=forge FIXATIVE_THIN_DATA=/tmp/data python launch.py --port 7861 --api

The flavour is one of ``modules/thin.py``'s; extensions lie below ``<data>/extensions``. It says
``ready`` once it answers. No line of it is the hosts': it offers what this extension uses of them,
under their names, which ``test_contract.py`` compares with what was recorded of the real ones.
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import logging
import os
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # The hosts join both: extensions' installers read the variable.
    given = [os.environ.get("COMMANDLINE_ARGS", ""), shlex.join(sys.argv[1:])]
    os.environ["COMMANDLINE_ARGS"] = " ".join(part for part in given if part)
    # gradio reads these when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    data = Path(os.environ.get("FIXATIVE_THIN_DATA") or Path.cwd()).absolute()
    (data / "extensions").mkdir(parents=True, exist_ok=True)
    os.environ["FIXATIVE_THIN_DATA"] = str(data)
    os.environ.setdefault("GRADIO_TEMP_DIR", str(data / "tmp" / "gradio"))
    os.chdir(data)
    sys.path[0] = str(HERE)

    from modules import launch_utils, thin

    if thin.FORGE:
        sys.path.insert(1, str(HERE / "forge"))
    launch_utils.run_extensions_installers(str(data / "config.json"))

    import webui

    webui.run()


if __name__ == "__main__":
    main()
