"""The one training loop: any Learner, any data, resumable bit for bit. Knows no model.

A step depends on (seed, index, state) only: its batch and its noise are keyed by the index. So a
run that is killed and resumed from its last checkpoint ends in the same weights as one that never
stopped (same machine, same thread count).

Several processes (`core.team`) train as one: each learns from its part of every batch, and the
first one alone writes.

A run that dies (numbers not finite, collapse: see `watchdog`) goes back, once, to its last healthy
checkpoint and on from there with a lower rate, if its learner knows how.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from phosphene.core.errors import CheckpointError, Diverged
from phosphene.core.files import make_folder, storage_error, write_bytes
from phosphene.core.images import Images, grid, png_bytes
from phosphene.core.protocols import Learner, Step
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.training.checkpoint import load_state, save_state
from phosphene.training.events import Events
from phosphene.training.watchdog import Watchdog

CHECKPOINT = "checkpoint.safetensors"
HEALTHY = "healthy.safetensors"  # the last checkpoint saved while no sign of death was showing
METRICS = "metrics.jsonl"
TEMPERED = 0.5  # rates after going back, as a share
SHEET_COLUMNS = 16


@runtime_checkable
class BatchSource(Protocol):
    """Batches keyed by step; of a team, each process's part."""

    batch_size: int  # of all processes together

    def batch(self, step: int) -> Mapping[str, Any]: ...

    def iterate(self, start: int, stop: int) -> Iterator[Mapping[str, Any]]: ...


