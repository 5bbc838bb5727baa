"""What happened to jobs, in order, for whoever watches; kept, so that one can watch later too.

Kinds: `state` (what a job became), `step` (progress and numbers, perhaps a preview), `note` (a line
for people), `picture` (one is finished and in the gallery).
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from phosphene.core.errors import NotFound
from phosphene.studio.database import Database
from phosphene.studio.tables import events

MAX_READ = 500


class JobEvent(NamedTuple):
    """Something that happened.

    Args:
        id: Rises with time, over all jobs.
        has_preview: Whether `preview_of` gives a small picture for it.
    """

    id: int
    job: str
    kind: str
    created: float
    data: dict[str, Any]
    has_preview: bool


def tell(
    connection: sa.Connection,
    job: str,
    kind: str,
    data: Mapping[str, Any],
    now: float,
    preview: bytes | None = None,
) -> None:
    """Write an event in the transaction of what it tells of: both happen or none."""
    text = json.dumps(dict(data), ensure_ascii=False, allow_nan=False)
    connection.execute(
        events.insert().values(job=job, kind=kind, created=now, data=text, preview=preview)
    )


def read_events(
    database: Database,
    after: int = 0,
    job: str | None = None,
    limit: int = MAX_READ,
    *,
    kind: str | None = None,
) -> list[JobEvent]:
    """Read what happened after an event.

    Args:
        job: Of this one alone; None reads of all.
        kind: Of this kind alone; None reads all kinds.
    """
    columns = [c for c in events.c if c.name != "preview"]
    seen = sa.select(*columns, events.c.preview.is_not(None).label("has_preview"))
    seen = seen.where(events.c.id > after).order_by(events.c.id).limit(limit)
    if job is not None:
        seen = seen.where(events.c.job == job)
    if kind is not None:
        seen = seen.where(events.c.kind == kind)
    with database.reading() as connection:
        rows = connection.execute(seen).all()
    return [
        JobEvent(r.id, r.job, r.kind, r.created, json.loads(r.data), bool(r.has_preview))
        for r in rows
    ]


def latest_event(database: Database) -> int:
    """The id of the last event; 0 if nothing ever happened."""
    with database.reading() as connection:
        return int(connection.scalar(sa.select(sa.func.max(events.c.id))) or 0)


def preview_of(database: Database, job: str, event: int) -> bytes:
    """The small picture of an event, WebP.

    Raises:
        NotFound: it has none.
    """
    wanted = sa.select(events.c.preview).where(events.c.id == event, events.c.job == job)
    with database.reading() as connection:
        preview = connection.scalar(wanted)
    if preview is None:
        raise NotFound(f"event {event} of job {job[:64]!r} has no preview")
    return bytes(preview)


def latest_preview(database: Database, job: str) -> bytes | None:
    """The last small picture of a job, WebP; None if there is none yet."""
    wanted = sa.select(events.c.preview)
    wanted = wanted.where(events.c.job == job, events.c.preview.is_not(None))
    with database.reading() as connection:
        preview = connection.scalar(wanted.order_by(events.c.id.desc()).limit(1))
    return None if preview is None else bytes(preview)


def thin_out(connection: sa.Connection, job: str, keep: int) -> None:
    """Drop every second step of a job when there are more than `keep`; the last one stays."""
    steps = sa.select(events.c.id).where(events.c.job == job, events.c.kind == "step")
    ids = list(connection.scalars(steps.order_by(events.c.id)))
    if len(ids) > keep:
        connection.execute(events.delete().where(events.c.id.in_(ids[-2::-2])))
