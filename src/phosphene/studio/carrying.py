"""Carrying out one job of the queue: steps become events, pictures go into the gallery.

A picture's file is on the disk before the row that tells of it; the row, the job's claim to it and
the event are one transaction, in which the worker shows that it still holds the job. So however
often a job is begun, each of its pictures is in the gallery once.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, closing, nullcontext
from pathlib import Path

import sqlalchemy as sa

from phosphene.core.errors import PhospheneError
from phosphene.core.files import make_folder, write_bytes
from phosphene.core.image_files import open_pil
from phosphene.core.images import to_pil
from phosphene.core.protocols import Step
from phosphene.studio.craft import Painted
from phosphene.studio.data_folders import folder_name, with_data
from phosphene.studio.entry import described
from phosphene.studio.folder import RunFolder
from phosphene.studio.job import Job, State
from phosphene.studio.job_events import tell, thin_out
from phosphene.studio.leases import Held, LeaseLost, Pace
from phosphene.studio.manifest import Manifest
from phosphene.studio.recipe import Imagine, Recipe, Train
from phosphene.studio.references import descended_from, file_name, referenced, with_files
from phosphene.studio.run import run
from phosphene.studio.store import PREVIEW_SIDE, webp
from phosphene.studio.studio import Studio
from phosphene.studio.tables import made
from phosphene.training.loop import sheet_name
from phosphene.zoo import Zoo

EVENT_SECONDS = 0.5
PREVIEW_SECONDS = 1.0
SHEET_SIDE = 1024  # px, of a training's sample sheet
MAX_STEPS_KEPT = 400  # events of a job; of longer ones every second is dropped, again and again
INPUTS = "inputs"


class Stopped(Exception):
    """The job is to become something else than done."""

    def __init__(self, state: State) -> None:
        self.state = state


class Reporter:
    """Writes down what a job's steps show.

    Args:
        recipe: Of the job, as it was carried out.
        parents: Pictures of the gallery that its own come from.
    """

    def __init__(self, studio: Studio, held: Held, recipe: Recipe, parents: list[str]) -> None:
        self.studio, self.held, self.recipe, self.parents = studio, held, recipe, parents
        self._begun = time.monotonic()
        self._first = self._last = 0.0
        self._steps = 0
        self._told = self._shown = -math.inf

    def note(self, step: Step) -> None:
        """Write down a step: always if it finished a picture, else now and then.

        Raises:
            LeaseLost: the job is somebody else's by now.
            StorageError: disk full.
        """
        now = time.monotonic()
        if step.notes:
            self._write("note", {"lines": list(step.notes)}, step)
        if step.notes and step.view is None and not step.scalars:
            return  # words alone are no step
        self._last = now
        self._first = self._first if self._steps else now
        self._steps += 1
        if isinstance(step, Painted) and step.artifact is not None:
            self._keep(step)
        last = step.index + 1 >= step.total
        is_sheet = isinstance(self.recipe, Train) and step.view is not None
        if now - self._told >= EVENT_SECONDS or last or is_sheet:
            self._told = now
            scalars = {k: v for k, v in step.scalars.items() if math.isfinite(v)}
            data = {"step": step.index + 1, "total": step.total, "scalars": scalars}
            self._write("step", data, step, self._preview(step, now))

    def pace(self) -> Pace | None:
        """How fast it went; None if it never came to a step."""
        if not self._steps:
            return None
        setup, work = self._first - self._begun, self._last - self._first
        return Pace(setup, work / (self._steps - 1) if self._steps > 1 else 0.0)

    def _preview(self, step: Step, now: float) -> bytes | None:
        if step.view is None:
            return None
        if isinstance(self.recipe, Train):  # all of the sheet, as the run has just written it
            sheet = self.studio.store.run_of(self.held.job) / sheet_name(step.index + 1)
            return webp(open_pil(sheet), SHEET_SIDE)
        if now - self._shown < PREVIEW_SECONDS:
            return None
        self._shown = now
        assert step.images is not None
        return webp(to_pil(step.images[0].detach().float().clamp(-1, 1)), PREVIEW_SIDE)

    def _write(
        self, kind: str, data: Mapping[str, object], step: Step, preview: bytes | None = None
    ) -> None:
        database = self.studio.database
        with database.writing() as connection:
            self.studio.leases.hold(connection, self.held, step=step.index + 1, total=step.total)
            tell(connection, self.held.job, kind, data, database.clock(), preview)
            if kind == "step":
                thin_out(connection, self.held.job, MAX_STEPS_KEPT)

    def _keep(self, step: Painted) -> None:
        """Put a finished picture into the gallery, once."""
        assert step.artifact is not None
        studio, manifest = self.studio, step.artifact.manifest
        png = step.artifact.png()
        studio.store.put(png)
        beside = studio.gallery.keep_beside({**step.beside, **self._film(manifest)})
        columns = described(png, "job")
        job, number, now = self.held.job, manifest.index, studio.database.clock()
        with studio.database.writing() as connection:
            studio.leases.hold(connection, self.held)
            there = sa.select(made.c.artifact).where(made.c.job == job, made.c.number == number)
            if connection.scalar(there) is not None:
                return  # an earlier turn came as far
            studio.gallery.insert(
                connection,
                columns,
                parents_of=[*self.parents, *manifest.inputs.values()],
                beside=beside,
            )
            connection.execute(made.insert().values(job=job, number=number, artifact=columns["id"]))
            data = {"artifact": columns["id"], "number": number, "seed": str(manifest.seed)}
            tell(connection, job, "picture", data, now)

    def _film(self, manifest: Manifest) -> dict[str, Path]:
        """The film of `imagine`, which lies in the run's folder."""
        if not isinstance(self.recipe, Imagine) or self.recipe.video is None:
            return {}
        folder = RunFolder(self.studio.store.run_of(self.held.job))
        assert isinstance(manifest.recipe, Imagine)
        path = folder.video(manifest.recipe, manifest.recipe.labels()[manifest.index])
        return {path.suffix: path} if path.is_file() else {}


