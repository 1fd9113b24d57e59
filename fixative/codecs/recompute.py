"""Trade time for memory: blocks that compute their activations again instead of keeping them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

#: Modules that only hold others; some architectures use bare ``nn.Module`` objects as bags.
CONTAINERS = (nn.Module, nn.ModuleList, nn.Sequential)


def composite_blocks(encoder: nn.Module) -> list[nn.Module]:
    """The largest parts of an encoder made of several layers: residual blocks, attention, …

    Bags of them are opened; single layers are left out, since they have nothing to save.
    """
    blocks: list[nn.Module] = []
    for child in encoder.children():
        if type(child) in CONTAINERS:
            blocks += composite_blocks(child)
        elif next(child.children(), None) is not None:
            blocks.append(child)
    return blocks


@contextmanager
def recomputing(blocks: Iterable[nn.Module]) -> Generator[None, None, None]:
    """Within the context a backward pass runs ``blocks`` again; left, they are as before.

    Their gradients are the same. The backward pass must happen inside the context, too.
    """
    with ExitStack() as stack:
        for block in blocks:
            stack.callback(_wrap(block))
        yield


def _wrap(block: nn.Module) -> Callable[[], None]:
    """Replace ``block.forward`` on the instance; return what takes it away again."""
    inner: Any = block.forward

    def forward(*arguments: Any, **keywords: Any) -> Any:
        if not torch.is_grad_enabled():
            return inner(*arguments, **keywords)
        return checkpoint(
            inner, *arguments, use_reentrant=False, preserve_rng_state=False, **keywords
        )

    own = block.__dict__.get("forward")
    block.forward = forward

    def undo() -> None:
        if own is None:
            del block.forward
        else:
            block.forward = own

    return undo
