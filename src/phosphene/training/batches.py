"""Batches keyed by step: the same (seed, step) is the same batch, however one got there."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NotRequired, TypedDict, TypeVar

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.training.example import Source

AHEAD = 2  # batches prepared in advance

Made = TypeVar("Made")


class Batch(TypedDict):
    """Pictures 0..255, shape (b, c, h, w), their captions, and their classes, if they have any."""

    images: UInt8[Tensor, "b c h w"]
    captions: tuple[str, ...]
    classes: NotRequired[Int[Tensor, " b"]]


class Batches:
    """Batches of a source, each epoch in another order.

    Args:
        source: The examples. Where it has `siblings` n, n consecutive examples stay together.
        batch_size: Examples a batch, of all processes together; batches run on over the end of an
            epoch.
        seed: Decides the order.
        workers: Processes that prepare batches in `iterate`; 0 uses one thread.
        team: Each process of it is given its part of each of a batch's `groups`.
        groups: Parts that a learner works through one after the other (d_steps, accumulate).
    Raises:
        RecipeError: an empty source, or numbers out of range.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        seed: int = 0,
        workers: int = 0,
        *,
        team: Team = ALONE,
        groups: int = 1,
    ) -> None:
        if batch_size < 1:
            raise RecipeError(f"batch size {batch_size} is out of range; use 1 or more")
        if workers < 0:
            raise RecipeError(f"workers {workers} is out of range; use 0 or more")
        if len(source) < 1:
            raise RecipeError("the source holds no examples")
        parts = team.size * groups
        if batch_size % parts:
            over = f"{team.size} processes" if team.size > 1 else f"{groups} parts of a step"
            if team.size > 1 and groups > 1:
                over = f"{over} and {groups} parts of a step"
            raise RecipeError(
                f"a batch of {batch_size} cannot be shared out over {over}; choose a multiple of "
                f"{parts} as batch_size"
            )
        self.team, self.groups = team, groups
        self.source, self.batch_size, self.workers = source, batch_size, workers
        self.siblings = max(1, int(getattr(source, "siblings", 1)))
        self._seed = seed

    def indices(self, step: int) -> list[int]:
        """The examples of batch `step` (0 or above) that are this process's."""
        total, first = len(self.source), step * self.batch_size
        groups = -(-total // self.siblings)
        chosen = []
        for position in range(first, first + self.batch_size):
            epoch, place = divmod(position, groups * self.siblings)
            group, member = divmod(place, self.siblings)
            order = _permutation(self._seed, epoch, groups)
            chosen.append(min(int(order[group]) * self.siblings + member, total - 1))
        return self.team.rows(torch.tensor(chosen), self.groups).tolist()

    def batch(self, step: int) -> Batch:
        """Return batch `step`; depends on the seed and the step alone."""
        examples = [self.source.example(index) for index in self.indices(step)]
        images = torch.stack([example.image for example in examples])
        batch = Batch(images=images, captions=tuple(example.caption for example in examples))
        labels = [example.label for example in examples if example.label is not None]
        if len(labels) == len(examples):
            batch["classes"] = torch.tensor(labels)
        return batch

    def iterate(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield batches `start` to `stop` - 1, prepared ahead of need; they equal `batch`'s."""
        if self.workers == 0:
            yield from prepared(self.batch, start, stop)
            return
        loader = DataLoader(
            _Steps(self, start, stop),
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_as_is,
            prefetch_factor=AHEAD,
        )
        yield from loader


def prepared(make: Callable[[int], Made], start: int, stop: int) -> Iterator[Made]:
    """Yield `make(start)` to `make(stop - 1)`, prepared ahead of need by a thread."""
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            for step in range(start, stop):
                waiting.append(pool.submit(make, step))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Steps(Dataset[Batch]):
    """A range of steps as torch's loader wants it."""

    def __init__(self, batches: Batches, start: int, stop: int) -> None:
        self.batches, self.start, self.stop = batches, start, stop

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __getitem__(self, step: int) -> Batch:
        if step >= len(self):
            raise IndexError(step)
        return self.batches.batch(self.start + step)


def _as_is(batch: Any) -> Any:
    return batch


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> Int[Tensor, " n"]:
    """The order of an epoch."""
    keys = Rng((seed,)).fork("epoch").fork(epoch).uniform(count)[0]
    return keys.argsort(stable=True)
