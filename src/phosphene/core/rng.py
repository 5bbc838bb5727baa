"""Randomness keyed by name: the only module that draws random numbers.

A draw depends on (seed, purpose, shape) and on nothing else: not on the batch size, the order of
calls, the device, or on where a run was resumed. An `Rng` is a value without state: the same `Rng`
drawn twice gives the same numbers, and `fork` names a new, independent stream.

    rng = Rng((7, 8))                       # one seed a sample
    z = rng.fork("z").normal(100)           # 2 100; row 0 is what Rng((7,)) would have drawn
    for i in range(500):
        noise = rng.fork("cutouts").fork(i).normal(3, 64, 64)

Where several processes share a batch, each draws for the whole of it and keeps its rows:

    rng = Rng((7,)).part_of(team)
    z = rng.normal(4, 100)[0]               # of two processes: rows 0-3 or 4-7 of normal(8, 100)
"""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.team import ALONE, Team

MAX_SEED = 2**63 - 1
# named, because torch's defaults are the caller's to change (`with torch.device("meta")`)
_PLAIN: Any = {"dtype": torch.float32, "device": "cpu"}


@dataclass(frozen=True, slots=True)
class Rng:
    """Independent random streams, one for each sample of a batch.

    Args:
        seeds: One integer in [0, 2^63) for each sample.
        purpose: Name of the stream; extended by `fork`.
        team: The processes that share each draw.
    Raises:
        RecipeError: no seed, or a seed out of range.
    """

    seeds: tuple[int, ...]
    purpose: str = ""
    team: Team = ALONE

    def __post_init__(self) -> None:
        if not self.seeds:
            raise RecipeError("no seeds given; name at least one, for example Rng((0,))")
        for seed in self.seeds:
            if not 0 <= seed <= MAX_SEED:
                raise RecipeError(f"seed {seed} is out of range; use 0 to {MAX_SEED}")
        if self.purpose and not self.purpose.startswith("/"):
            # "1" + "2/z" must not be read as seed 12
            raise RecipeError(f"purpose {self.purpose!r} must start with '/'; use fork()")

    @classmethod
    def from_seed(cls, seed: int, count: int = 1) -> "Rng":
        """Seeds `seed`, `seed + 1`, ...: sample i of a batch is the sole sample of `seed + i`."""
        return cls(tuple(seed + i for i in range(count)))

    def fork(self, name: str | int) -> "Rng":
        """Name an independent stream of the same seeds; `fork(1)` and `fork("1")` are the same."""
        # escaped as in JSON pointers, so that fork("a/b") is not fork("a").fork("b")
        escaped = str(name).replace("~", "~0").replace("/", "~1")
        return Rng(self.seeds, f"{self.purpose}/{escaped}", self.team)

    def part_of(self, team: Team) -> "Rng":
        """The same streams, of which each process of a team sees the samples that are its own."""
        return Rng(self.seeds, self.purpose, team)

    def __len__(self) -> int:
        return len(self.seeds)

    def _key(self, seed: int) -> int:
        name = f"{seed}{self.purpose}".encode("utf-8", "surrogatepass")  # any text is a prompt
        digest = hashlib.blake2b(name, digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def _generators(self) -> Iterable[torch.Generator]:
        for seed in self.seeds:
            yield torch.Generator().manual_seed(self._key(seed))

    def normal(self, *shape: int, samples: int = 0) -> Tensor:
        """Draw standard normal values, shape (b, *shape), float32, on the CPU.

        Args:
            samples: The axis of `shape` that is shared out among the processes of a team.
        """
        whole = self._whole(shape, samples)
        drawn = [torch.randn(whole, generator=g, **_PLAIN) for g in self._generators()]
        return self.team.rows(torch.stack(drawn), dim=samples + 1)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0, samples: int = 0) -> Tensor:
        """Draw values uniform in [low, high], shape (b, *shape), float32, on the CPU.

        `high` itself comes only by rounding, never with the defaults. For `samples` see `normal`.
        """
        whole = self._whole(shape, samples)
        drawn = torch.stack([torch.rand(whole, generator=g, **_PLAIN) for g in self._generators()])
        return self.team.rows(drawn, dim=samples + 1) * (high - low) + low

    def integers(self, *shape: int, high: int) -> Tensor:
        """Draw integers uniform in [0, high), shape (b, *shape), int64, on the CPU."""
        whole = self._whole(shape, 0)
        drawn = [torch.randint(high, whole, generator=g, device="cpu") for g in self._generators()]
        return self.team.rows(torch.stack(drawn), dim=1)

    def _whole(self, shape: tuple[int, ...], samples: int) -> tuple[int, ...]:
        """The shape for all processes together."""
        if self.team.size == 1:
            return shape
        return (*shape[:samples], shape[samples] * self.team.size, *shape[samples + 1 :])

    def dice(self) -> random.Random:
        """Return a Python generator for many small choices; of a single-sample `Rng` only.

        Raises:
            RecipeError: the batch has more than one sample.
        """
        return random.Random(self._key(self._sole("dice")))

    def generator(self) -> torch.Generator:
        """Return a generator on the CPU for libraries that draw; of a single-sample `Rng` only.

        Raises:
            RecipeError: the batch has more than one sample.
        """
        return torch.Generator().manual_seed(self._key(self._sole("generator")))

    def _sole(self, asking: str) -> int:
        """The seed of the one sample."""
        if len(self.seeds) != 1:
            raise RecipeError(f"{asking}() is for one sample, this Rng has {len(self.seeds)}")
        return self.seeds[0]
