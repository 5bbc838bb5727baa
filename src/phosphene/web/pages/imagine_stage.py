"""The stage of Imagine: one job's picture as it comes to be, and what can be done with it after."""

from collections.abc import Callable

from anyio.to_thread import run_sync
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.job import Job, State
from phosphene.studio.moments import keep_moment
from phosphene.studio.recipe import Recipe
from phosphene.web.house import House
from phosphene.web.pages.copies import file_for
from phosphene.web.pages.pieces import (
    Image,
    copy_menu,
    empty,
    icon_button,
    named,
    sentence,
    tell,
    told_errors,
)
from phosphene.web.pages.watch import Moment, Watch, told

LOOK_SECONDS = 0.4
ALIVE = (State.QUEUED, State.RUNNING, State.PAUSED)


class Stage:
    """Shows one job at a time.

    Args:
        fork: Told the id of a picture that something else shall start from, and its job.
    """

    def __init__(self, house: House, fork: Callable[[str, Job], None]) -> None:
        self.house, self.fork = house, fork
        self.watch: Watch | None = None
        self._at = -1  # the moment that is shown; -1 follows the newest
        self._filling = self._settled = False
        self._draw()
        ui.timer(LOOK_SECONDS, self.look)

    async def show(self, job: str) -> None:
        """Follow a job from its beginning."""
        self.watch, self._at = Watch(self.house.studio, job), -1
        self._settled = False
        await self.look()

    async def look(self) -> None:
        """Read what is new of the job, and show it."""
        watch = self.watch
        if watch is None or self._settled:
            return
        try:
            is_new = await run_sync(watch.look)
        except PhospheneError as error:  # it was asked for by an address
            self.watch = None
            tell(sentence(error), is_bad=True)
            self._show_nothing()
            return
        if watch is self.watch:
            self._settled = watch.has_ended
            if is_new:
                self._show()

    @property
    def moment(self) -> Moment | None:
        """What is shown."""
        moments = self.watch.moments if self.watch else []
        return moments[self._at] if moments and -1 <= self._at < len(moments) else None

    def _draw(self) -> None:
        with ui.element("section").classes("stage") as stage:
            named(stage, "Picture")
            with ui.element("div").classes("canvas"):
                self.image = Image()
                self.blank = ui.element("div").classes("blank")
                with self.blank:
                    empty(
                        "auto_awesome",
                        "Nothing painted yet",
                        "Say what you would like to see. The picture grows here, step by step.",
                    )
                self.wait = ui.element("div").classes("wait").props("aria-hidden=true")
            with ui.element("div").classes("status") as self.status:
                self.line = ui.label().classes("line").props("role=status")
                self.numbers = ui.label().classes("quiet")
                self.stop = ui.button("Cancel", color=None, on_click=self._cancel).props(
                    "flat dense no-caps"
                )
                self.pause = ui.button("Pause", color=None, on_click=self._pause).props(
                    "flat dense no-caps"
                )
            self.bar = ui.linear_progress(0, show_value=False, size="6px").props("rounded")
            named(self.bar, "Progress")
            self.note = ui.label().classes("quiet note")
            self._draw_after()
        self._show_nothing()

    def _draw_after(self) -> None:
        with ui.element("div").classes("scrub") as self.scrub:
            self.where = ui.label().classes("quiet")
            self.slider = ui.slider(min=0, max=1, value=1, on_change=self._slide).props("snap")
            named(self.slider, "Moments of the picture")
        self.results = ui.element("div").classes("results")
        with ui.element("div").classes("acts") as self.acts:
            self.forking = ui.button(
                "Fork from here", icon="call_split", color=None, on_click=self._fork
            )
            self.forking.props("outline no-caps")
            self.star = icon_button("star_border", "Favourite", self._star)
            self.save = icon_button("download", "Download", self._download)
            self.show_all = ui.link("Open in gallery", "/gallery").classes("button-link")
            self.copies = copy_menu(self._recipe)

    def _show_nothing(self) -> None:
        self.image.show("")
        self.blank.set_visibility(True)
        for part in (self.status, self.bar, self.note, self.scrub, self.results, self.acts):
            part.set_visibility(False)
        self.wait.set_visibility(False)

    def _show(self) -> None:
        watch = self.watch
        assert watch is not None
        assert watch.job is not None
        job = watch.job
        is_alive = job.state in ALIVE
        self.status.set_visibility(True)
        self.line.text = told(watch)
        self.line.classes(remove="bad good")
        if job.state is State.FAILED:
            self.line.classes("bad")
        loss = watch.scalars.get("loss")
        self.numbers.text = f"loss {loss:.3f}" if loss is not None and is_alive else ""
        self.bar.set_visibility(is_alive)
        self.bar.value = job.progress
        self.stop.set_visibility(is_alive and job.wish is not State.CANCELLED)
        self.pause.set_visibility(is_alive and job.wish is None)
        self.pause.text = "Resume" if job.state is State.PAUSED else "Pause"
        self.note.text = watch.notes[-1] if watch.notes else ""
        self.note.set_visibility(bool(watch.notes))
        self._show_moments(watch, is_alive)

    def _show_moments(self, watch: Watch, is_alive: bool) -> None:
        count = len(watch.moments)
        self.scrub.set_visibility(count > 1)
        follows = self._at == -1
        self._filling = True
        self.slider.props["max"] = max(1, count - 1)
        if follows:
            self.slider.value = max(0, count - 1)
        self._filling = False
        self.wait.set_visibility(is_alive and count == 0)
        self.blank.set_visibility(not is_alive and count == 0)
        self.acts.set_visibility(count > 0)
        self._show_results(watch)
        self._show_moment()

    def _show_moment(self) -> None:
        watch, moment = self.watch, self.moment
        if watch is None or moment is None:
            self.image.show("")
            return
        prompt = self._title()
        if moment.picture:
            self.image.show(moment.address(watch.id), f"{prompt}, finished")
            self.where.text = "Finished"
            self.show_all.props["href"] = f"/gallery?picture={moment.picture}"
        else:
            self.image.show(moment.address(watch.id), f"{prompt}, step {moment.step}")
            self.where.text = f"Step {moment.step}"
        is_picture = bool(moment.picture)
        for part in (self.star, self.save, self.show_all):
            part.set_visibility(is_picture)
        if is_picture:
            is_starred = self.house.studio.gallery.get(moment.picture).favourite
            self.star.icon = "star" if is_starred else "star_border"
            self.star.props["aria-pressed"] = str(is_starred).lower()

    def _show_results(self, watch: Watch) -> None:
        self.results.set_visibility(len(watch.pictures) > 1)
        shown = len(self.results.default_slot.children)
        with self.results:
            for number, picture in enumerate(watch.pictures[shown:], start=shown + 1):
                button = ui.element("button").classes("thumb").props("type=button")
                named(button, f"Picture {number}")
                button.on("click", lambda _, p=picture: self._jump(p), args=[])
                with button:
                    Image(f"/api/gallery/{picture}/thumbnail")

    def _title(self) -> str:
        recipe = self._recipe()
        return str(getattr(recipe, "title", ""))[:200]

    def _recipe(self) -> Recipe:
        assert self.watch is not None
        assert self.watch.job is not None
        return self.watch.job.parsed()

    def _slide(self) -> None:
        if self._filling or self.watch is None:
            return
        at = int(self.slider.value)
        self._at = -1 if at >= len(self.watch.moments) - 1 else at
        self._show_moment()

    def _jump(self, picture: str) -> None:
        assert self.watch is not None
        for index, moment in enumerate(self.watch.moments):
            if moment.picture == picture:
                self._at = index
                self._filling, self.slider.value = True, index
                self._filling = False
                self._show_moment()

    async def _fork(self) -> None:
        watch, moment = self.watch, self.moment
        if watch is None or watch.job is None or moment is None:
            return
        with told_errors():
            picture = moment.picture
            if not picture:
                kept = await run_sync(keep_moment, self.house.studio, watch.id, moment.event)
                picture = kept.id
            self.fork(picture, watch.job)

    def _star(self) -> None:
        moment = self.moment
        if moment is None or not moment.picture:
            return
        with told_errors():
            gallery = self.house.studio.gallery
            gallery.star(moment.picture, not gallery.get(moment.picture).favourite)
            self._show_moment()

    def _download(self) -> None:
        moment = self.moment
        if moment is not None and moment.picture:
            address = f"/api/gallery/{moment.picture}/image"
            ui.download.from_url(address, file_for(moment.picture))

    async def _cancel(self) -> None:
        if self.watch is not None:
            with told_errors():
                self.house.studio.jobs.cancel(self.watch.id)
                await self.look()

    async def _pause(self) -> None:
        watch = self.watch
        if watch is None or watch.job is None:
            return
        jobs = self.house.studio.jobs
        with told_errors():
            if watch.job.state is State.PAUSED:
                jobs.resume(watch.id)
            else:
                jobs.pause(watch.id)
            await self.look()
