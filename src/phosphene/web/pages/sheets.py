"""Sheets: any field of a recipe against any other, as a table of pictures."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.recipe import Sheet
from phosphene.web.admission import admit_recipe
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.layout import SAMPLE, Axis, Layout, fields_of, layout_from, layout_of
from phosphene.web.pages.pieces import copy_menu, empty, sentence, told_errors
from phosphene.web.pages.shelf import METHODS, dreamers, painters
from phosphene.web.pages.table import Table
from phosphene.web.pages.watch import spoken

PATH = "/sheets"
COUNT_SECONDS = 0.7
FIRST = "emoji-stylegan2"
HINT = "0:1:6 is six values, 0-7 is eight; else a,b,c or, for words, a b; c d"
EXAMPLE = {SAMPLE: (Axis("psi", "0:1:6"), Axis("seed", "0-3"))}
PAINTED = (Axis("style", "flat design; neon; pixel art"), Axis("seed", "1-2"))


class Bench:
    """Form and table of one visit.

    Args:
        models: That can be chosen, by method.
    """

    def __init__(self, house: House, layout: Layout, models: dict[str, list[str]]) -> None:
        self.house, self.layout, self.models = house, layout, models
        self._counted: str | None = None
        with ui.element("div").classes("desk"):
            with ui.element("section").classes("form panel").props('aria-label="What varies"'):
                self._what()
                with ui.element("div").classes("axes"):
                    self.axes = [
                        self._axis("Across", layout.across),
                        self._axis("Down", layout.down),
                    ]
                ui.label(HINT).classes("quiet")
                self.count = ui.label().classes("quiet").props("role=status")
                self.error = ui.label().classes("error").props("role=alert")
                with ui.element("div").classes("go"):
                    button = ui.button("Paint the sheet", icon="grid_on", on_click=self.submit)
                    button.classes("primary").props("unelevated no-caps")
                    copy_menu(self.recipe)
            self.table = Table(house)
        self.refresh()
        ui.timer(COUNT_SECONDS, self.guess)

    def recipe(self) -> Sheet:
        """What is filled in, if the studio may carry it out.

        Raises:
            RecipeError: it may not.
        """
        recipe = self.layout.recipe()
        admit_recipe(recipe, self.house.cards())
        return recipe

    async def submit(self) -> None:
        """Put the sheet into the queue, and follow it."""
        with told_errors(self.error):
            recipe = self.recipe().with_seed()
            job = await run_sync(self.house.submit, visitor_of(), recipe)
            ui.navigate.history.replace(f"{PATH}?{urlencode({'job': job.id})}")
            await self.table.show(job.id)

    async def guess(self) -> None:
        """Say how many pictures it is and how long it takes, when the form has changed."""
        if (key := repr(self.layout)) == self._counted:
            return
        self._counted = key
        try:
            recipe = self.recipe()
        except RecipeError as error:
            self.count.text = sentence(error)
            return
        sides = " x ".join(str(len(axis.values)) for axis in recipe.vary)
        found = await run_sync(self.house.forecast, recipe)
        time = f", about {spoken(found.seconds)}" if found else ""
        many = "1 picture" if recipe.num_cells == 1 else f"{recipe.num_cells} pictures"
        self.count.text = f"{many}, {sides}{time}"

    def refresh(self) -> None:
        """Show what the method knows."""
        layout, models = self.layout, self.models[self.layout.method]
        if layout.model not in models:
            layout.model = models[0]
        self.model.set_options(models, value=layout.model)
        self.prompt.set_visibility(layout.paints)
        self.steps.set_visibility(layout.paints)
        known = fields_of(layout.method)
        for (select, values), axis in zip(self.axes, (layout.across, layout.down), strict=True):
            if axis.field not in ("", *known):
                axis.field = axis.values = ""
            select.set_options({"": "nothing", **{n: n for n in known}}, value=axis.field)
            values.value = axis.values

    def _what(self) -> None:
        layout = self.layout
        titles = {SAMPLE: "Dreams"} | METHODS
        options = {method: titles[method] for method in self.models}
        with ui.element("div").classes("pair"):
            method = ui.select(options, label="Pictures", value=layout.method)
            self.model = ui.select(self.models[layout.method], label="Model")
        for select in (method, self.model):
            select.props("outlined dense options-dense")
        method.on_value_change(self._turn)
        self.prompt = ui.input("Prompt", value=layout.prompt).classes("wide")
        self.prompt.props("outlined dense stack-label").props["placeholder"] = "fox in the snow"
        with ui.element("div").classes("pair"):
            self.seed = ui.number("Seed", value=layout.seed, min=0, max=2**53, step=1)
            self.seed.props["placeholder"] = "drawn"
            self.steps = ui.number("Steps", value=layout.steps, min=1, max=10_000, step=1)
            self.steps.props["placeholder"] = "auto"
        for field in (self.seed, self.steps):
            field.props("outlined dense stack-label inputmode=decimal")
        fields = {"model": self.model, "prompt": self.prompt}
        fields |= {"seed": self.seed, "steps": self.steps}
        for name, element in fields.items():
            element.on_value_change(partial(self._take, layout, name))

    def _axis(self, title: str, axis: Axis) -> tuple[ui.select, ui.input]:
        select = ui.select({"": "nothing"}, label=title, with_input=True)
        select.props("outlined dense options-dense")
        values = ui.input(f"{title}: values", value=axis.values)
        values.props("outlined dense stack-label")
        select.on_value_change(partial(self._take, axis, "field"))
        values.on_value_change(partial(self._take, axis, "values"))
        return select, values

    def _turn(self, event: Any) -> None:
        """Another method: its own model, and an example where the fields do not fit."""
        layout = self.layout
        layout.method, layout.model, layout.rest = event.value, None, {}
        across, down = EXAMPLE.get(event.value, PAINTED)
        for axis, example in ((layout.across, across), (layout.down, down)):
            axis.field, axis.values = example.field, example.values
        self.refresh()

    @staticmethod
    def _take(what: Layout | Axis, name: str, event: Any) -> None:
        value = event.value
        setattr(what, name, (value or "") if isinstance(what, Axis) or name == "prompt" else value)


@page(PATH)
async def sheets_page(request: Request, job: str = "") -> None:
    """Show the page: of a job, of a recipe in the address, or with an example."""
    house = house_of(request)
    home = house.settings.home
    generators = [card.name for card in await run_sync(dreamers, home)]
    generators.sort(key=lambda name: (name != FIRST, name))
    models = {SAMPLE: generators} if generators else {}
    models |= await run_sync(painters, home)
    with frame(request, PATH):
        ui.label("Sheets").classes("title").props("role=heading aria-level=1")
        if not models:
            empty("grid_on", "No model is here", f"Fetch one: phosphene models pull {FIRST}")
            return
        method = next(iter(models))
        across, down = EXAMPLE.get(method, PAINTED)
        layout = Layout(
            method, across=Axis(across.field, across.values), down=Axis(down.field, down.values)
        )
        complaint, is_there = "", False
        try:
            pairs = request.query_params.multi_items()
            asked = await run_sync(_layout_of, house, job) if job else layout_from(pairs)
            if asked is not None and asked.method not in models:
                raise RecipeError(f"method: no model for {asked.method!r} is here")
            layout, is_there = asked or layout, bool(job)
        except PhospheneError as error:
            complaint = sentence(error)
        bench = Bench(house, layout, models)
        bench.error.text = complaint
        if is_there:
            await bench.table.show(job)


def _layout_of(house: House, job: str) -> Layout:
    """The form of a job's sheet.

    Raises:
        NotFound: no such job.
        RecipeError: it is no sheet.
    """
    recipe = house.studio.jobs.get(job).parsed()
    if not isinstance(recipe, Sheet):
        raise RecipeError(f"job {job[:64]!r} is no sheet")
    return layout_of(recipe)
