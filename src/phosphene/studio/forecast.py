"""How long a recipe will take, from how long others like it took. Imports no torch.

seconds = setup + steps * (seconds a step), with medians over the latest jobs of the same kind,
method, model and size; where there are none of the size, over those of any size.
"""

import json
from statistics import median, quantiles
from typing import NamedTuple

import sqlalchemy as sa

from phosphene.studio.database import Database
from phosphene.studio.job import State, Workload, workload_of
from phosphene.studio.recipe import Recipe
from phosphene.studio.tables import jobs

NUM_LATEST = 20  # jobs that are asked


class Forecast(NamedTuple):
    """A guess of the time that a job takes once it runs.

    Args:
        low: Three quarters of such jobs took longer than this a step, seconds in all.
        high: Three quarters took less.
        num_jobs: That were measured.
        same_size: Whether they were of this size; else the guess is a rough one.
    """

    seconds: float
    low: float
    high: float
    num_jobs: int
    same_size: bool


class _Measured(NamedTuple):
    setup: float
    step: float
    steps_a_picture: float
    iterations: int | None


def forecast(database: Database, recipe: Recipe) -> Forecast | None:
    """Guess how long a recipe takes; None if nothing like it was ever measured."""
    work = workload_of(recipe)
    for same_size in (True, False):
        measured = _latest(database, work, same_size)
        if measured:
            return _guess(work, measured, same_size)
    return None


def _latest(database: Database, work: Workload, same_size: bool) -> list[_Measured]:
    wanted = (
        sa.select(jobs)
        .where(
            jobs.c.state == State.DONE,
            jobs.c.kind == work.kind,
            jobs.c.method == work.method,
            jobs.c.model == work.model,
            jobs.c.step_seconds.is_not(None),
            *([jobs.c.size == work.size] if same_size else []),
        )
        .order_by(jobs.c.ended.desc())
        .limit(NUM_LATEST)
    )
    with database.reading() as connection:
        rows = connection.execute(wanted).all()
    return [
        _Measured(
            setup=row.setup_seconds,
            step=row.step_seconds,
            steps_a_picture=row.total / row.pictures,
            iterations=_iterations(row.recipe),
        )
        for row in rows
        if row.total > 0 and row.pictures > 0
    ]


def _iterations(text: str) -> int | None:
    """What `workload_of` says, read from the text: every look at a job asks for many of these."""
    fields = json.loads(text)
    found = (fields.get("of") or fields).get("iterations") or fields.get("steps")
    return int(found) if found else None


def _guess(work: Workload, measured: list[_Measured], same_size: bool) -> Forecast:
    steps = work.pictures * _steps_a_picture(work, measured)
    setup = median(m.setup for m in measured)
    speeds = sorted(m.step for m in measured)
    low, middle, high = quantiles(speeds, n=4) if len(speeds) > 1 else speeds * 3
    # quantiles of few values may lie outside of them
    low, high = max(low, speeds[0]), min(high, speeds[-1])
    return Forecast(
        seconds=setup + steps * middle,
        low=setup + steps * low,
        high=setup + steps * high,
        num_jobs=len(measured),
        same_size=same_size,
    )


def _steps_a_picture(work: Workload, measured: list[_Measured]) -> float:
    """Of jobs that asked for as many iterations; else in proportion to them."""
    alike = [m.steps_a_picture for m in measured if m.iterations == work.iterations]
    if alike:
        return median(alike)
    known = [m.steps_a_picture / m.iterations for m in measured if m.iterations]
    if work.iterations and known:
        return work.iterations * median(known)
    if work.iterations:
        return float(work.iterations)
    return median(m.steps_a_picture for m in measured)
