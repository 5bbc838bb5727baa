"""Following one job for a page: what it is, how far, and every moment that can be looked at."""

from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from phosphene.studio.job import ENDED, Job, State
from phosphene.studio.job_events import MAX_READ, JobEvent, read_events
from phosphene.studio.studio import Studio


class Moment(NamedTuple):
    """A look at a job's picture while it was being made, or at a finished one.

    Args:
        event: Whose preview it is; 0 for a finished picture.
        picture: Id in the gallery of a finished one; empty else.
    """

    step: int
    event: int = 0
    picture: str = ""

    def address(self, job: str) -> str:
        """Where the picture is."""
        if self.picture:
            return f"/api/gallery/{self.picture}/image"
        return f"/api/jobs/{job}/previews/{self.event}"


@dataclass
class Watch:
    """What is known of a job so far; `look` reads on. Threads may look at once: a page's clock and
    its buttons do.
    """

    studio: Studio
    id: str
    job: Job | None = None
    ahead: int = 0
    moments: list[Moment] = field(default_factory=list)
    scalars: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    _after: int = 0
    _looking: Lock = field(default_factory=Lock, repr=False, compare=False)

    def look(self) -> bool:
        """Read what is new; whether anything was.

        Raises:
            NotFound: no such job.
        """
        with self._looking:
            return self._look()

    def _look(self) -> bool:
        job, ahead = self.studio.jobs.get(self.id), 0  # first: what happens next is read next time
        if job.state is State.QUEUED:
            waiting = [job.id for job in self.studio.jobs.waiting()]
            ahead = waiting.index(self.id) if self.id in waiting else 0
        is_new = job != self.job or ahead != self.ahead
        while events := read_events(self.studio.database, self._after, self.id):
            is_new = True
            for event in events:
                self._take(event)
            self._after = events[-1].id
            if len(events) < MAX_READ:
                break
        self.job, self.ahead = job, ahead  # last: who sees it done sees its pictures, too
        return is_new

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.job is not None and self.job.state in ENDED

    @property
    def seconds(self) -> float | None:
        """How long it ran; None if it never did, or runs."""
        if self.job is None or self.job.started is None or self.job.ended is None:
            return None
        return self.job.ended - self.job.started

    def _take(self, event: JobEvent) -> None:
        match event.kind:
            case "step":
                self.scalars = event.data.get("scalars", {})
                if event.has_preview:
                    self.moments.append(Moment(int(event.data["step"]), event.id))
            case "picture":
                picture = str(event.data["artifact"])
                self.pictures.append(picture)
                step = self.moments[-1].step + 1 if self.moments else 1
                self.moments.append(Moment(step, picture=picture))
            case "note":
                self.notes += [str(line) for line in event.data["lines"]]


def told(watch: Watch, doing: str = "Painting") -> str:
    """The state of a job as a line for people.

    Args:
        doing: What it does while it runs.
    """
    job = watch.job
    if job is None:
        return ""
    if job.wish is not None:
        return "Stopping" if job.wish is State.CANCELLED else "Pausing"
    if job.state is State.QUEUED and watch.ahead:
        return f"Waiting, {watch.ahead} before it"
    if job.state is State.RUNNING and job.total:
        return f"{doing}, step {job.step} of {job.total}"
    took = f" in {spoken(watch.seconds)}" if watch.seconds is not None else ""
    return {
        State.QUEUED: "Next in the queue",
        State.RUNNING: "Getting ready",
        State.PAUSED: "Paused",
        State.DONE: f"Done{took}",
        State.CANCELLED: "Cancelled",
        State.FAILED: f"Failed: {job.error or job.error_type or 'nobody knows why'}",
    }[job.state]


def spoken(seconds: float) -> str:
    """A length of time in words, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
