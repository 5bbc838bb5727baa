"""Wander: a map of a generator's latent space, seen live; keyframes on it become a film."""

import asyncio
from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.job import ENDED, State
from phosphene.studio.recipe import Walk
from phosphene.web.admission import admit_recipe
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.latent_map import CLASS, Place, Route, route_from, told_at
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
from phosphene.web.pages.shelf import classes_of, dreamers
from phosphene.web.pages.walked import is_still, route_of
from phosphene.web.pages.wander_form import WanderForm
from phosphene.web.pages.wander_map import WanderMap, address_of
from phosphene.web.pages.watch import Watch, spoken, told
from phosphene.web.persons import STYLED, painted

PATH = "/wander"
FIRST = ("emoji-stylegan2", "faces-dcgan")
LOOK_SECONDS = 0.5  # between looks at the film, and between addresses: browsers count them
PATIENCE_SECONDS = 0.6  # of a picture, before the page says that it waits


class Wander:
    """Map, picture and keyframes of one visit."""

    def __init__(self, house: House, route: Route, models: list[str], classes: list[str]) -> None:
        self.house, self.route = house, route
        self.watch = Watch(house.studio, route.job) if route.job else None
        self._is_painting = False
        self._painted = self._said = self._guessed = ""
        with ui.element("div").classes("desk wander"):
            with ui.element("section").classes("form panel").props('aria-label="How it is seen"'):
                self.form = WanderForm(route, models, classes, self.changed, turn)
            with ui.element("section").classes("stage").props('aria-label="Map and picture"'):
                with ui.element("div").classes("two"):
                    with ui.element("div").classes("canvas"):
                        self.image = Image()
                    self.map = WanderMap(route, self.moved)
                with ui.element("div").classes("acts"):
                    self.line = ui.label().classes("quiet grow").props("role=status")
                    keep = ui.button("Keep", icon="bookmark_add", color=None, on_click=self.keep)
                    keep.props("outline no-caps")
                    copy_menu(self.picture, self.address)
                self._film()
        ui.timer(LOOK_SECONDS, self.look)

    def picture(self) -> Walk:
        """The recipe of where one is, if the studio may carry it out.

        Raises:
            RecipeError: it may not.
        """
        recipe = self.route.picture()
        admit_recipe(recipe, self.house.cards())
        return recipe

    def address(self) -> str:
        """Path and query of the page as it is."""
        return f"{PATH}?{urlencode(self.route.query())}"

    async def moved(self, x: float, y: float) -> None:
        """Go somewhere on the map."""
        self.route.here = self.route.here.at(x, y)
        await self.paint()

    async def changed(self) -> None:
        """Something of the form is another one."""
        with told_errors(self.form.error):
            self.map.show()
            await self.paint()

    async def go(self, place: Place) -> None:
        """Go to a keyframe."""
        self.route.here = place
        self.form.refresh()
        self.map.show()
        await self.paint()

    async def paint(self) -> None:
        """Paint where one is; while that takes time, places that were passed are left out."""
        if self._is_painting:
            return  # whoever paints will see that one has moved on
        self._is_painting = True
        try:
            with told_errors(self.form.error):
                while (source := address_of(recipe := self.picture())) != self._painted:
                    self._painted = source
                    await self._paint(recipe, source)
        finally:
            self._is_painting = False

    async def _paint(self, recipe: Walk, source: str) -> None:
        asked = asyncio.ensure_future(painted(self.house, recipe))
        if not (await asyncio.wait({asked}, timeout=PATIENCE_SECONDS))[0]:
            looks = "directions are looked for once, some 15 s" if _moves(recipe) else "it loads"
            self.line.text = f"Waiting: {looks}"
        await asked  # it is kept, so the browser need not wait for it
        here = self.route.here
        self.image.show(source, f"{self.route.model} at {here.x:g}, {here.y:g}")
        self.line.text = told_at(self.route.origin, here.x, here.y)

    async def keep(self) -> None:
        """Put the picture into the gallery, by way of the queue."""
        with told_errors():
            await run_sync(self.house.submit, visitor_of(), self.picture())
            tell("It will be in the gallery in a moment")

    def add(self) -> None:
        """Make where one is a keyframe."""
        with told_errors(self.form.error):
            self.route.add()
        self.show_keys()

    def show_keys(self) -> None:
        """Show the keyframes."""
        self.keys.clear()
        with self.keys:
            for number, place in enumerate(self.route.keys):
                with ui.element("div").classes("face-box"):
                    tile = ui.element("button").classes("thumb").props("type=button")
                    named(tile, f"Keyframe {number + 1}").on(
                        "click", partial(self.go, place), args=[]
                    )
                    with tile:
                        Image(address_of(self.route.picture(place)))
                    with ui.element("div").classes("under"):
                        for icon, said, what in (
                            ("chevron_left", "Earlier", partial(self._swap, number, number - 1)),
                            ("close", "Remove", partial(self._remove, number)),
                            ("chevron_right", "Later", partial(self._swap, number, number + 1)),
                        ):
                            icon_button(icon, f"{said}: keyframe {number + 1}", what)
            if not self.route.keys:
                ui.label("Add where you are, go on, add again: a film leads through.").classes(
                    "quiet"
                )

    async def shoot(self) -> None:
        """Put the film into the queue."""
        with told_errors(self.form.error):
            recipe = self.route.film()
            job = await run_sync(self.house.submit, visitor_of(), recipe)
            self.watch, self.route.job = Watch(self.house.studio, job.id), job.id
            await self.look()

    async def look(self) -> None:
        """Look what became of the film, and write the address."""
        watch = self.watch
        if watch is not None and not watch.has_ended:
            try:
                await run_sync(watch.look)
            except PhospheneError as error:  # it was asked for by an address
                tell(sentence(error), is_bad=True)
                self.watch, self.route.job = None, ""
            else:
                self._show_film(watch)
        await self._guess()
        if (address := self.address()) != self._said:
            self._said = address
            ui.navigate.history.replace(address)

    def _film(self) -> None:
        with named(ui.element("section"), "Keyframes").classes("panel film"):
            self.keys = ui.element("div").classes("strip")
            with ui.element("div").classes("go"):
                add = ui.button("Add keyframe", icon="add_location_alt", color=None)
                add.on_click(self.add).props("outline no-caps")
                seconds = ui.number("Seconds", value=self.route.seconds, min=1, max=120)
                seconds.props("outlined dense inputmode=decimal").classes("short")
                seconds.on_value_change(lambda event: setattr(self.route, "seconds", event.value))
                loop = ui.checkbox("Back to the first", value=self.route.loop)
                loop.on_value_change(lambda event: setattr(self.route, "loop", event.value))
                film = ui.button("Film", icon="movie", on_click=self.shoot)
                film.props("unelevated no-caps").classes("primary")
                copy_menu(self.route.film, self.address)
                self.forecast = ui.label().classes("quiet")
            with ui.element("div").classes("status") as self.status:
                self.told = ui.label().classes("line").props("role=status")
                self.stop = ui.button("Cancel", color=None, on_click=self._cancel)
                self.stop.props("flat dense no-caps")
            self.video = named(ui.element("video"), "The film").classes("film-shown")
            self.video.props("controls loop muted playsinline autoplay")
        self.status.set_visibility(False)
        self.video.set_visibility(False)
        self.show_keys()

    def _show_film(self, watch: Watch) -> None:
        job = watch.job
        assert job is not None
        self.told.text = told(watch)
        self.status.set_visibility(True)
        self.told.classes("bad" if job.state is State.FAILED else "", remove="bad")
        self.stop.set_visibility(job.state not in ENDED)
        is_there = job.state is State.DONE and bool(watch.pictures)
        if is_there:
            self.video.props["src"] = f"/api/gallery/{watch.pictures[-1]}/attachments/mp4"
        self.video.set_visibility(is_there)

    async def _guess(self) -> None:
        """Say how long the film would take, when it has changed."""
        try:
            recipe = self.route.film()
        except PhospheneError:
            self.forecast.text = self._guessed = ""
            return
        if (key := recipe.model_dump_json()) != self._guessed:
            self._guessed = key
            found = await run_sync(self.house.forecast, recipe)
            self.forecast.text = f"about {spoken(found.seconds)}" if found else ""

    def _swap(self, number: int, other: int) -> None:
        self.route.swap(number, other)
        self.show_keys()

    def _remove(self, number: int) -> None:
        del self.route.keys[number]
        self.show_keys()

    async def _cancel(self) -> None:
        if self.watch is not None:
            with told_errors():
                self.house.studio.jobs.cancel(self.watch.id)
                await self.look()


