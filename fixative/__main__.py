"""``python -m fixative``: the command line."""

from fixative.cli import app

app(prog_name="fixative")
