"""Batches of codes: each picture is encoded once, and learnt from again and again.

Encoding a picture costs as much as a step of learning from its codes. So the first pass over the
examples writes them down, in shards beside the run; later passes, and a resumed run, read them.
What a batch holds depends on its step alone, as ever: the first pass learns from what was written,
too.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch
from jaxtyping import Shaped, UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phosphene.core.files import make_folder
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.core.weights import write_tensors
from phosphene.training.batches import prepared
from phosphene.training.example import Source

SHARD = 512  # examples a file
AT_ONCE = 16  # pictures encoded together

Codes = Shaped[Tensor, "b ..."]  # whatever a learner makes of pictures: numbers, or tokens
Encode = Callable[[UInt8[Tensor, "b c h w"]], Codes]


class CodeBatch(TypedDict):
    """Codes as they were encoded, and their captions."""

    codes: Codes
    captions: tuple[str, ...]


class Shard(NamedTuple):
    """Consecutive examples of a source."""

    codes: Codes
    captions: tuple[str, ...]


class EncodedBatches:
    """Batches of a source's first examples, each pass in another order.

    Args:
        encode: Pictures to codes, kept in the precision they come in; each picture in the same way,
            whatever its neighbours in a batch.
        folder: Where shards lie. One that is missing or damaged is made again.
        num_examples: Fewer where the source has fewer.
        batch_size: Of all processes together.
        seed: Decides the order from the second pass on; the first one goes through as they come.
        team: Each process of it is given its part of each batch.
    """

    def __init__(
        self,
        source: Source,
        encode: Encode,
        folder: Path,
        num_examples: int,
        batch_size: int,
        *,
        seed: int = 0,
        team: Team = ALONE,
    ) -> None:
        self.source, self.encode, self.folder = source, encode, folder
        self.num_examples = min(num_examples, len(source))
        self.batch_size, self.team = batch_size, team
        self._seed = seed
        self._shards: dict[int, Shard] = {}
        self._order: tuple[int, Tensor] = (0, torch.arange(self.num_examples))

    def indices(self, step: int) -> list[int]:
        """The examples of batch `step` (0 or above) that are this process's."""
        first, chosen = step * self.batch_size, []
        for position in range(first, first + self.batch_size):
            turn, place = divmod(position, self.num_examples)
            chosen.append(int(self._turn(turn)[place]))
        return self.team.rows(torch.tensor(chosen)).tolist()

    def batch(self, step: int) -> CodeBatch:
        """Return batch `step`; depends on the seed and the step alone."""
        codes, captions = [], []
        for index in self.indices(step):
            shard, row = self.shard(index // SHARD), index % SHARD
            codes.append(shard.codes[row])
            captions.append(shard.captions[row])
        return CodeBatch(codes=torch.stack(codes), captions=tuple(captions))

    def iterate(self, start: int, stop: int) -> Iterator[CodeBatch]:
        """Yield batches `start` to `stop` - 1, prepared ahead of need."""
        yield from prepared(self.batch, start, stop)

    def shard(self, number: int) -> Shard:
        """Return a shard, reading or making it when it is first asked for."""
        if number not in self._shards:
            path = self.folder / f"codes-{number:05d}.safetensors"
            self._shards[number] = _read(path, self._count(number)) or self._make(number, path)
        return self._shards[number]

    def _count(self, number: int) -> int:
        return min(SHARD, self.num_examples - number * SHARD)

    def _make(self, number: int, path: Path) -> Shard:
        codes, captions = [], []
        first = number * SHARD
        for start in range(0, self._count(number), AT_ONCE):
            stop = min(start + AT_ONCE, self._count(number))
            examples = [self.source.example(first + i) for i in range(start, stop)]
            codes.append(self.encode(torch.stack([example.image for example in examples])))
            captions += [example.caption for example in examples]
        shard = Shard(torch.cat(codes), tuple(captions))
        make_folder(self.folder)
        # all processes make the same; who comes last replaces it by itself
        write_tensors(path, {"codes": shard.codes.contiguous()}, {"captions": json.dumps(captions)})
        return shard

    def _turn(self, turn: int) -> Tensor:
        """The order of a pass."""
        if turn != self._order[0]:
            keys = Rng((self._seed,)).fork("pass").fork(turn).uniform(self.num_examples)[0]
            order = keys.argsort(stable=True) if turn else torch.arange(self.num_examples)
            self._order = (turn, order)
        return self._order[1]


def _read(path: Path, count: int) -> Shard | None:
    """The shard in a file; None if there is none of so many examples."""
    try:
        with safe_open(path, framework="pt") as file:
            codes = file.get_tensor("codes")
            captions = tuple(json.loads((file.metadata() or {})["captions"]))
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return Shard(codes, captions) if len(codes) == len(captions) == count else None