def _moves(recipe: Walk) -> bool:
    return "move =" in str(recipe.path)


def turn(model: str) -> None:
    """Show the map of another generator."""
    ui.navigate.to(f"{PATH}?{urlencode({'model': model})}")


async def _asked(house: House, query: dict[str, str], models: dict[str, bool]) -> Route:
    """The route of an address; one that names a job alone is that of its recipe.

    Raises:
        RecipeError: a value that is not allowed, or a walk that is not of the map.
        NotFound: no such job.
    """
    if set(query) != {"job"}:
        return route_from(query, models)
    recipe = (await run_sync(house.studio.jobs.get, query["job"])).parsed()
    if not isinstance(recipe, Walk) or (found := route_of(recipe)) is None:
        raise RecipeError(f"job {query['job'][:64]!r} is no walk of this map")
    job = {} if is_still(recipe) else {"job": query["job"]}
    return route_from(found.query() | job, models)


@page(PATH)
async def wander_page(request: Request) -> None:
    """Show the page: the map at the origin, or all that is in the address."""
    house = house_of(request)
    cards = await run_sync(dreamers, house.settings.home)
    rank = {name: number for number, name in enumerate(FIRST)}
    cards.sort(key=lambda card: (rank.get(card.name, len(rank)), card.name))
    models = {card.name: card.arch in STYLED for card in cards}
    with frame(request, PATH):
        ui.label("Wander").classes("title").props("role=heading aria-level=1")
        if not models:
            empty("explore", "No generator is here", f"Fetch one: phosphene models pull {FIRST[1]}")
            return
        complaint, route = "", Route(next(iter(models)), models[next(iter(models))])
        try:
            route = await _asked(house, dict(request.query_params), models)
        except PhospheneError as error:
            complaint = sentence(error)
        card = next(card for card in cards if card.name == route.model)
        classes = await run_sync(classes_of, card, house.settings.home)
        try:
            route.path([route.here])
            if route.of_class and route.of_class not in classes:
                raise RecipeError(f"class: {route.model} has no {route.of_class[:60]!r}")
        except PhospheneError as error:  # a class that is none
            complaint, route.of_class = sentence(error), ""
        usable = [name for name in classes if CLASS.fullmatch(name)]
        page = Wander(house, route, list(models), usable)
        page.map.show()
        ui.timer(0, page.paint, once=True)
        if complaint:
            tell(complaint, is_bad=True)
