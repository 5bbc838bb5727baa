"""Several processes that compute one result: each holds a part of the samples of every batch.

Parts are contiguous and in the order of ranks, so that what is gathered is the whole batch as one
process would have seen it. Each process takes the mean loss of its part; the mean of the gradients
is then that of the whole batch's mean loss, also where samples look at one another (`gather`):

    loss = judge(team.gather(features)).mean()      # differentiable, twice too
    loss.backward()
    team.average_gradients(parameters)

`ALONE` is the team of one process: it changes nothing, and costs nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Team:
    """What a process needs to know of its like. They talk through torch's default process group.

    Args:
        rank: Which process this is, from 0; that one alone writes files.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks to people."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over the processes; gradients flow back to all of them."""
        if self.size == 1:
            return tensor
        summed: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
        return summed

    def gather(self, part: Tensor) -> Tensor:
        """The rows of all processes, in the order of ranks; each must hold as many."""
        if self.size == 1:
            return part
        # a sum of parts that are zero elsewhere: exact, and its derivative is one more sum
        before = part.new_zeros(self.rank * len(part), *part.shape[1:])
        after = part.new_zeros((self.size - self.rank - 1) * len(part), *part.shape[1:])
        return self.sum(torch.cat([before, part, after]))

    def rows(self, whole: Tensor, groups: int = 1, dim: int = 0) -> Tensor:
        """The rows of this process.

        Args:
            groups: The batch is first split into so many groups, of which each process has a part.
            dim: The axis along which samples lie.
        """
        if self.size == 1:
            return whole
        shared = whole.reshape(*whole.shape[:dim], groups, self.size, -1, *whole.shape[dim + 1 :])
        return shared.select(dim + 1, self.rank).flatten(dim, dim + 1)

    def means(self, numbers: Sequence[float]) -> list[float]:
        """The mean of each number over the processes."""
        if self.size == 1:
            return list(numbers)
        means: list[float] = (self.sum(torch.tensor(numbers).double()) / self.size).tolist()
        return means

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over the processes, in one message."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        means = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def wait(self) -> None:
        """Return when all processes have come this far."""
        if self.size > 1:
            dist.barrier()


class _Sum(torch.autograd.Function):
    """Sum over the processes. The derivative of the sum of all losses is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        summed = tensor.contiguous().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(gradient)  # type: ignore[no-untyped-call]
        return summed


ALONE = Team()