@runtime_checkable
class Temperate(Protocol):
    """A learner whose rates can be lowered in the middle of a run."""

    def temper(self, factor: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long to train and how often to save.

    Args:
        steps: Optimiser steps in all.
        checkpoint_every: Steps between checkpoints.
        sheet_every: Steps between sample sheets.
        tensorboard: Write what is logged as a TensorBoard event file, too.
    """

    steps: int
    checkpoint_every: int = 200
    sheet_every: int = 500
    tensorboard: bool = False


def train(
    learner: Learner,
    batches: BatchSource,
    fixed: Mapping[str, Any],
    schedule: Schedule,
    folder: Path,
    seed: int = 0,
    *,
    team: Team = ALONE,
) -> Iterator[Step]:
    """Train, saving into `folder`; continues from its checkpoint when there is one.

    Args:
        fixed: The batch that sample sheets show.
        team: The processes that train together; all see the same folder.
    Yields:
        A Step an optimiser step, with the losses; with images when a sheet was made. After going
        back, one with the scalar `rolled_back`: the step it went back to.
    Raises:
        Diverged: the run died, and went back before or cannot; the last healthy checkpoint stays.
        CheckpointError: the folder's checkpoint is damaged, or of another training.
        StorageError: the folder cannot be written.
    """
    if team.leads:
        make_folder(folder)
    run = _Run(learner, batches, schedule, folder, Rng((seed,), "/train"), team=team)
    run.resume()
    try:
        while True:
            try:
                yield from run.steps(fixed)
                return
            except Diverged as death:
                run.go_back(death)  # raises the second time
            yield Step(run.start, schedule.steps, scalars={"rolled_back": float(run.start)})
    finally:
        run.close()


class _Run:
    """A run in its folder: where it starts, whether it went back already, what it has seen."""

    def __init__(
        self,
        learner: Learner,
        batches: BatchSource,
        schedule: Schedule,
        folder: Path,
        rng: Rng,
        *,
        team: Team,
    ) -> None:
        self.learner, self.batches, self.schedule = learner, batches, schedule
        self.folder, self.rng, self.team = folder, rng, team
        self.watchdog = Watchdog()
        self.start, self.rolled_back = 0, False
        self.events: Events | None = None

    def steps(self, fixed: Mapping[str, Any]) -> Iterator[Step]:
        """Make the steps from `start` to the end."""
        total, begun, seen = self.schedule.steps, time.monotonic(), 0
        size = self.batches.batch_size
        for index, batch in enumerate(self.batches.iterate(self.start, total), start=self.start):
            losses = self.learner.step(batch, index, total, self.rng.fork(index))
            self.watchdog.observe(index, losses)
            seen += size
            spent = (time.monotonic() - begun) / seen * 1000
            log = {"kimg": (index + 1) * size / 1000, "seconds_per_kimg": spent, **losses}
            yield Step(index, total, self.record(index, fixed, log), log)

    def record(
        self, index: int, fixed: Mapping[str, Any], log: Mapping[str, float]
    ) -> Images | None:
        """Write what step `index` leaves: a row, now and then a sheet and a checkpoint."""
        if not self.team.leads:
            return None
        last, images = index == self.schedule.steps - 1, None
        if last or (index + 1) % self.schedule.sheet_every == 0:
            images = self.learner.preview(fixed, self.rng.fork("preview"))
            columns = getattr(self.learner, "sheet_columns", SHEET_COLUMNS)
            sheet = grid(images, columns)
            png = png_bytes(sheet)
            write_bytes(self.folder / sheet_name(index + 1), png)
            if self.events:
                self.events.sheet(index + 1, png, sheet.shape)
        if self.events:
            self.events.scalars(index + 1, log)
        # before the checkpoint: a row too many is dropped on resuming, a missing one is lost
        _append(self.folder / METRICS, {"step": index + 1, **log})
        if last or (index + 1) % self.schedule.checkpoint_every == 0:
            self.save(index + 1)
        return images

    def save(self, index: int) -> None:
        """Write the checkpoint before step `index`; also as the healthy one, if it is."""
        state = {
            "index": index,
            "learner": self.learner.state(),
            "rolled_back": self.rolled_back,
            "watchdog": self.watchdog.state(),
        }
        path, healthy = self.folder / CHECKPOINT, self.folder / HEALTHY
        save_state(path, state)
        if not isinstance(self.learner, Temperate) or not self.watchdog.calm:
            return
        # the same file under a second name; the next checkpoint takes the first name only
        linked = healthy.with_suffix(".link")
        with contextlib.suppress(OSError):  # a file system without links: no going back
            linked.unlink(missing_ok=True)
            os.link(path, linked)
            linked.replace(healthy)

    def resume(self) -> None:
        """Load the folder's checkpoint, if any.

        Raises:
            CheckpointError: it is damaged, or of a learner that is shaped otherwise.
        """
        path = self.folder / CHECKPOINT
        if path.exists():
            self.load(path)
        self.team.wait()  # all have read what will be overwritten
        if not self.team.leads:
            return
        for left_over in self.folder.glob(".*.tmp"):  # a kill in the middle of writing
            left_over.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Drop what was logged after the step that the run starts from."""
        _drop_after(self.folder / METRICS, self.start)
        self.close()
        if self.schedule.tensorboard:
            self.events = Events(self.folder, self.start)

    def close(self) -> None:
        """Let go of the event file."""
        if self.events:
            self.events.close()

    def load(self, path: Path) -> None:
        """Bring learner and run to where a checkpoint was written; see `resume`."""
        state = load_state(path)
        try:
            self.start = int(state["index"])
            self.learner.load_state(state["learner"])
            self.rolled_back = bool(state.get("rolled_back", False))
            self.watchdog.load_state(state.get("watchdog", {}))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"cannot resume from {str(path)!r}: it is the state of another kind of training "
                f"({reason}); use another folder, or the settings it was made with"
            ) from None

    def go_back(self, death: Diverged) -> None:
        """Return to the last healthy checkpoint with lower rates.

        Raises:
            Diverged: it went back before, there is nothing to go back to, or the learner cannot.
        """
        path = self.folder / HEALTHY
        if not isinstance(self.learner, Temperate) or not path.exists():
            raise death
        if self.rolled_back:
            raise Diverged(f"{death} (it went back to a healthy checkpoint once already)") from None
        self.load(path)
        self.learner.temper(TEMPERED)
        self.rolled_back, self.watchdog = True, Watchdog()
        self.team.wait()  # all have read what will be overwritten
        if not self.team.leads:
            return
        self.forget()
        _append(self.folder / METRICS, {"step": self.start, "rolled_back": str(death)})
        self.save(self.start)  # a kill from now on resumes with the lower rates


def sheet_name(steps: int) -> str:
    """What the sample sheet after so many steps is called, in the run's folder."""
    return f"sheet-{steps:06d}.png"


def _append(path: Path, row: Mapping[str, int | float | str]) -> None:
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
