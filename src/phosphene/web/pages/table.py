"""The stage of Sheets: the table while its pictures come to be, and the sheet when it is done."""

from anyio.to_thread import run_sync
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.job import State
from phosphene.studio.recipe import Recipe, Sheet
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
from phosphene.web.pages.watch import Watch, told

LOOK_SECONDS = 0.5
ALIVE = (State.QUEUED, State.RUNNING, State.PAUSED)


class Table:
    """Shows one job at a time."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.watch: Watch | None = None
        self._settled = False
        self._cells: list[Image] = []
        with ui.element("section").classes("stage").props('aria-label="Sheet"'):
            with ui.element("div").classes("status") as self.status:
                self.line = ui.label().classes("line").props("role=status")
                ui.element("span").classes("quiet")
                self.stop = ui.button("Cancel", color=None, on_click=self._cancel)
                self.stop.props("flat dense no-caps")
            self.bar = ui.linear_progress(0, show_value=False, size="6px").props("rounded")
            named(self.bar, "Progress")
            self.place = ui.element("div").classes("table-box panel")
            with self.place:
                empty("grid_on", "No sheet yet", "Each picture gets a value of both fields.")
            with ui.element("div").classes("acts") as self.acts:
                self.star = icon_button("star_border", "Favourite", self._star)
                icon_button("download", "Download", self._download)
                self.more = ui.link("Open in gallery", "/gallery").classes("button-link")
                copy_menu(self._recipe)
        for part in (self.status, self.bar, self.acts):
            part.set_visibility(False)
        ui.timer(LOOK_SECONDS, self.look)

    async def show(self, job: str) -> None:
        """Follow a job from its beginning."""
        self.watch, self._settled = Watch(self.house.studio, job), False
        self._cells = []
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
            return
        if watch is self.watch:
            self._settled = watch.has_ended
            if is_new:
                self._show(watch)

    def _show(self, watch: Watch) -> None:
        job, recipe = watch.job, self._recipe()
        assert job is not None
        is_alive = job.state in ALIVE
        self.status.set_visibility(True)
        self.line.text = told(watch)
        self.line.classes(add="bad" if job.state is State.FAILED else "", remove="bad")
        self.stop.set_visibility(is_alive and job.wish is not State.CANCELLED)
        self.bar.set_visibility(is_alive)
        self.bar.value = job.progress
        self.acts.set_visibility(bool(watch.pictures))
        if watch.pictures:
            self._finished(watch.pictures[0], recipe)
        elif isinstance(recipe, Sheet):
            self._growing(watch, recipe, job.total)

    def _growing(self, watch: Watch, recipe: Sheet, total: int) -> None:
        """Put the latest preview of each picture into its place."""
        if not self._cells:
            self._draw(recipe)
        for moment in watch.moments:
            cell = cell_at(moment.step, total, len(self._cells))
            self._cells[cell].show(moment.address(watch.id))

    def _draw(self, recipe: Sheet) -> None:
        across, *down = recipe.vary
        self.place.clear()
        with self.place, ui.element("table").classes("grid-table"):
            with ui.element("tr"):
                ui.element("td")
                for value in across.values:
                    with ui.element("th").props("scope=col"):
                        ui.label(value[:60])
            for value in down[0].values if down else ("",):
                with ui.element("tr"):
                    with ui.element("th").props("scope=row"):
                        ui.label(value[:60])
                    for column in across.values:
                        with ui.element("td").classes("cell"):
                            self._cells.append(Image("", f"{column[:60]} {value[:60]}".strip()))

    def _finished(self, picture: str, recipe: Recipe) -> None:
        self.place.clear()
        with self.place:
            said = str(getattr(recipe, "title", "sheet"))[:200]
            Image(f"/api/gallery/{picture}/image", said).classes("whole")
        self.more.props["href"] = f"/gallery?picture={picture}"
        is_starred = self.house.studio.gallery.get(picture).favourite
        self.star.icon = "star" if is_starred else "star_border"
        self.star.props["aria-pressed"] = str(is_starred).lower()

    def _recipe(self) -> Recipe:
        assert self.watch is not None
        assert self.watch.job is not None
        return self.watch.job.parsed()

    def _star(self) -> None:
        if self.watch is not None and self.watch.pictures:
            with told_errors():
                gallery, picture = self.house.studio.gallery, self.watch.pictures[0]
                gallery.star(picture, not gallery.get(picture).favourite)
                self._show(self.watch)

    def _download(self) -> None:
        if self.watch is not None and self.watch.pictures:
            picture = self.watch.pictures[0]
            ui.download.from_url(f"/api/gallery/{picture}/image", file_for(picture))

    async def _cancel(self) -> None:
        if self.watch is not None:
            with told_errors():
                self.house.studio.jobs.cancel(self.watch.id)
                await self.look()


def cell_at(step: int, total: int, num_cells: int) -> int:
    """Which picture a step of a sheet is of.

    Args:
        step: From 1.
        total: Steps of all pictures, and the one that lays them out.
    """
    return min(num_cells - 1, (step - 1) * num_cells // max(1, total - 1))
