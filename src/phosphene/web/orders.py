"""Waiting for a job whose pictures are the answer to a request."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress

from anyio.to_thread import run_sync
from fastapi import Request

from phosphene.core import errors
from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.job import ENDED, Job, State
from phosphene.studio.job_events import JobEvent
from phosphene.web.failures import Refused, snake
from phosphene.web.house import House
from phosphene.web.streams import follow

AGAIN_SECONDS = 5.0


async def watched(
    request: Request, here: House, job: str, *, cancels: bool
) -> AsyncIterator[JobEvent]:
    """What happens to a job, until it has ended.

    Args:
        cancels: Whether nobody but this request wants the pictures: when who asked is gone, or has
            waited for too long, the job is cancelled.
    Raises:
        Refused: it was not done in time, or the server is about to stop.
    """
    until, over = time.monotonic() + here.settings.patience, False
    try:
        async for event in follow(request.app.state.herald, 0, job, here.is_closing):
            if event is not None:
                over = event.kind == "state" and State(event.data["state"]) in ENDED
                yield event
                continue
            if time.monotonic() > until:
                raise Refused(
                    503,
                    "still_painting",
                    f"job {job} is not done yet; GET /api/jobs/{job} says how far it is",
                    retry_after=AGAIN_SECONDS,
                )
            if await request.is_disconnected():
                return
        if here.is_closing() and not over:
            raise Refused(503, "closing", "the server is about to stop", retry_after=AGAIN_SECONDS)
        over = True
    finally:
        if cancels and not over and not here.is_closing():
            give_up(here, job)


async def painted(request: Request, here: House, job: str, *, cancels: bool) -> list[str]:
    """Wait for a job, and return the ids of its pictures in order; see `watched`.

    Raises:
        Refused: it failed, was cancelled, or is not done in time.
    """
    async for _ in watched(request, here, job, cancels=cancels):
        pass
    found = await run_sync(here.studio.jobs.get, job)
    if found.state is not State.DONE:
        raise failure_of(found)
    return await run_sync(pictures_of, here, job)


def pictures_of(here: House, job: str) -> list[str]:
    """The pictures that a job has made, in order."""
    made = here.studio.gallery.made_by(job)
    return [made[number] for number in sorted(made)]


def failure_of(job: Job) -> Refused:
    """Why there is no picture."""
    if job.state is State.CANCELLED:
        return Refused(409, "cancelled", f"job {job.id} was cancelled")
    if job.state is not State.FAILED:
        return Refused(
            503, "still_painting", f"job {job.id} is {job.state}", retry_after=AGAIN_SECONDS
        )
    name = job.error_type or "Error"
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, RecipeError):
        return Refused(400, snake(name), job.error or "the recipe cannot be carried out")
    return Refused(500, "job_failed", f"job {job.id} failed: {job.error}")


def give_up(here: House, job: str) -> None:
    """Cancel a job that nobody wants any more, if it has not ended."""
    with suppress(PhospheneError):
        here.studio.jobs.cancel(job)
