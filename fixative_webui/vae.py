"""The VAE and the mixture that go together, lent for the length of a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fixative.codecs import EMBEDDED, Codec
from fixative.errors import WeightsError
from fixative.mixture import Mixture
from fixative_webui import host
from fixative_webui.host import Seen
from fixative_webui.mixtures import Shelf

if TYPE_CHECKING:
    from fixative_webui.settings import Options

AUTO = "auto"


@dataclass(frozen=True)
class Sight(Seen):
    """What a protection looks at pictures with.

    Attributes:
        mixture: of the codec's family; None where it was not asked for.
        notices: what the person must know of the choice, one sentence each.
    """

    mixture: Mixture | None = None
    notices: tuple[str, ...] = ()


@contextmanager
def codec_for(options: Options, *, decoder: bool = False) -> Generator[Sight, None, None]:
    """Lend the VAE that the options name, for the length of a block.

    Args:
        options: whose VAE and weights folder.
        decoder: for purifying: with a decoder, of any family and without a mixture.

    Raises:
        FixativeError: as ``host.codec``; or no mixture fits the VAE asked for.
    """
    shelf = shelf_of(options)
    families = None if decoder else shelf.families()
    with host.codec(options.vae, decoder=decoder, families=families, learnt=shelf.learnt()) as seen:
        says = seen.says.partition(";")[0]  # what to do about it is for errors
        if decoder:
            yield Sight(seen.codec, says)
            return
        mixture = shelf.mixture(seen.codec.family)
        yield Sight(seen.codec, says, mixture, _notices(seen.codec, says, options))


def shelf_of(options: Options) -> Shelf:
    """The mixtures that there are for these options.

    Raises:
        WeightsError: a folder is named, and is not there.
    """
    folder = host.weights_folder(options.weights)
    if options.weights and not folder.is_dir():
        raise WeightsError(
            f"weights folder: {folder} is not a folder; mend it in Settings, Fixative, or leave it "
            "empty for the shipped weights"
        )
    return Shelf(folder)


def mixture_to_look_for(options: Options) -> Path:
    """The mixture file that an inspection looks for: a person's own first, else the shipped one.

    Raises:
        WeightsError: a folder is named, and is not there.
    """
    return shelf_of(options).first()


def _notices(codec: Codec, says: str, options: Options) -> tuple[str, ...]:
    """A stand-in for a checkpoint that is loaded, said in so many words."""
    if options.vae != AUTO or codec.name != EMBEDDED or "no checkpoint" in says:
        return ()
    return (
        f"Protected through {says}: it aims at models of the latent family {codec.family}, not at "
        "the checkpoint that is loaded",
    )
