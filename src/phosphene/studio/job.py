"""A job: a recipe that is to be carried out, and how far that is. Imports no torch."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from phosphene.studio.recipe import Painting, Recipe
from phosphene.studio.recipe_text import parse_recipe


class State(StrEnum):
    """What a job is; the last three are for ever."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the queue; see `tables.jobs` for what is not said here.

    Args:
        wish: What a running job is about to become: paused or cancelled.
        turn: How often it was begun; it tells one worker's hold on it from the next one's.
        step: Steps made, of `total`; both 0 before the first.
    """

    id: str
    state: State
    wish: State | None
    priority: int
    place: int
    recipe: str
    kind: str
    method: str
    model: str
    size: str
    pictures: int
    created: float
    started: float | None
    ended: float | None
    worker: str | None
    lease_until: float | None
    turn: int
    deaths: int
    step: int
    total: int
    error_type: str | None
    error: str | None

    def parsed(self) -> Recipe:
        """The recipe as an object.

        Raises:
            RecipeError: another version of phosphene wrote it.
        """
        return parse_recipe(json.loads(self.recipe))

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        if self.state is State.DONE:
            return 1.0
        return min(1.0, self.step / self.total) if self.total else 0.0


def job_of(row: Any) -> Job:
    """Read a row of `tables.jobs`."""
    values = {name: getattr(row, name) for name in Job.__slots__}
    values["state"] = State(values["state"])
    values["wish"] = State(values["wish"]) if values["wish"] else None
    return Job(**values)


class Workload(NamedTuple):
    """What makes two jobs alike, and how much there is to do.

    Args:
        size: Width and height as asked for, "256x128"; empty for the model's own.
        pictures: Number of pictures; 1 for what makes none.
        iterations: Of each picture; None where the model decides, or where there are none.
    """

    kind: str
    method: str
    model: str
    size: str
    pictures: int
    iterations: int | None


def workload_of(recipe: Recipe) -> Workload:
    """Say what a recipe takes, from its fields alone."""
    inner = getattr(recipe, "of", recipe)  # of a sheet: what it varies
    width, height = getattr(inner, "width", None), getattr(inner, "height", None)
    return Workload(
        kind=recipe.kind,
        method=getattr(inner, "chosen_method", None) or getattr(recipe, "learner", None) or "",
        model=(getattr(inner, "model_name", None) or getattr(inner, "model", None) or "")[:200]
        if isinstance(recipe, Painting)
        else str(getattr(recipe, "name", ""))[:200],
        size=f"{width or ''}x{height or ''}" if width or height else "",
        pictures=_pictures(recipe),
        iterations=getattr(inner, "iterations", None) or getattr(recipe, "steps", None),
    )


def _pictures(recipe: Recipe) -> int:
    for name in ("num_cells", "num_frames"):
        if (number := getattr(recipe, name, None)) is not None:
            return int(number)
    return len(recipe.all_seeds()) if isinstance(recipe, Painting) else 1
