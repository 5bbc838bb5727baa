"""Breed: dreams of a generator become parents, and stars teach what to propose."""

from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.importing import keep_painted
from phosphene.studio.job import State
from phosphene.studio.recipe import Breed
from phosphene.studio.recipes.fields import drawn_seed
from phosphene.studio.references import PREFIX
from phosphene.studio.store import sha256
from phosphene.web.admission import admit_recipe
from phosphene.web.house import House
from phosphene.web.pages.breed_form import Form
from phosphene.web.pages.family import FamilyDialog
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.litter import Face, Litter, face_of
from phosphene.web.pages.pieces import copy_menu, empty, sentence, tell, told_errors
from phosphene.web.pages.plan import NUM_DREAMS, Plan, plan_from
from phosphene.web.pages.seen import Seen, seen_of, space_of
from phosphene.web.pages.shelf import dreamers
from phosphene.web.pages.watch import Watch, spoken, told
from phosphene.web.persons import sample_of

PATH = "/breed"
FIRST = "emoji-stylegan2"  # where family shows best
LOOK_SECONDS = 0.5
NUM_STARRED = 6  # of which each two have children, when stars propose
ALIVE = (State.QUEUED, State.RUNNING, State.PAUSED)


class Farm:
    """Form and grid of one visit."""

    def __init__(self, house: House, plan: Plan, models: list[str], family: str) -> None:
        self.house, self.plan, self.family = house, plan, family
        self.watch = Watch(house.studio, plan.job) if plan.job else None
        self.seen = Seen([], [], {})
        self._dreamt: dict[str, None] = {}  # dreams that were seen on this visit
        self._guessed: str | None = None
        self._settled: str | None = None
        with ui.element("div").classes("desk farm"):
            with ui.element("section").classes("form panel").props('aria-label="Whom to breed"'):
                self.form = Form(
                    plan,
                    models,
                    self.changed,
                    breed=self.breed,
                    surprise=self.surprise,
                    propose=self.propose,
                    turn=lambda model: ui.navigate.to(f"{PATH}?{urlencode({'model': model})}"),
                )
                with self.form.more:
                    copy_menu(self.recipe)
            with ui.element("section").classes("stage").props('aria-label="Pictures"'):
                with ui.element("div").classes("status"):
                    self.line = ui.label().classes("line").props("role=status")
                    self.stop = ui.button("Cancel", color=None, on_click=self._cancel)
                    self.stop.props("flat dense no-caps")
                self.litter = Litter(self.pick, self.star, self.open_family)
        self.dialog = FamilyDialog(house, self.take, self._opened)

    def recipe(self) -> Breed:
        """What is chosen, if the studio may carry it out.

        Raises:
            RecipeError: nobody is chosen, or it may not.
        """
        recipe = self.plan.recipe(self.seen.liked, self._others())
        admit_recipe(recipe, self.house.cards())
        return recipe

    async def look(self) -> None:
        """Read what is new of the job, and show it."""
        watch = self.watch
        if watch is not None and self._settled != watch.id:
            try:
                await run_sync(watch.look)
            except PhospheneError as error:  # it was asked for by an address
                tell(sentence(error), is_bad=True)
                self.watch, self.plan.job = None, ""
                self.show()
                return
            if watch is self.watch:
                self._settled = watch.id if watch.has_ended else None
                await self.read()
                self.show()
        await self._guess()

    def show(self) -> None:
        """Show the children of the job, or dreams."""
        self.line.classes(remove="bad")
        job = self.watch.job if self.watch is not None else None
        self.stop.set_visibility(job is not None and job.state in ALIVE)
        if self.watch is None or job is None:
            self.line.text = f"Dreams of {self.plan.model}"
            seeds = [str(s) for s in range(self.plan.dreams, self.plan.dreams + NUM_DREAMS)]
            self._dreamt |= dict.fromkeys(seeds)
            self.litter.show([], [face_of(seed, self.plan.model) for seed in seeds])
        else:
            self.line.text = told(self.watch)
            if job.state is State.FAILED:
                self.line.classes("bad")
            self._show_children(self.watch)
        self.mark()

    def mark(self) -> None:
        """Show who is chosen, who is starred, and what taste knows."""
        self.litter.mark(self.plan.parents, self._starred())
        liked, others = len(self.seen.liked), len(self._others())
        self.form.show_taste(liked, liked + others)

    async def read(self) -> None:
        """Read the stars."""
        space = space_of(self.house, self.plan.model)
        self.seen = await run_sync(seen_of, self.house, self.plan.model, space)

    def changed(self) -> None:
        """The plan is another one: the address says so, and the grid."""
        family = {"family": self.family} if self.family else {}
        query = urlencode({**self.plan.query(), **family})
        ui.navigate.history.replace(f"{PATH}?{query}")
        self.mark()

    def pick(self, name: str) -> None:
        """Take a picture as a parent, or leave it."""
        with told_errors(self.form.error):
            self.plan.toggle(name)
        self.form.refresh()
        self.changed()

    def take(self, name: str) -> None:
        """Take a picture as a parent, if it is not one already."""
        if name not in self.plan.parents:
            self.pick(name)

    async def star(self, name: str) -> None:
        """Make a picture a favourite, or not; a dream is put into the gallery for it."""
        with told_errors():
            gallery = self.house.studio.gallery
            picture = self.seen.hung.get(name, name.removeprefix(PREFIX))
            if picture == name:  # a seed, that hangs nowhere
                recipe = sample_of(self.house, self.plan.model, int(name))
                png = await run_sync(self.house.live.ask, recipe)
                picture = (await run_sync(keep_painted, gallery, png)).id
            await run_sync(gallery.star, picture, name not in self._starred())
            await self.read()
            self.mark()

    async def open_family(self, name: str) -> None:
        """Show the family of a picture of the gallery."""
        await self.dialog.open(name.removeprefix(PREFIX))

    async def breed(self) -> None:
        """Put the plan into the queue, and show the children as they come."""
        with told_errors(self.form.error):
            await self._submit(self.recipe())

    async def propose(self) -> None:
        """Let some of those that are starred have children."""
        with told_errors(self.form.error):
            await self.read()
            if not self.seen.liked:
                raise RecipeError("parents: star what you like first")
            self.plan.parents = some_of(self.seen.liked, NUM_STARRED, drawn_seed())
            await self._submit(self.recipe())

    async def surprise(self) -> None:
        """Show other dreams."""
        self.watch, self.plan.job, self.plan.seed = None, "", None
        self.plan.dreams = drawn_seed()
        self.show()
        self.changed()

    async def _submit(self, recipe: Breed) -> None:
        job = await run_sync(self.house.submit, visitor_of(), recipe.with_seed())
        self.watch, self._settled = Watch(self.house.studio, job.id), None
        self.plan.job, self.plan.seed, self.plan.parents = job.id, None, []
        self.form.refresh()
        self.changed()
        await self.look()

    def _show_children(self, watch: Watch) -> None:
        recipe = watch.job.parsed() if watch.job is not None else None
        if not isinstance(recipe, Breed) or watch.job is None:
            return
        model = self.plan.model
        born = {
            line.split()[1]: line for line in watch.notes if line.startswith("child ")
        }  # whose genes each has
        faces = [
            face_of(PREFIX + picture, model, born.get(str(number), f"child {number}"))
            for number, picture in enumerate(watch.pictures, start=1)
        ]
        alive = watch.job.state in ALIVE
        parents: list[Face] = [face_of(name, model) for name in recipe.parents]
        self.litter.show(parents, faces, recipe.children if alive else 0)

    def _starred(self) -> set[str]:
        """Names of what is starred: a sample goes by its seed, and by its picture too."""
        liked = set(self.seen.liked)
        return liked | {PREFIX + self.seen.hung[name] for name in liked}

    def _others(self) -> list[str]:
        return self.seen.without(reversed(self._dreamt)).others

    def _opened(self, picture: str) -> None:
        self.family = picture
        self.changed()

    async def _guess(self) -> None:
        """Say how long it would take, when the plan has changed."""
        if (key := repr(vars(self.plan))) == self._guessed:
            return
        self._guessed = key
        try:
            recipe = self.plan.recipe()
        except RecipeError:
            self.form.forecast.text = ""
            return
        found = await run_sync(self.house.forecast, recipe)
        self.form.forecast.text = f"about {spoken(found.seconds)}" if found else ""

    async def _cancel(self) -> None:
        if self.watch is not None:
            with told_errors():
                self.house.studio.jobs.cancel(self.watch.id)
                await self.look()


