"""One training on several processes, which torchrun started.

Every process holds the same weights, draws the same batch from (seed, step), works on its share of
it and adds what it found to what the others found; then all do the same update. So a checkpoint is
that of a single process, and any number of processes may go on from it. On one process nothing of
this does anything, and accelerate is not even imported.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from fixative.errors import SettingError

Precision = Literal["no", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Team:
    """The processes of a training, seen from one of them; as it stands, one alone.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
        device: what this process computes on.
        precision: ``no`` (float32 throughout) or ``bf16`` (networks run under autocast, weights
            and sums stay float32).
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "no"

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of ``count`` things are this process's; all are somebody's, none twice."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def mine(self, things: list[Value]) -> list[Value]:
        """This process's part of a list that all of them hold."""
        return things[self.share(len(things))]

    def require(self, count: int, what: str, remedy: str) -> None:
        """Refuse a batch of which some process would get nothing.

        Raises:
            SettingError: fewer things than processes.
        """
        if count < self.size:
            raise SettingError(
                f"{what}: expected at least as many as there are processes ({self.size}), got "
                f"{count}; {remedy}, or start fewer processes"
            )

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of every process's tensor, each of the same shape, on the tensor's device."""
        return tensor

    def gathered(self, mine: Tensor, count: int) -> Tensor:
        """(count, …): every process's ``share`` of a batch, together and in order.

        Args:
            mine: (share, …), possibly of nothing.
            count: length of the whole.
        """
        if self.size == 1:
            return mine
        whole = mine.new_zeros(count, *mine.shape[1:])
        whole[self.share(count)] = mine
        return self.summed(whole)  # what others hold is zero here: adding it changes no bit

    def agreed(self, tensor: Tensor) -> Tensor:
        """The first process's tensor, for all, whatever rounding made of the others'."""
        return self.summed(tensor if self.main else torch.zeros_like(tensor))

    def facts(self) -> dict[str, str]:
        """What a checkpoint and a recipe must tell of it: nothing in float32, however many."""
        return {} if self.precision == "no" else {"precision": self.precision}

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.summed(torch.zeros(1))

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision, where it was asked for."""
        if self.precision == "no":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def summed_all(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum over the processes of each of several tensors; one message for all."""
        if self.size == 1:
            return list(tensors)
        total = self.summed(torch.cat([tensor.reshape(-1) for tensor in tensors]))
        parts = total.split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make every parameter's gradient the sum over the processes."""
        if self.size == 1:
            return
        owners = [parameter for parameter in parameters if parameter.requires_grad]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in owners]
        for parameter, total in zip(owners, self.summed_all(grads), strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(total)

    def averaged(self, errors: dict[str, Tensor], weight: float) -> dict[str, float]:
        """Each process's errors, averaged by their weights, which sum to 1 over the processes."""
        together = torch.stack([error.detach() * weight for error in errors.values()])
        return dict(zip(errors, self.summed(together).tolist(), strict=True))

    def same_everywhere(self, number: int, what: str, remedy: str) -> None:
        """Stop all processes where they do not see the same.

        Raises:
            SettingError: ``number`` differs between processes.
        """
        if self.size == 1:
            return
        seen = self.gathered(torch.tensor([float(number)], dtype=torch.float64), self.size).tolist()
        if len(set(seen)) != 1:
            told = ", ".join(f"{int(value)}" for value in seen)
            raise SettingError(f"{what}: the processes do not have the same ({told}); {remedy}")


@dataclass(frozen=True)
class AcceleratedTeam(Team):
    """Several processes that speak through accelerate: gloo between CPUs, NCCL between GPUs."""

    def summed(self, tensor: Tensor) -> Tensor:
        from accelerate.utils import reduce  # noqa: PLC0415 - an extra

        total = reduce(tensor.to(self.device), reduction="sum")
        assert isinstance(total, Tensor)
        return total.to(tensor.device)


ALONE = Team()
#: What helps processes that do not find the same files.
SHARED_FOLDER = "give --runs a folder that every machine shares"


@contextmanager
def joined_team(*, device: str = "cpu", precision: str = "no") -> Generator[Team, None, None]:
    """The processes that this one was started with; itself alone where it was started alone.

    Args:
        device: ``cpu`` or ``cuda``; of several GPUs each process of a machine takes its own.
        precision: ``no`` or ``bf16``.

    Raises:
        SettingError: an unknown precision, no such device, or accelerate is not installed.
    """
    if precision not in PRECISIONS:
        raise SettingError(f"--precision: expected {' or '.join(PRECISIONS)}, got {precision}")
    kind = torch.device(device).type
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team(device=torch.device(device), precision=precision)
        return
    try:
        from accelerate import PartialState  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingError(
            "training: several processes were started, which needs accelerate; "
            "pip install 'fixative[distributed]', or start one"
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise SettingError(f"--device: expected a GPU that torch sees, got {device}; give cpu")
    state = PartialState(cpu=kind == "cpu")
    try:
        own = torch.device(str(state.device))  # which GPU of this machine is this process's
        yield AcceleratedTeam(state.process_index, state.num_processes, own, precision)
    finally:
        state.destroy_process_group()
