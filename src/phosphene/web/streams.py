"""Server-sent events: a stream of what happens to jobs, that can be taken up where it broke.

The id of an event is its id in the database, so a reader that comes back with `Last-Event-ID`
misses nothing and sees nothing twice. While nothing happens, a comment is sent now and then.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from anyio.to_thread import run_sync

from phosphene.studio.database import Database
from phosphene.studio.job import ENDED, State
from phosphene.studio.job_events import JobEvent, latest_event, read_events
from phosphene.studio.jobs import Jobs

LOOK_SECONDS = 0.2
COMMENT_SECONDS = 15.0


class Bell:
    """Knows the latest event's id; many streams ask, and the database is asked now and then."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._latest, self._looked = 0, -LOOK_SECONDS
        self._lock = asyncio.Lock()

    async def latest(self) -> int:
        """The id, at most `LOOK_SECONDS` old."""
        async with self._lock:
            now = time.monotonic()
            if now - self._looked >= LOOK_SECONDS:
                self._latest = await run_sync(latest_event, self.database)
                self._looked = time.monotonic()
            return self._latest


def data_of(event: JobEvent) -> dict[str, object]:
    """An event as its readers see it."""
    data = {"id": event.id, "job": event.job, "created": event.created, **event.data}
    if event.has_preview:
        data["preview"] = f"/api/jobs/{event.job}/previews/{event.id}"
    return data


def written(event: JobEvent) -> str:
    """An event in the stream's format; JSON has no line breaks of its own."""
    text = json.dumps(data_of(event), ensure_ascii=False)
    return f"id: {event.id}\nevent: {event.kind}\ndata: {text}\n\n"


async def stream(
    bell: Bell, after: int, job: str | None, is_closing: Callable[[], bool]
) -> AsyncIterator[str]:
    """Events after one, as they happen; a job's stream ends with the job.

    Args:
        job: None streams those of all jobs, without an end.
    """
    spoke, rung = time.monotonic(), -1
    yield "retry: 1000\n\n"
    while not is_closing():
        latest = await bell.latest()
        if latest != rung:
            events = await run_sync(read_events, bell.database, after, job)
            for event in events:
                yield written(event)
                if job is not None and _ends(event):
                    return
            if events:
                after, spoke = events[-1].id, time.monotonic()
                continue  # there may be more
            if job is not None and await run_sync(_has_ended, bell.database, job):
                return
            rung = latest
        if time.monotonic() - spoke >= COMMENT_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_SECONDS)


def _has_ended(database: Database, job: str) -> bool:
    """Whether there is nothing more to come; the reader has seen the end before."""
    return Jobs(database).get(job).state in ENDED


def _ends(event: JobEvent) -> bool:
    return event.kind == "state" and State(event.data["state"]) in ENDED
