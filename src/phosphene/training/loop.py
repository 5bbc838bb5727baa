"""The one training loop: any Learner, any data, resumable bit for bit. Knows no model.

A step depends on (seed, index, state) only: its batch and its noise are keyed by the index. So a
run that is killed and resumed from its last checkpoint ends in the same weights as one that never
stopped (same machine, same thread count).
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from phosphene.core.errors import CheckpointError, Diverged
from phosphene.core.files import make_folder, storage_error, write_bytes
from phosphene.core.images import grid, save_png
from phosphene.core.protocols import Learner, Step
from phosphene.core.rng import Rng
from phosphene.training.checkpoint import load_state, save_state

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"


@runtime_checkable
class BatchSource(Protocol):
    """Batches keyed by step."""

    batch_size: int

    def batch(self, step: int) -> Mapping[str, Any]: ...

    def iterate(self, start: int, stop: int) -> Iterator[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long to train and how often to save.

    Args:
        steps: Optimiser steps in all.
        checkpoint_every: Steps between checkpoints.
        sheet_every: Steps between sample sheets.
    """

    steps: int
    checkpoint_every: int = 200
    sheet_every: int = 500


def train(
    learner: Learner,
    batches: BatchSource,
    fixed: Mapping[str, Any],
    schedule: Schedule,
    folder: Path,
    seed: int = 0,
) -> Iterator[Step]:
    """Train, saving into `folder`; continues from its checkpoint when there is one.

    Args:
        fixed: The batch that sample sheets show.
    Yields:
        A Step an optimiser step, with the losses; with images when a sheet was made.
    Raises:
        Diverged: a loss or gradient is not finite; the last checkpoint stays.
        CheckpointError: the folder's checkpoint is damaged, or of another training.
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    start = _resume(learner, folder)
    rng = Rng((seed,), "/train")
    begun, seen = time.monotonic(), 0
    for index, batch in enumerate(batches.iterate(start, schedule.steps), start=start):
        log = learner.step(batch, index, schedule.steps, rng.fork(index))
        _demand_finite(log, index)
        seen += batches.batch_size
        log["kimg"] = (index + 1) * batches.batch_size / 1000
        log["seconds_per_kimg"] = (time.monotonic() - begun) / seen * 1000
        last = index == schedule.steps - 1
        images = None
        if last or (index + 1) % schedule.sheet_every == 0:
            images = learner.preview(fixed, rng.fork("preview"))
            save_png(grid(images, columns=16), folder / f"sheet-{index + 1:06d}.png")
        # before the checkpoint: a row too many is dropped on resuming, a missing one is lost
        _append(folder / METRICS, {"step": index + 1, **log})
        if last or (index + 1) % schedule.checkpoint_every == 0:
            state = {"index": index + 1, "learner": learner.state()}
            save_state(folder / CHECKPOINT, state)
        yield Step(index, schedule.steps, images, log)


def _resume(learner: Learner, folder: Path) -> int:
    """Load the folder's checkpoint, if any; returns the index of the next step.

    Raises:
        CheckpointError: it is damaged, or of a learner that is shaped otherwise.
    """
    for left_over in folder.glob(".*.tmp"):  # a kill in the middle of writing
        left_over.unlink(missing_ok=True)
    path, index = folder / CHECKPOINT, 0
    if path.exists():
        state = load_state(path)
        try:
            index = int(state["index"])
            learner.load_state(state["learner"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"cannot resume from {str(path)!r}: it is the state of another kind of training "
                f"({reason}); use another folder, or the settings it was made with"
            ) from None
    _drop_after(folder / METRICS, index)
    return index


def _demand_finite(log: Mapping[str, float], index: int) -> None:
    for name, value in log.items():
        if not math.isfinite(value):
            raise Diverged(f"step {index}: {name} became {value}; try a lower learning rate")


def _append(path: Path, row: Mapping[str, int | float]) -> None:
    try:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise storage_error(path, error) from None


def _drop_after(path: Path, step: int) -> None:
    """Forget rows logged after the checkpoint, and a last line cut by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + b"\n")
        except (ValueError, KeyError, TypeError):
            continue
    write_bytes(path, b"".join(kept))
