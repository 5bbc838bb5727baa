"""The queue, as whoever asks for pictures sees it. Workers' side is in `leases.py`.

Jobs stand in a database, so a job that was accepted is there after a crash. They run in the order
of priority, then of place; a job that comes back (resumed, or its worker died) has its old place.
Imports no torch.
"""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from phosphene.core.errors import NotFound, RecipeError, TooMany, WrongState
from phosphene.studio.database import Database
from phosphene.studio.job import Job, State, job_of, workload_of
from phosphene.studio.job_events import tell
from phosphene.studio.recipe import Recipe
from phosphene.studio.recipe_text import dump_recipe
from phosphene.studio.tables import jobs

PRIORITIES = range(-100, 101)
MAX_WAITING = 1000
MAX_LISTED = 500
WAITING = (State.QUEUED, State.PAUSED)

IN_TURN = (jobs.c.priority.desc(), jobs.c.place, jobs.c.created, jobs.c.id)


class Jobs:
    """The queue.

    Args:
        max_waiting: Queued and paused jobs, at most.
    """

    def __init__(self, database: Database, max_waiting: int = MAX_WAITING) -> None:
        self.database, self.max_waiting = database, max_waiting

    def submit(self, recipe: Recipe, priority: int = 0, client_key: str | None = None) -> Job:
        """Put a recipe at the end of its priority; when this returns, it will not be forgotten.

        Args:
            recipe: A seed that it leaves open is drawn now: each attempt paints the same.
            client_key: Chosen by whoever asks: asked for again with the same key, the job that is
                there is returned.
        Raises:
            RecipeError: a priority outside -100 to 100, or a key that another recipe has.
            TooMany: the queue is full.
        """
        _check_priority(priority)
        if client_key is not None and (known := self._known(client_key, recipe)):
            return known
        try:
            with self.database.writing() as connection:
                return self._insert(connection, recipe, priority, client_key)
        except IntegrityError:  # the same key, at the same moment
            assert client_key is not None
            known = self._known(client_key, recipe)
            assert known is not None
            return known

    def of_key(self, client_key: str) -> Job | None:
        """The job that was asked for with a key; None if there is none."""
        with self.database.reading() as connection:
            row = connection.execute(
                sa.select(jobs).where(jobs.c.client_key == client_key)
            ).one_or_none()
        return None if row is None else job_of(row)

    def still_waiting(self, names: Collection[str]) -> set[str]:
        """Those of some jobs that are queued or paused."""
        wanted = sa.select(jobs.c.id).where(jobs.c.id.in_(names), jobs.c.state.in_(WAITING))
        with self.database.reading() as connection:
            return set(connection.scalars(wanted))

    def get(self, job: str) -> Job:
        """Look a job up.

        Raises:
            NotFound: no such job.
        """
        with self.database.reading() as connection:
            return _find(connection, job)

    def listed(
        self, states: Sequence[State] = (), limit: int = MAX_LISTED, offset: int = 0
    ) -> list[Job]:
        """The newest jobs first; only those in the states, if some are given."""
        wanted = sa.select(jobs).order_by(jobs.c.created.desc(), jobs.c.id)
        if states:
            wanted = wanted.where(jobs.c.state.in_([str(state) for state in states]))
        with self.database.reading() as connection:
            return [job_of(r) for r in connection.execute(wanted.limit(limit).offset(offset))]

    def waiting(self) -> list[Job]:
        """The queued jobs, the next one first."""
        with self.database.reading() as connection:
            return _waiting(connection)

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        counted = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        with self.database.reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(counted)}
        return {state: found.get(str(state), 0) for state in State}

    def move(self, job: str, before: str | None = None, priority: int | None = None) -> Job:
        """Give a queued job another place.

        Args:
            before: The queued job that it comes before, whose priority it gets; None is the end
                of its priority.
            priority: Its new one; not together with `before`.
        Raises:
            NotFound, WrongState: one of them is not there, or not queued.
            RecipeError: before itself, or a priority as well.
        """
        if before is not None and (priority is not None or before == job):
            raise RecipeError("before: should name another job, and stand without a priority")
        if priority is not None:
            _check_priority(priority)
        with self.database.writing() as connection:
            moved = _queued(connection, job)
            others = [other for other in _waiting(connection) if other.id != job]
            if before is not None:
                target = _queued(connection, before)
                wanted, at = target.priority, [o.id for o in others].index(before)
            else:
                wanted = moved.priority if priority is None else priority
                at = sum(other.priority >= wanted for other in others)
            order = [*others[:at], moved, *others[at:]]
            places = sorted(entry.place for entry in order)
            for entry, place in zip(order, places, strict=True):
                values: dict[str, Any] = {"place": place}
                if entry.id == job:
                    values["priority"] = wanted
                connection.execute(jobs.update().where(jobs.c.id == entry.id).values(values))
            tell(connection, job, "state", {"state": "queued", "moved": True}, self._now())
            return _find(connection, job)

    def pause(self, job: str) -> Job:
        """Keep a queued job from running; stop a running one, which then goes on from there.

        Raises:
            NotFound: no such job.
            WrongState: it has ended.
        """
        return self._turn(job, State.PAUSED)

    def cancel(self, job: str) -> Job:
        """End a job; a running one stops within seconds.

        Raises:
            NotFound: no such job.
            WrongState: it has ended otherwise.
        """
        return self._turn(job, State.CANCELLED)

    def resume(self, job: str) -> Job:
        """Let a paused job run again when its turn comes.

        Raises:
            NotFound: no such job.
            WrongState: it is not paused, nor about to be.
        """
        with self.database.writing() as connection:
            found = _find(connection, job)
            if State.PAUSED not in (found.state, found.wish):
                raise WrongState(f"job {job!r} is {found.state}, not paused")
            if found.state is State.RUNNING:  # it has not stopped yet
                connection.execute(jobs.update().where(jobs.c.id == job).values(wish=None))
            else:
                self._become(connection, job, State.QUEUED)
            return _find(connection, job)

    def _insert(
        self, connection: sa.Connection, recipe: Recipe, priority: int, client_key: str | None
    ) -> Job:
        alive = jobs.c.state.in_(WAITING)
        count = connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(alive)) or 0
        if count >= self.max_waiting:
            raise TooMany(f"{count} jobs are waiting, as many as may; try again later")
        work = workload_of(recipe)
        last = connection.scalar(sa.select(sa.func.max(jobs.c.place))) or 0
        job = secrets.token_hex(16)
        connection.execute(
            jobs.insert().values(
                id=job,
                client_key=client_key,
                state=str(State.QUEUED),
                priority=priority,
                place=last + 1,
                recipe=dump_recipe(recipe.with_seed()),
                kind=work.kind,
                method=work.method,
                model=work.model,
                size=work.size,
                pictures=work.pictures,
                created=self._now(),
                turn=0,
                deaths=0,
                step=0,
                total=0,
            )
        )
        tell(connection, job, "state", {"state": "queued"}, self._now())
        return _find(connection, job)

    def _known(self, client_key: str, recipe: Recipe) -> Job | None:
        """The job of a key; that its recipe is another one is a mistake of whoever asks."""
        if (known := self.of_key(client_key)) is None:
            return None
        there, asked = known.parsed(), recipe
        if getattr(asked, "seed", 0) is None and hasattr(there, "seed"):
            asked = asked.model_copy(update={"seed": there.seed})
        if asked.kind != there.kind or asked.with_seed() != there:
            raise WrongState(f"the key {client_key[:80]!r} was used for another recipe")
        return known

    def _turn(self, job: str, state: State) -> Job:
        with self.database.writing() as connection:
            found = _find(connection, job)
            if found.state is State.RUNNING and found.wish is not State.CANCELLED:
                connection.execute(jobs.update().where(jobs.c.id == job).values(wish=str(state)))
            elif found.state in (State.QUEUED, State.PAUSED):
                self._become(connection, job, state)
            elif state not in (found.state, found.wish):
                raise WrongState(f"job {job!r} is {found.wish or found.state} already")
            return _find(connection, job)

    def _become(self, connection: sa.Connection, job: str, state: State) -> None:
        values: dict[str, Any] = {"state": str(state)}
        if state is State.CANCELLED:
            values["ended"] = self._now()
        connection.execute(jobs.update().where(jobs.c.id == job).values(values))
        tell(connection, job, "state", {"state": str(state)}, self._now())

    def _now(self) -> float:
        return self.database.clock()


def _check_priority(priority: int) -> None:
    if priority not in PRIORITIES:
        raise RecipeError(f"priority: {priority} should be from -100 to 100")


def _find(connection: sa.Connection, job: str) -> Job:
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).one_or_none()
    if row is None:
        raise NotFound(f"no job {job[:64]!r}; GET /api/jobs lists all")
    return job_of(row)


def _queued(connection: sa.Connection, job: str) -> Job:
    found = _find(connection, job)
    if found.state is not State.QUEUED:
        raise WrongState(f"job {job!r} is {found.state}, not queued")
    return found


def _waiting(connection: sa.Connection) -> list[Job]:
    wanted = sa.select(jobs).where(jobs.c.state == State.QUEUED).order_by(*IN_TURN)
    return [job_of(row) for row in connection.execute(wanted)]
