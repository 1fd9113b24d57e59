"""The loaded checkpoint's VAE as the engine's codec, or Fixative's own where that serves better."""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from modules import devices
from torch import Tensor, nn

from fixative.codecs import EMBEDDED, SCALINGS, Codec, identify_family, load_codec
from fixative.codecs.learnt import in_learnt_space
from fixative.errors import CodecError, SettingError
from fixative_webui.host.models import loaded_vae, make_room
from fixative_webui.host.private import NAME, LoadedCodec, PrivateParts, UnusableVaeError

AUTO, LOADED = "auto", "loaded"
#: What a person may choose.
CHOICES = (AUTO, LOADED, EMBEDDED)
#: Kinds of devices that torch can be told not to cast on.
CASTING = ("cuda", "cpu", "xpu")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """What pictures are looked at with.

    Attributes:
        codec: for use inside the block that lent it.
        says: which VAE it is and why, for people: without a capital and a full stop.
    """

    codec: Codec
    says: str


@contextmanager
def codec(
    choice: str = AUTO,
    *,
    decoder: bool = False,
    families: Collection[str] | None = None,
    learnt: Mapping[str, Tensor] | None = None,
) -> Generator[Seen, None, None]:
    """Lend a VAE for the length of a block; hold the host's ``turn`` meanwhile.

    The block runs outside of inference mode, with gradients allowed and without autocasting, so
    make pictures into tensors inside of it. Encoding is exact: the mode, in float32. Nothing of
    the host's own is changed, nothing is loaded, and the copy is gone when the block ends.

    Args:
        choice: ``loaded`` (the checkpoint's), ``embedded`` (Fixative's own), or ``auto``: the
            former where there is one that can be used, else the latter; ``Seen.says`` says why.
        decoder: pictures will be decoded, too.
        families: latent families that serve the purpose (those with a mixture); None: any.
        learnt: probes of learnt families, as ``fixative.codecs.learnt`` has them.

    Raises:
        SettingError: no such choice.
        CodecError: ``loaded``, but nothing is loaded, or nothing that can be used; or, inside the
            block, out of memory.
    """
    if choice not in CHOICES:
        raise SettingError(f"vae: expected one of {', '.join(CHOICES)}; got {choice!r}")
    with ExitStack() as stack:
        _enter_plain_mode(stack)
        stack.callback(devices.torch_gc)
        seen = _choose(stack, choice, decoder, families, learnt or {})
        try:
            yield seen
        except torch.cuda.OutOfMemoryError as error:
            told = str(error).partition("\n")[0]
            raise CodecError(
                f"vae: the device's memory is full ({told}); unload the checkpoint, close other "
                "programs, or choose Fixative's own VAE (embedded) in Settings, Fixative"
            ) from None


def _enter_plain_mode(stack: ExitStack) -> None:
    stack.enter_context(torch.inference_mode(False))
    stack.enter_context(torch.enable_grad())
    if devices.device.type in CASTING:
        stack.enter_context(torch.autocast(devices.device.type, enabled=False))


def _choose(
    stack: ExitStack,
    choice: str,
    decoder: bool,
    families: Collection[str] | None,
    learnt: Mapping[str, Tensor],
) -> Seen:
    if choice == EMBEDDED:
        return _embedded("as chosen")
    try:
        return _loaded(stack, decoder, families if choice == AUTO else None, learnt)
    except UnusableVaeError as error:
        if choice == LOADED:
            raise
        logger.info("Fixative: %s", error)
        return _embedded(f"because {error.why}")


def _embedded(why: str) -> Seen:
    return Seen(load_codec(EMBEDDED, device=devices.device), f"Fixative's own VAE, {why}")


def _loaded(
    stack: ExitStack,
    decoder: bool,
    families: Collection[str] | None,
    learnt: Mapping[str, Tensor],
) -> Seen:
    found = loaded_vae()
    make_room(found.device)
    parts = PrivateParts(found.module, decoder=decoder)
    stack.callback(parts.release)
    try:
        own = in_learnt_space(_codec_of(parts, found.device), learnt)
        _require_family(own, families)
    except BaseException:  # so that there is room for what is used instead
        parts.release()
        raise
    says = f"the VAE of the loaded checkpoint ({own.family}, {found.device}, float32 copy)"
    return Seen(own, says)


def _codec_of(parts: nn.Module, device: torch.device) -> Codec:
    try:
        made = LoadedCodec(parts, name=NAME, device=device)
        made.family = identify_family(made).family
    except (RuntimeError, ValueError, TypeError) as error:  # another architecture, or no memory
        told = str(error).partition("\n")[0]
        raise UnusableVaeError(f"{NAME} cannot be used on its own ({told})") from error
    if made.family in SCALINGS:
        made.scale, made.shift = SCALINGS[made.family].scale, SCALINGS[made.family].shift
    return made


def _require_family(codec: Codec, families: Collection[str] | None) -> None:
    if families is not None and codec.family not in families:
        raise UnusableVaeError(
            f"{NAME} is of the latent family {codec.family}, which has no mixture here"
        )
