"""Imagine: words go in, and the picture can be watched as it grows."""

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.gallery import Search
from phosphene.studio.job import Job, State
from phosphene.studio.recipe import Imagine
from phosphene.web.admission import admit_recipe
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.imagine_form import Form
from phosphene.web.pages.imagine_stage import Stage
from phosphene.web.pages.pieces import Image, copy_menu, sentence, tell, told_errors
from phosphene.web.pages.shelf import painters
from phosphene.web.pages.watch import spoken
from phosphene.web.pages.wish import Wish, wish_from, wish_of

PATH = "/imagine"
FORECAST_SECONDS = 1.0
NUM_RECENT = 12
UNDER_WAY = (State.RUNNING, State.QUEUED, State.PAUSED)


class Desk:
    """Form and stage of one visit."""

    def __init__(self, house: House, wish: Wish) -> None:
        self.house, self.wish = house, wish
        self._guessed: object = None
        self._used: float | None = wish.seed if not wish.is_locked else None
        with ui.element("div").classes("desk"):
            with ui.element("section").classes("form panel").props('aria-label="What to paint"'):
                self.form = Form(wish, painters(house.settings.home), self.submit)
                with self.form.button.parent_slot.parent:  # type: ignore[union-attr]
                    copy_menu(self.recipe)
            self.stage = Stage(house, self.fork)
        ui.timer(FORECAST_SECONDS, self.guess)

    def recipe(self) -> Imagine:
        """What is filled in, if the studio may carry it out.

        Raises:
            RecipeError: it may not.
        """
        recipe = self.wish.recipe()
        admit_recipe(recipe, self.house.cards())
        return recipe

    async def submit(self) -> None:
        """Put the wish into the queue, and follow it."""
        with told_errors(self.form.error):
            if not self.wish.is_locked and self.wish.seed == self._used:
                self.wish.seed = None  # one that was typed or diced is for one picture
            recipe = self.recipe().with_seed()
            job = await run_sync(self.house.submit, visitor_of(), recipe)
            self.wish.seed = self._used = recipe.seed
            self.form.refresh()
            ui.navigate.history.replace(f"{PATH}?job={job.id}")
            await self.stage.show(job.id)

    def fork(self, picture: str, job: Job) -> None:
        """Fill the form with a job's recipe, to paint on one of its pictures."""
        recipe = job.parsed()
        if isinstance(recipe, Imagine):
            wish = wish_of(recipe.model_copy(update={"count": 1}))
            wish.is_locked, wish.rest = False, {**wish.rest}
            wish.rest.pop("start", None)
            self.form.take(wish)
        self.form.start_from(picture)
        tell("Change the words or the seed, then paint on it")

    async def guess(self) -> None:
        """Say how long it would take, when the wish has changed."""
        key = repr(vars(self.wish))
        if key == self._guessed:
            return
        self._guessed = key
        try:
            recipe = self.wish.recipe()
        except RecipeError:
            self.form.forecast.text = ""
            return
        found = await run_sync(self.house.forecast, recipe)
        self.form.forecast.text = f"about {spoken(found.seconds)}" if found else ""


@ui.page("/")
def start() -> RedirectResponse:
    """The studio begins with a picture."""
    return RedirectResponse(PATH)


@page(PATH)
async def imagine_page(request: Request, job: str = "") -> None:
    """Show the page: of a job, of a recipe in the address, or empty."""
    house = house_of(request)
    complaint, wish = "", Wish()
    try:
        followed = await run_sync(_followed, house, job) if job else None
        if followed is not None and isinstance(recipe := followed.parsed(), Imagine):
            wish = wish_of(recipe)
            wish.is_locked = False
        elif not job:
            wish = wish_from(dict(request.query_params))
    except PhospheneError as error:
        complaint, followed = sentence(error), None
    under_way = await run_sync(_under_way, house, job)
    with frame(request, PATH):
        ui.label("Imagine").classes("title").props("role=heading aria-level=1")
        for other in under_way:
            with ui.link(target=f"{PATH}?job={other.id}").classes("banner"):
                ui.icon("hourglass_top").props("aria-hidden=true")
                ui.label(f"{other.state}: {_title(other)}")
        desk = Desk(house, wish)
        desk.form.error.text = complaint
        if followed is not None:
            await desk.stage.show(job)
        _recent(house)


def _recent(house: House) -> None:
    found = house.studio.gallery.search(Search(), NUM_RECENT).entries
    if not found:
        return
    with ui.element("section").classes("recent").props('aria-label="Recent pictures"'):
        ui.label("Recent").classes("subtitle").props("role=heading aria-level=2")
        with ui.element("div").classes("strip"):
            for entry in found:
                with ui.link(target=f"/gallery?picture={entry.id}").classes("thumb"):
                    Image(f"/api/gallery/{entry.id}/thumbnail", entry.title or entry.kind)


def _followed(house: House, job: str) -> Job:
    return house.studio.jobs.get(job)


def _under_way(house: House, shown: str) -> list[Job]:
    """Jobs of Imagine that are not done, but for the one that is shown."""
    jobs = house.studio.jobs.listed(UNDER_WAY, 20)
    return [job for job in jobs if job.kind == "imagine" and job.id != shown][:3]


def _title(job: Job) -> str:
    try:
        return str(getattr(job.parsed(), "title", job.kind))[:80]
    except PhospheneError:
        return job.kind
