"""What happens to jobs, as it happens, for many who watch at once; and server-sent events of it.

One reader asks the database for all of them: with a question for each watcher and each event, two
hundred watchers of one job kept the server busy with nothing else. The id of an event is its id in
the database, so a reader that comes back with `Last-Event-ID` misses nothing and sees nothing
twice. While nothing happens, a comment is sent now and then.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from anyio.to_thread import run_sync

from phosphene.core.errors import PhospheneError
from phosphene.studio.database import Database
from phosphene.studio.job import ENDED, State
from phosphene.studio.job_events import MAX_READ, JobEvent, latest_event, read_events
from phosphene.studio.jobs import Jobs

LOOK_SECONDS = 0.2
BEAT_SECONDS = 1.0  # between two looks of a watcher at what is no event: who has gone, the time
COMMENT_SECONDS = 15.0
MAX_TEXTS = 512  # messages that are kept ready
MAX_BEHIND = 1000  # events that are kept for a watcher that is slow; it then reads them again


class Watcher:
    """Somebody who watches one job, or all of them.

    Args:
        job: None watches all.
    """

    def __init__(self, job: str | None) -> None:
        self.job = job
        self.news: deque[JobEvent] = deque()
        self.is_behind = False
        self.woken = asyncio.Event()

    def tell(self, event: JobEvent) -> None:
        """Take note of an event."""
        if len(self.news) >= MAX_BEHIND:
            self.news.clear()
            self.is_behind = True
        if not self.is_behind:
            self.news.append(event)
        self.woken.set()


class Herald:
    """Reads what is new once, and tells it to everybody who watches."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._latest: int | None = None
        self._texts: dict[int, str] = {}

    async def enter(self, watcher: Watcher) -> None:
        """Begin to watch; what happens after this is told."""
        self._watchers.add(watcher)
        if self._reading is None:
            self._begun = asyncio.Event()
            self._reading = asyncio.get_running_loop().create_task(self._read())
        await self._begun.wait()

    def leave(self, watcher: Watcher) -> None:
        """Stop watching."""
        self._watchers.discard(watcher)

    def text(self, event: JobEvent) -> str:
        """An event as a message, which many are sent: it is written once."""
        if (text := self._texts.get(event.id)) is None:
            text = self._texts[event.id] = message(event.kind, data_of(event), event.id)
            while len(self._texts) > MAX_TEXTS:
                del self._texts[next(iter(self._texts))]
        return text

    async def _read(self) -> None:
        """Read while somebody watches."""
        try:
            while self._watchers:
                # whatever is wrong with the database now may be right in a moment
                with suppress(PhospheneError):
                    await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._reading, self._latest = None, None

    async def _look(self) -> None:
        if self._latest is None:
            self._latest = await run_sync(latest_event, self.database)
            self._begun.set()
        events = await run_sync(read_events, self.database, self._latest)
        for event in events:
            self._latest = event.id
            for watcher in self._watchers:
                if watcher.job in (None, event.job):
                    watcher.tell(event)


async def batches(
    herald: Herald, after: int, job: str | None, is_closing: Callable[[], bool]
) -> AsyncIterator[list[JobEvent]]:
    """Events after one, as they happen, those of one moment together; a job's end with the job.

    Args:
        job: None follows all jobs, without an end.
    Yields:
        An empty list at least every `BEAT_SECONDS` while nothing happens, so that who follows can
        look at other things.
    """
    watcher = Watcher(job)
    try:
        await herald.enter(watcher)
        watcher.is_behind = True  # what came before is in the database
        while not is_closing():
            if watcher.is_behind:
                watcher.is_behind = False
                watcher.news.clear()
                # asked before reading: what ended in between has its last event still to come
                over = job is not None and await run_sync(_has_ended, herald.database, job)
                before = after
                while events := await run_sync(read_events, herald.database, after, job):
                    after = events[-1].id
                    yield events
                    if job is not None and _ends(events[-1]):
                        return
                    if len(events) < MAX_READ:
                        break
                if over and after == before:
                    return  # the reader has seen the end before
            news = [event for event in watcher.news if event.id > after]
            watcher.news.clear()
            if news and not watcher.is_behind:
                after = news[-1].id
                yield news
                if job is not None and _ends(news[-1]):
                    return
            if watcher.news or watcher.is_behind:
                continue
            watcher.woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(watcher.woken.wait(), BEAT_SECONDS)
            if not watcher.news and not watcher.is_behind:
                yield []
    finally:
        herald.leave(watcher)


async def follow(
    herald: Herald, after: int, job: str | None, is_closing: Callable[[], bool]
) -> AsyncIterator[JobEvent | None]:
    """The same, one by one; None while nothing happens."""
    async for events in batches(herald, after, job, is_closing):
        for event in events:
            yield event
        if not events:
            yield None


def data_of(event: JobEvent) -> dict[str, object]:
    """An event as its readers see it."""
    data = {"id": event.id, "job": event.job, "created": event.created, **event.data}
    if event.has_preview:
        data["preview"] = f"/api/jobs/{event.job}/previews/{event.id}"
    return data


def message(kind: str, data: object, number: int | None = None) -> str:
    """A message in the stream's format; JSON has no line breaks of its own."""
    place = "" if number is None else f"id: {number}\n"
    return f"{place}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def stream(
    herald: Herald, after: int, job: str | None, is_closing: Callable[[], bool]
) -> AsyncIterator[str]:
    """The same, as text that browsers understand."""
    spoke = time.monotonic()
    yield "retry: 1000\n\n"
    async for events in batches(herald, after, job, is_closing):
        if events:
            spoke = time.monotonic()
            yield "".join(map(herald.text, events))
        elif time.monotonic() - spoke >= COMMENT_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"


def _has_ended(database: Database, job: str) -> bool:
    return Jobs(database).get(job).state in ENDED


def _ends(event: JobEvent) -> bool:
    return event.kind == "state" and State(event.data["state"]) in ENDED