@page(PATH)
async def breed_page(request: Request, job: str = "", family: str = "") -> None:
    """Show the page: dreams, the children of a job, or a recipe in the address."""
    house = house_of(request)
    query = dict(request.query_params)
    cards = await run_sync(dreamers, house.settings.home)
    models = sorted((card.name for card in cards), key=lambda name: (name != FIRST, name))
    with frame(request, PATH):
        ui.label("Breed").classes("title").props("role=heading aria-level=1")
        if not models:
            empty("child_care", "No generator is here", f"Fetch one: phosphene models pull {FIRST}")
            return
        complaint, plan = "", Plan(models[0])
        try:
            recipe = await run_sync(partial(_recipe_of, house, job)) if job else None
            plan = plan_from(query, models, recipe)
        except PhospheneError as error:
            complaint = sentence(error)
        if "dreams" not in query and not plan.job:
            plan.dreams = drawn_seed()
        farm = Farm(house, plan, models, family)
        farm.form.error.text = complaint
        await farm.read()
        farm.show()
        await farm.look()
        if "dreams" not in query and not plan.job and not complaint:
            farm.changed()
        if family:
            await farm.dialog.open(family)
        # last: with a clock that ticks, NiceGUI delivers a page before it is whole
        ui.timer(LOOK_SECONDS, farm.look)


def some_of(names: list[str], number: int, seed: int) -> list[str]:
    """So many of the names, drawn by a seed; all of them if there are no more."""
    return sorted(names, key=lambda name: sha256(f"{seed}/{name}".encode()))[:number]


def _recipe_of(house: House, job: str) -> Breed | None:
    """The recipe of a job of breeding.

    Raises:
        NotFound: no such job.
        RecipeError: it breeds nobody.
    """
    recipe = house.studio.jobs.get(job).parsed()
    if not isinstance(recipe, Breed):
        raise RecipeError(f"job {job[:64]!r} breeds nobody")
    return recipe
