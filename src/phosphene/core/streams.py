"""Independent work done at once, each piece by one thread from its beginning to its end.

Splitting every operation among threads makes them wait for one another hundreds of times in a
tenth of a second; rows of a batch that do not look at one another can go their own ways instead.
Beside other busy processes, too: a thread that is held up then holds nobody up but itself.

How many threads an operation takes is torch's and the process's, not a caller's: of several threads
that use this module at the same time, each waits for its turn.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

T = TypeVar("T")


class _Workers:
    """Threads for streams, and whose turn it is to have them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Anew in a forked process, where threads are gone, and whoever had the turn with them."""
        self.turn = threading.Lock()
        # a new thread starts out with the count that was set last in any other
        self.pool = ThreadPoolExecutor(
            max(1, (os.cpu_count() or 1) - 1), "stream", torch.set_num_threads, (1,)
        )


_workers = _Workers()
os.register_at_fork(after_in_child=_workers.begin)
_here = threading.local()  # allowed: threads for streams in this thread, where that is not torch's


def allowed_threads() -> int:
    """How many threads work may take here: in `on_threads` as many as outside, in a stream 1."""
    return getattr(_here, "allowed", None) or torch.get_num_threads()


def on_threads(steps: Iterator[T], count: int) -> Iterator[T]:
    """Go through an iterator whose operations take so many threads; in between all is as before.

    Products that take a tenth of a millisecond are no faster on two threads, which wait for one
    another; and what one thread computes is the same however many cores there are. What is done
    `at_once` may still have all of them.
    """
    while True:
        before = torch.get_num_threads()
        with _allowing(allowed_threads()):
            torch.set_num_threads(count)
            try:
                step = next(steps)
            except StopIteration:
                return
            finally:
                torch.set_num_threads(before)
        yield step


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make independent calls at the same time; returns what they return, in their order.

    Each has one thread, whether the others run beside it or, where a single thread is allowed,
    before it: what they compute does not depend on that. Calls must not wait for one another.

    Raises:
        What the first failing call raises, when all have ended.
    """
    allowed, before, grad = allowed_threads(), torch.get_num_threads(), torch.is_grad_enabled()
    if allowed == 1 and before == 1:  # nothing to share or to set; also within a stream
        return [call() for call in calls]

    def made(call: Callable[[], T]) -> T:
        with _allowing(1), torch.set_grad_enabled(grad):
            return call()

    with _workers.turn:
        torch.set_num_threads(1)
        try:
            if allowed == 1 or len(calls) == 1:
                return [made(call) for call in calls]
            others = [_workers.pool.submit(made, call) for call in calls[1:]]
            try:
                first = made(calls[0])
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
    threads = allowed_threads()
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


@contextmanager
def _allowing(count: int) -> Iterator[None]:
    before = getattr(_here, "allowed", None)
    _here.allowed = count
    try:
        yield
    finally:
        _here.allowed = before
