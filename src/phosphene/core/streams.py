"""Independent work done at once, each piece by one thread from its beginning to its end.

Splitting every operation among threads makes them wait for one another some hundred times in a
tenth of a second; rows of a batch that do not look at one another can go their own ways instead.
Beside other busy processes, too: a thread that is held up then holds nobody up but itself.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]], threads: int | None = None) -> list[T]:
    """Make independent calls at the same time; returns what they return, in their order.

    Each has one thread, whether the others run beside it or, where a single thread is allowed,
    before it: what they compute does not depend on that. Calls must not wait for one another.

    Args:
        threads: How many there may be; None is as many as an operation may take here.
    Raises:
        What the first failing call raises, when all have ended.
    """
    before, grad = torch.get_num_threads(), torch.is_grad_enabled()
    threads = before if threads is None else threads

    def made(call: Callable[[], T]) -> T:
        with torch.set_grad_enabled(grad):
            return call()

    # a new thread starts out with what was set last, so the others take over the one from here
    torch.set_num_threads(1)
    try:
        if threads == 1 or len(calls) == 1:
            return [call() for call in calls]
        others = [_pool().submit(made, call) for call in calls[1:]]
        try:
            first = calls[0]()
        finally:
            errors = [other.exception() for other in others]
        for error in filter(None, errors):
            raise error
        return [first, *(other.result() for other in others)]
    finally:
        torch.set_num_threads(before)


def by_rows(network: Callable[[Tensor], Tensor], x: Tensor, streams: int | None = None) -> Tensor:
    """Call a network on the rows of a batch, parts of it at once, forward and backward.

    Differentiable in x, once; not in the network's weights, which are taken to be frozen.

    Args:
        network: Gives a row for each row, whatever the other rows are.
        streams: Parts; 1 is for a network whose operations are too small to be split. None takes as
            many as there are threads, and leaves batches of fewer rows to split operations.
    """
    threads = torch.get_num_threads()
    if streams is None:
        streams = threads if len(x) >= threads else 0
    if x.device.type != "cpu" or threads == 1 or not streams:
        return network(x)
    if torch.is_grad_enabled() and x.requires_grad:
        out: Tensor = _ByRows.apply(x, network, streams)  # type: ignore[no-untyped-call]
        return out
    return torch.cat(at_once([partial(network, part) for part in x.tensor_split(streams)]))


class _ByRows(Function):
    """Each part keeps a graph of its own, which backward walks in the part's own stream."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, network: Callable[[Tensor], Tensor], streams: int) -> Tensor:
        def run(part: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                leaf = part.detach().requires_grad_()
                return leaf, network(leaf)

        ctx.parts = at_once([partial(run, part) for part in x.tensor_split(streams)])
        return torch.cat([seen.detach() for _, seen in ctx.parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        shares = torch.split(gradient, [len(leaf) for leaf, _ in ctx.parts])
        calls = [
            partial(_grad, leaf, seen, share)
            for (leaf, seen), share in zip(ctx.parts, shares, strict=True)
        ]
        return torch.cat(at_once(calls)), None, None


def _grad(leaf: Tensor, seen: Tensor, share: Tensor) -> Tensor:
    return torch.autograd.grad(seen, leaf, share)[0]


@cache
def _pool() -> ThreadPoolExecutor:
    workers = max(1, (os.cpu_count() or 1) - 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="stream")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive it
