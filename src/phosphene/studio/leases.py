"""The queue, as a worker sees it: jobs are taken on a lease, and ended once.

A job may be begun more than once, since a worker can die at any moment; it ends once, since each
write asks whether the worker still holds it: the same worker, in the same turn, and running.
Imports no torch.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from phosphene.core.errors import PhospheneError
from phosphene.studio.database import Database
from phosphene.studio.job import Job, State, job_of
from phosphene.studio.job_events import tell
from phosphene.studio.jobs import IN_TURN
from phosphene.studio.tables import jobs

LEASE_SECONDS = 30.0
MAX_DEATHS = 3


class LeaseLost(PhospheneError):
    """Somebody else may be carrying out the job by now: stop, and write nothing."""


class Held(NamedTuple):
    """A worker's hold on a job."""

    job: str
    worker: str
    turn: int


class Pace(NamedTuple):
    """How fast a job went, seconds; for forecasts."""

    setup_seconds: float
    step_seconds: float


def name_worker(pid: int, token: str) -> str:
    """A name for a process of this machine that no other process ever has.

    Args:
        token: Drawn for it: pids come back.
    """
    return f"{socket.gethostname()}:{pid}:{token}"


def is_gone(worker: str) -> bool:
    """Whether a worker's process surely does not exist any more; False if that cannot be known."""
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


class Leases:
    """Jobs that are taken, held and given back."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def claim(self, worker: str) -> tuple[Job, Held] | None:
        """Take the job whose turn it is; None if there is none."""
        now = self.database.clock()
        first = sa.select(jobs).where(jobs.c.state == State.QUEUED).order_by(*IN_TURN).limit(1)
        with self.database.writing() as connection:
            row = connection.execute(first).one_or_none()
            if row is None:
                return None
            held = Held(row.id, worker, row.turn + 1)
            taken = connection.execute(
                jobs.update()
                # on databases where two may read it at once, one of them changes it
                .where(jobs.c.id == row.id, jobs.c.state == State.QUEUED, jobs.c.turn == row.turn)
                .values(
                    state=str(State.RUNNING),
                    wish=None,
                    worker=worker,
                    turn=held.turn,
                    started=now,
                    lease_until=now + LEASE_SECONDS,
                )
            )
            if taken.rowcount != 1:
                return None
            tell(connection, row.id, "state", {"state": "running", "turn": held.turn}, now)
            found = connection.execute(sa.select(jobs).where(jobs.c.id == row.id)).one()
            return job_of(found), held

    def hold(self, connection: sa.Connection, held: Held, **values: Any) -> State | None:
        """Extend a lease, within the transaction of what depends on it; returns the wish.

        Raises:
            LeaseLost: it is not held any more.
        """
        until = self.database.clock() + LEASE_SECONDS
        kept = connection.execute(
            jobs.update().where(*_is(held)).values(lease_until=until, **values)
        )
        if kept.rowcount != 1:
            raise LeaseLost(f"job {held.job!r} is not held by {held.worker!r} any more")
        wish = connection.scalar(sa.select(jobs.c.wish).where(jobs.c.id == held.job))
        return State(wish) if wish else None

    def extend(self, held: Held) -> State | None:
        """The same, in a transaction of its own."""
        with self.database.writing() as connection:
            return self.hold(connection, held)

    def finish(self, held: Held, pace: Pace | None = None) -> None:
        """Say that a job is done.

        Raises:
            LeaseLost: it is not held any more.
        """
        values = pace._asdict() if pace is not None else {}
        self._end(held, State.DONE, {}, **values)

    def fail(self, held: Held, error: Exception) -> None:
        """Say that a job failed, and why.

        Raises:
            LeaseLost: it is not held any more.
        """
        name, text = type(error).__name__, " ".join(str(error).split())[:2000]
        self._end(held, State.FAILED, {"error": text}, error_type=name, error=text)

    def give_back(self, held: Held, state: State = State.QUEUED) -> None:
        """Let go of a job on purpose: it is queued, paused or cancelled.

        Raises:
            LeaseLost: it is not held any more.
        """
        self._end(held, state, {})

    def held_by(self, worker: str) -> list[Held]:
        """What a worker holds."""
        wanted = sa.select(jobs.c.id, jobs.c.turn)
        wanted = wanted.where(jobs.c.worker == worker, jobs.c.state == State.RUNNING)
        with self.database.reading() as connection:
            return [Held(row.id, worker, row.turn) for row in connection.execute(wanted)]

    def _end(self, held: Held, state: State, data: Mapping[str, Any], **values: Any) -> None:
        now = self.database.clock()
        values["ended"] = None if state in (State.QUEUED, State.PAUSED) else now
        with self.database.writing() as connection:
            self.hold(connection, held)
            connection.execute(
                jobs.update()
                .where(*_is(held))
                .values(
                    state=str(state),
                    wish=None,
                    worker=None,
                    lease_until=None,
                    **values,
                )
            )
            tell(connection, held.job, "state", {"state": str(state), **data}, now)

    def reclaim(self, dead: Mapping[str, str] | None = None) -> list[str]:
        """Take jobs back from workers that died; returns the jobs' ids.

        A job goes back to its place in the queue; when it has cost three workers their life, it
        has failed.

        Args:
            dead: Workers that are known to be dead, and how they died.
        """
        now, dead = self.database.clock(), dead or {}
        running = sa.select(jobs).where(jobs.c.state == State.RUNNING)
        with self.database.reading() as connection:
            rows = list(connection.execute(running))
        found = [row for row in rows if row.worker in dead or _is_lost(row, now)]
        if not found:
            return []
        taken = []
        with self.database.writing() as connection:
            for row in found:
                how = dead.get(row.worker, "it was not heard of any more")
                if self._bury(connection, row, how, now):
                    taken.append(row.id)
        return taken

    def _bury(self, connection: sa.Connection, row: Any, how: str, now: float) -> bool:
        """Take one job back, unless its worker was heard of meanwhile."""
        deaths = row.deaths + 1
        state = State(row.wish) if row.wish else State.QUEUED
        values: dict[str, Any] = {"deaths": deaths}
        if state is State.QUEUED and deaths >= MAX_DEATHS:
            state = State.FAILED
            values["error_type"] = "WorkerDied"
            values["error"] = f"{deaths} workers died of it, the last one because {how}"
        if state not in (State.QUEUED, State.PAUSED):
            values["ended"] = now
        # `turn` and `lease_until` as they were read: nobody has held it since
        same = (*_is(Held(row.id, row.worker, row.turn)), jobs.c.lease_until == row.lease_until)
        values |= {"state": str(state), "wish": None, "worker": None, "lease_until": None}
        if connection.execute(jobs.update().where(*same).values(values)).rowcount != 1:
            return False
        data = {"state": str(state), "died": how, "deaths": deaths}
        if "error" in values:
            data["error"] = values["error"]
        tell(connection, row.id, "state", data, now)
        return True


def _is(held: Held) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        jobs.c.id == held.job,
        jobs.c.worker == held.worker,
        jobs.c.turn == held.turn,
        jobs.c.state == State.RUNNING,
    )


def _is_lost(row: Any, now: float) -> bool:
    return row.lease_until is None or row.lease_until < now or is_gone(row.worker)
