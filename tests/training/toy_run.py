"""A tiny training that tests can kill: `python toy_run.py FOLDER STEPS [POINT AT]`.

The learner is linear regression with momentum and noise from its stream, so that a step depends
on the weights, the momentum, the batch and the randomness: all that resuming must restore.
"""

import hashlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.core.rng import Rng
from phosphene.training.loop import Schedule, train

SCHEDULE = {"checkpoint_every": 4, "sheet_every": 1000}


class Toy:
    """A `Learner` of a 3-vector."""

    def __init__(self, size: int = 3) -> None:
        self.weight = torch.zeros(size)
        self.momentum = torch.zeros(size)
        self.poison_at: int | None = None

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        inputs = batch["inputs"]
        error = (
            inputs @ self.weight - inputs.sum(1) + 0.1 * rng.fork("noise").normal(len(inputs))[0]
        )
        self.momentum = 0.9 * self.momentum + inputs.T @ error / len(inputs)
        self.weight = self.weight - 0.05 * self.momentum
        loss = float("nan") if index == self.poison_at else float(error.square().mean())
        return {"loss": loss}

    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Tensor:
        return batch["inputs"].new_zeros(2, 3, 4, 4)

    def state(self) -> dict[str, Any]:
        return {"weight": self.weight, "momentum": self.momentum}

    def load_state(self, state: Mapping[str, Any]) -> None:
        if state["weight"].shape != self.weight.shape:
            raise RuntimeError(f"size mismatch:\n\t{list(state['weight'].shape)}")
        self.weight, self.momentum = state["weight"], state["momentum"]

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        return nn.Linear(1, 1), {}

    def digest(self) -> str:
        tensors = torch.cat([self.weight, self.momentum])
        return hashlib.sha256(tensors.numpy().tobytes()).hexdigest()


class Batches:
    """A `BatchSource` keyed by step; it counts what it was asked for."""

    batch_size = 5

    def __init__(self) -> None:
        self.asked: list[int] = []

    def batch(self, step: int) -> Mapping[str, Any]:
        self.asked.append(step)
        return {"inputs": Rng((step,), "/toy").normal(5, 3)[0]}

    def iterate(self, start: int, stop: int) -> Iterator[Mapping[str, Any]]:
        for step in range(start, stop):
            yield self.batch(step)


def run(folder: Path, steps: int, toy: Toy | None = None, until: int | None = None) -> Toy:
    """Train, or continue; leave without a word before step `until`."""
    toy, batches = toy or Toy(), Batches()
    steps_done = train(toy, batches, batches.batch(0), Schedule(steps=steps, **SCHEDULE), folder, 7)
    for step in steps_done:
        if until is not None and step.index + 1 >= until:
            steps_done.close()
            break
    return toy


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _main(folder: Path, steps: int, point: str, at: int) -> None:
    """Die at step `at`, or while the checkpoint of that step is being put in place."""
    if point == "rename":
        replace = Path.replace

        def dying(self: Path, target: Path) -> Path:
            if (folder / "metrics.jsonl").read_text().count("\n") >= at:
                _kill()
            return replace(self, target)

        Path.replace = dying  # type: ignore[method-assign,assignment]
    batches = Batches()
    for step in train(
        Toy(), batches, batches.batch(0), Schedule(steps=steps, **SCHEDULE), folder, 7
    ):
        if point == "step" and step.index + 1 == at:
            _kill()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
