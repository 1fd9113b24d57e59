"""What Evaluate carries out, where it writes, and how it shows what was found."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from fixative.codecs import Codec, load_codec
from fixative.errors import SettingError
from fixative.evaluation import (
    Protocol,
    Results,
    Tools,
    load_protocol,
    parse_protocol,
    shipped_protocols,
    subjects_of_images,
)
from fixative.evaluation.files import file_name
from fixative.evaluation.journal import PROBE
from fixative.evaluation.plots import survival, trade_off
from fixative.evaluation.protocol_file import SUFFIXES
from fixative.evaluation.run import header
from fixative.evaluation.subjects import choose_subjects
from fixative.mixture import Mixture
from fixative.perceptual.distance import PerceptualDistance

from .convert import from_pil
from .filenames import check_prefix

CUSTOM, DEFAULT = "custom", "quick"
#: Below ``models/fixative``.
PROTOCOLS = "protocols"
EXAMPLE = """\
version: 1
name: my-comparison
size: 512
window: 256
strengths: [8]
protections:
  - mixture
  - noise
  - "photoguard:steps=20"
countermeasures:
  - "jpeg:75"
  - "jpeg:75+resize:0.5"
  - roundtrip
"""


def choices(models: Path) -> list[str]:
    """The protocols that are shipped, those in the models folder, and the person's own text."""
    shipped = sorted(shipped_protocols(), key=lambda name: (name != DEFAULT, name))
    return [*shipped, *sorted(_files(models)), CUSTOM]


def read_protocol(choice: str, custom: str, models: Path) -> Protocol:
    """The protocol that was chosen.

    Raises:
        SettingError: there is no such file, or something in it is wrong.
    """
    if choice == CUSTOM:
        return parse_protocol(custom, place=CUSTOM)
    if choice in shipped_protocols():
        return load_protocol(choice)
    files = _files(models)
    if choice not in files:
        raise SettingError(f"protocol: no file {choice!r}; there are {', '.join(choices(models))}")
    return load_protocol(files[choice])


def file_state(choice: str | None, models: Path) -> int:
    """Changes when the chosen protocol's file does."""
    path = _files(models).get(choice or "")
    return 0 if path is None else path.stat().st_mtime_ns


def check_folder(folder: str) -> None:
    """Refuse a folder outside of the output folder.

    Raises:
        SettingError: it is blank, or leads out of it.
    """
    try:
        check_prefix(folder)
    except SettingError as error:
        raise SettingError(str(error).replace("filename_prefix", "folder")) from error


def tools_for(
    protocol: Protocol, codec: Codec, mixture: Mixture | None, distance: PerceptualDistance
) -> Tools:
    """The graph's VAE in the place of the protocol's first codec; its others only measure.

    Raises:
        FixativeError: one of the others cannot be loaded.
    """
    others = (load_codec(source) for source in protocol.codecs[1:])
    return Tools((codec, *others), distance, mixture)


@dataclass(frozen=True)
class Place:
    """Where evaluations are written.

    Attributes:
        output: the host's output folder.
        folder: below it, as the person wrote it.
        vae_digest: tells one VAE from another.
    """

    output: Path
    folder: str
    vae_digest: str

    def of(self, protocol: Protocol, tools: Tools, pictures: Tensor) -> Path:
        """A folder that only the same evaluation of the same pictures has."""
        check_folder(self.folder)
        found = header(protocol, tools, choose_subjects(subjects_of_images(pictures), protocol))
        found.pop(PROBE)  # differs in its last digits from run to run; the digest stands for it
        code = json.dumps([found, self.vae_digest], sort_keys=True)
        digest = hashlib.sha256(code.encode()).hexdigest()[:8]
        name = file_name(protocol.name).rpartition("-")[0] or "protocol"
        return self.output / self.folder / f"{name}-{digest}"


def pictures_of(found: Results) -> Tensor:
    """Both plots, one below the other, as a host IMAGE (1, H, W, 3)."""
    plots = [trade_off(found), survival(found)]
    width = max(plot.width for plot in plots)
    sheet = Image.new("RGB", (width, sum(plot.height for plot in plots)), "white")
    top = 0
    for plot in plots:
        sheet.paste(plot, ((width - plot.width) // 2, top))
        top += plot.height
    return from_pil(sheet)


def headline(found: Results, path: Path, output: Path) -> str:
    """What was measured, and where in the output folder the report is."""
    return (
        f"Evaluated: {found.protocol['name']} on {len(found.pictures)} of {found.given} "
        f"picture(s), {counted(found)}\n\nreport, in the output folder: "
        f"{path.relative_to(output).as_posix()}"
    )


def counted(found: Results) -> str:
    """How many cells were done, failed, or could not be run."""
    failed = len(found.failures)
    done = sum(row.status == "done" for row in found.rows)
    return f"{done} cells measured, {failed} failed, {len(found.rows) - done - failed} not run"


def _files(models: Path) -> dict[str, Path]:
    """Protocol files in the models folder, by name; none hides a shipped one."""
    folder = models / PROTOCOLS
    if not folder.is_dir():
        return {}
    found = {path.name: path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES}
    return {name: path for name, path in found.items() if path.is_file()}
