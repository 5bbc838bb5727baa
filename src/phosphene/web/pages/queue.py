"""The queue: what is painted now, what comes next and in which order, what has ended."""

from collections.abc import Callable
from functools import partial

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.job import ENDED, Job, State
from phosphene.studio.recipe import Walk
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page
from phosphene.web.pages.pieces import Image, empty, icon_button, named, told_errors
from phosphene.web.pages.walked import route_of
from phosphene.web.pages.watch import spoken

PATH = "/queue"
LOOK_SECONDS = 1.0
NUM_ENDED = 20
# where a job is watched
PAGES = {
    "imagine": "/imagine",
    "breed": "/breed",
    "sheet": "/sheets",
    "walk": "/wander",
    "train": "/train",
}
MARKS = {State.DONE: "check_circle", State.FAILED: "error", State.CANCELLED: "cancel"}


class Board:
    """The three lists, drawn anew when something has changed."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.seen: object = None
        self.place = ui.element("div").classes("board")
        ui.timer(LOOK_SECONDS, self.look)

    async def look(self) -> None:
        """Read the queue, and show it if it has changed."""
        now, waiting, ended, pictures = await run_sync(self._read)
        if (state := (now, waiting, ended, pictures)) == self.seen:
            return
        self.seen = state
        self.place.clear()
        with self.place:
            if not (now or waiting or ended):
                empty("inbox", "Nothing to do", "What is asked for waits here for its turn.")
            self._list("Now", now, self._active)
            self._list("Next", waiting, partial(self._waiting, [job.id for job in waiting]))
            self._list("Ended", ended, lambda job: self._ended(job, pictures.get(job.id, {})))

    def _read(self) -> tuple[list[Job], list[Job], list[Job], dict[str, dict[int, str]]]:
        jobs = self.house.studio.jobs
        ended = jobs.listed(ENDED, NUM_ENDED)
        pictures = self.house.studio.gallery.made_by_each([job.id for job in ended])
        return jobs.listed((State.RUNNING, State.PAUSED), 50), jobs.waiting(), ended, pictures

    def _list(self, title: str, jobs: list[Job], draw: Callable[[Job], None]) -> None:
        if not jobs:
            return
        with named(ui.element("section"), title):
            ui.label(title).classes("subtitle").props("role=heading aria-level=2")
            with ui.element("ul").classes("jobs panel"):
                for job in jobs:
                    with ui.element("li").classes("job"):
                        draw(job)

    def _active(self, job: Job) -> None:
        is_paused = job.state is State.PAUSED
        said = "paused" if is_paused else f"step {job.step} of {job.total or '…'}"
        if job.wish is not None:
            said = "stopping"
        with ui.element("div").classes("what"):
            _title(job)
            ui.label(said).classes("quiet")
            bar = ui.linear_progress(job.progress, show_value=False, size="4px")
            named(bar.props("rounded"), "Progress")
        if is_paused:
            icon_button("play_arrow", "Resume", partial(self._do, "resume", job.id))
        elif job.wish is None:
            icon_button("pause", "Pause", partial(self._do, "pause", job.id))
        if job.wish is not State.CANCELLED:
            icon_button("close", "Cancel", partial(self._do, "cancel", job.id))

    def _waiting(self, order: list[str], job: Job) -> None:
        at = order.index(job.id)
        with ui.element("div").classes("what"):
            _title(job)
            important = f", priority {job.priority}" if job.priority else ""
            ui.label(f"{job.kind}, {at + 1} of {len(order)}{important}").classes("quiet")
        if at > 0:
            icon_button("vertical_align_top", "To the top", partial(self._move, job.id, order[0]))
            icon_button("arrow_upward", "Up", partial(self._move, job.id, order[at - 1]))
        if at + 1 < len(order):
            icon_button("arrow_downward", "Down", partial(self._move, order[at + 1], job.id))
        icon_button("pause", "Pause", partial(self._do, "pause", job.id))
        icon_button("close", "Cancel", partial(self._do, "cancel", job.id))

    def _ended(self, job: Job, pictures: dict[int, str]) -> None:
        ui.icon(MARKS[job.state]).classes(f"mark-{job.state}").props("aria-hidden=true")
        with ui.element("div").classes("what"):
            _title(job)
            took = ""
            if job.started is not None and job.ended is not None:
                took = f" in {spoken(job.ended - job.started)}"
            why = f": {job.error}" if job.error else ""
            ui.label(f"{job.state}{took}{why}").classes("quiet")
        for number in sorted(pictures)[:4]:
            with ui.link(target=f"/gallery?picture={pictures[number]}").classes("thumb small"):
                Image(f"/api/gallery/{pictures[number]}/thumbnail", "Picture")

    async def _do(self, what: str, job: str) -> None:
        with told_errors():
            await run_sync(getattr(self.house.studio.jobs, what), job)
        await self.look()

    async def _move(self, job: str, before: str) -> None:
        with told_errors():
            await run_sync(self.house.studio.jobs.move, job, before)
        await self.look()


@page(PATH)
async def queue_page(request: Request) -> None:
    """Show the queue."""
    with frame(request, PATH):
        ui.label("Queue").classes("title").props("role=heading aria-level=1")
        await Board(house_of(request)).look()


def _title(job: Job) -> None:
    try:
        recipe = job.parsed()
        text, is_there = str(getattr(recipe, "title", "") or job.kind), job.kind in PAGES
    except PhospheneError:
        text, is_there = job.kind, False
    else:  # the map shows its own walks alone
        is_there &= not isinstance(recipe, Walk) or route_of(recipe) is not None
    if is_there:
        ui.link(text[:200], f"{PAGES[job.kind]}?job={job.id}").classes("job-title")
    else:
        ui.label(text[:200]).classes("job-title")
