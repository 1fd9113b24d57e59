"""The one place that imports the host's ``modules``: its VAE, queue, progress, options, folders.

Everything is the same in A1111 1.6 to 1.10 and in Forge, whatever differs is settled in here.

- ``codec`` lends the loaded checkpoint's VAE, or Fixative's own; use what it gives inside the
  block only, and make your tensors inside of it, too.
- ``queued`` wraps a tab's handler so that it waits its turn and shows in the host's progress
  bar; ``turn`` takes a turn elsewhere (an API route). Code that the host itself calls while it
  holds its queue (Extras, hooks of a generation) says so by ``inside_turn``, and then ``turn``
  does not wait for itself.
- ``job`` with ``tell`` reports progress; both are fine inside a job that the host has begun.
"""

from fixative_webui.host.about import HostInfo, describe
from fixative_webui.host.options import NewOption, add_option, option, weights_folder
from fixative_webui.host.queue import (
    Job,
    Stopped,
    inside_turn,
    interrupt,
    job,
    queued,
    stop_asked,
    tell,
    turn,
)
from fixative_webui.host.saving import (
    allowed_output_dir,
    folders_allowed,
    lossy_copies,
    lossy_output,
)
from fixative_webui.host.vae import CHOICES, Seen, codec

__all__ = [
    "CHOICES",
    "HostInfo",
    "Job",
    "NewOption",
    "Seen",
    "Stopped",
    "add_option",
    "allowed_output_dir",
    "codec",
    "describe",
    "folders_allowed",
    "inside_turn",
    "interrupt",
    "job",
    "lossy_copies",
    "lossy_output",
    "option",
    "queued",
    "stop_asked",
    "tell",
    "turn",
    "weights_folder",
]