def carry_out(
    studio: Studio,
    job: Job,
    held: Held,
    zoo: Zoo,
    device: str,
    *,
    wish: Callable[[], State | None],
    data: Path | None = None,
) -> Pace | None:
    """Carry out a job from where its run's folder is; returns how fast it went.

    Args:
        wish: Asked after each step: what the job should become instead of going on.
        data: Where folders to learn from are; None if recipes may name none.
    Raises:
        Stopped: there was a wish.
        LeaseLost: the job is somebody else's by now.
        PhospheneError: as for `run`; or a picture that the recipe names is not in the gallery.
    """
    asked = job.parsed()
    recipe, folder = with_data(with_files(asked), data), studio.store.run_of(job.id)
    reporter = Reporter(studio, held, recipe, descended_from(asked))

    def go() -> None:
        inputs = _lay_out(studio, referenced(asked), folder)
        keeps_files = recipe.leaves_files or isinstance(recipe, Imagine | Train)
        going = run(recipe, zoo, device, folder if keeps_files else None, resume=True)
        # names of pictures mean those that lie there; a training's data are where they are
        place = nullcontext() if isinstance(recipe, Train) else chdir(inputs)
        with place, closing(going):  # type: ignore[type-var]
            for step in going:
                reporter.note(step)
                if (state := wish()) is not None:
                    raise Stopped(state)

    begun_before = RunFolder(folder).has_checkpoint()
    try:
        go()
    except LeaseLost:
        raise
    except PhospheneError as error:
        if isinstance(recipe, Train) and (name := folder_name(asked)) is not None:
            hidden = {str(recipe.data): name, str(studio.store.share): studio.store.share.name}
            raise type(error)(_without(str(error), hidden)) from None
        if not begun_before or reporter.pace() is not None or isinstance(recipe, Train):
            raise
        # weights or phosphene changed since the checkpoint: the job is to be done all the same
        shutil.rmtree(folder, ignore_errors=True)
        reporter.note(Step(0, max(1, job.total), notes=(f"begins anew: {error}",)))
        go()
    return reporter.pace()


def _without(text: str, hidden: Mapping[str, str]) -> str:
    """What went wrong, for those who may not know where folders of this machine are."""
    for path, name in hidden.items():
        text = text.replace(path, name)
    return text


def _lay_out(studio: Studio, names: list[str], folder: Path) -> Path:
    """Put the pictures that a recipe names where it finds them; returns that folder."""
    inputs = make_folder(folder / INPUTS)
    for name in names:
        write_bytes(inputs / file_name(name), studio.store.read(name))
    return inputs


def tidy_run(studio: Studio, job: Job) -> None:
    """Remove the folder of a job that has ended; a training's stays, with its weights."""
    if job.kind != "train":
        shutil.rmtree(studio.store.run_of(job.id), ignore_errors=True)
