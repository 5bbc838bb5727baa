"""Train: a folder of pictures and a recipe become a model, step by step before one's eyes."""

from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.studio.job import Job
from phosphene.studio.recipe import Train
from phosphene.web.house import House
from phosphene.web.pages.course import Course
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.pieces import copy_menu, named, sentence, tell, told_errors
from phosphene.web.pages.train_stage import Stage
from phosphene.web.pages.training_plan import STARTERS, TrainingPlan, plan_from, starter
from phosphene.web.pages.watch import spoken

PATH = "/train"
LOOK_SECONDS = 0.5
DEBOUNCE = 400  # ms, after the last key
NUM_RUNS, NUM_LOOKED_AT = 6, 200
ACTS = ("pause", "resume", "cancel")


class Trainer:
    """Form and stage of one visit.

    Args:
        folders: Names of those that may be learnt from; None if nobody may train here.
        runs: The newest ones.
    """

    def __init__(
        self, house: House, plan: TrainingPlan, folders: list[str] | None, runs: list[Job]
    ) -> None:
        self.house, self.plan = house, plan
        self.course = Course(house.studio, plan.job) if plan.job else None
        self._guessed: object = None
        with ui.element("div").classes("desk") as self.desk:
            with ui.element("section").classes("form panel").props('aria-label="What to train"'):
                if folders is None:
                    _explain()
                else:
                    self._form(folders)
                _list(runs)
            with ui.element("section").classes("stage").props('aria-label="The run"'):
                self.stage = Stage(self.act)
        ui.timer(LOOK_SECONDS, self.look)

    def _form(self, folders: list[str]) -> None:
        if not folders:
            ui.label("There is no folder yet. Put pictures into one inside the data folder.")
        plan = self.plan
        options = sorted({*folders, plan.folder} - {""})
        folder = ui.select(options, label="Folder", value=plan.folder or None).classes("wide")
        folder.props("outlined dense options-dense")
        folder.on_value_change(lambda event: self._take(folder=event.value or ""))
        self.begin = ui.select(
            {"": "your own", **STARTERS}, label="Begin with", value=plan.starter
        ).classes("wide")
        self.begin.props("outlined dense options-dense")
        self.begin.on_value_change(lambda event: self._begin(event.value))
        self.text = ui.textarea("Recipe, TOML or JSON", value=plan.text).classes("wide recipe-text")
        self.text.props(f"outlined spellcheck=false debounce={DEBOUNCE}")
        self.text.on_value_change(lambda event: self._take(text=event.value or ""))
        self.error = ui.label().classes("error").props("role=alert")
        with ui.element("div").classes("go"):
            button = ui.button("Train", icon="school", on_click=self.train)
            button.classes("primary").props("unelevated no-caps")
            self.forecast = ui.label().classes("quiet")
            copy_menu(self.recipe)

    def recipe(self) -> Train:
        """What is filled in, if the studio may carry it out.

        Raises:
            RecipeError: it may not, or nothing is chosen.
        """
        recipe = self.plan.recipe()
        self.house.admit(recipe)
        return recipe

    async def train(self) -> None:
        """Put the recipe into the queue, and show the run."""
        with told_errors(self.error):
            recipe = self.recipe()
            job = await run_sync(self.house.submit, visitor_of(), recipe)
            self.plan.job = job.id
            self.course = Course(self.house.studio, job.id)
            self.changed()
            await self.look()

    async def act(self, what: str) -> None:
        """Let the run stop, go on or end."""
        assert what in ACTS
        if self.course is not None:
            with told_errors():
                await run_sync(getattr(self.house.studio.jobs, what), self.course.id)
            await self.look()

    async def look(self) -> None:
        """Read what is new of the run, and show it."""
        course = self.course
        if course is not None:
            try:
                is_new = await run_sync(course.look)
            except PhospheneError as error:  # it was asked for by an address
                tell(sentence(error), is_bad=True)
                self.course, self.plan.job = None, ""
                self.stage.show(None)
                self.desk.classes(remove="has-run")
                return
            if course is self.course and is_new:
                self.desk.classes("has-run")  # on a phone the run comes first
                self.stage.show(course)
        await self._guess()

    def changed(self) -> None:
        """The plan is another one: the address says so."""
        query = urlencode(self.plan.query())
        ui.navigate.history.replace(f"{PATH}?{query}" if query else PATH)

    def _take(self, **fields: str) -> None:
        for name, value in fields.items():
            setattr(self.plan, name, value)
        if self.begin.value != self.plan.starter:
            self.begin.value = self.plan.starter
        self.changed()

    def _begin(self, name: str) -> None:
        if name and self.plan.starter != name:
            self.text.value = starter(name)  # which takes it

    async def _guess(self) -> None:
        """Say how long it would take, when the plan has changed."""
        if self.house.settings.data is None or self._guessed == (self.plan.folder, self.plan.text):
            return
        self._guessed = (self.plan.folder, self.plan.text)
        try:
            recipe = self.plan.recipe()
        except RecipeError:
            self.forecast.text = ""
            return
        found = await run_sync(self.house.forecast, recipe)
        self.forecast.text = f"about {spoken(found.seconds)}" if found else ""


@page(PATH)
async def train_page(request: Request, job: str = "") -> None:
    """Show the page: a run, or a recipe in the address."""
    house = house_of(request)
    query = dict(request.query_params)
    folders = await run_sync(house.data_folders)
    runs = await run_sync(_runs, house)
    complaint, plan = "", plan_from({k: v for k, v in query.items() if k != "job"}, folders or [])
    try:
        if job:
            recipe = await run_sync(partial(_recipe_of, house, job))
            plan = plan_from(query, folders or [], recipe)
    except PhospheneError as error:
        complaint = sentence(error)
    with frame(request, PATH):
        ui.label("Train").classes("title").props("role=heading aria-level=1")
        trainer = Trainer(house, plan, folders, runs)
        if complaint:
            tell(complaint, is_bad=True)
        if trainer.course is not None:  # all else comes a moment later
            await trainer.look()


def _recipe_of(house: House, job: str) -> Train:
    """The recipe of a run.

    Raises:
        NotFound: no such job.
        RecipeError: it trains nothing.
    """
    recipe = house.studio.jobs.get(job).parsed()
    if not isinstance(recipe, Train):
        raise RecipeError(f"job {job[:64]!r} trains nothing")
    return recipe


def _runs(house: House) -> list[Job]:
    jobs = house.studio.jobs.listed((), NUM_LOOKED_AT)
    return [job for job in jobs if job.kind == "train"][:NUM_RUNS]


def _explain() -> None:
    """Say how training is allowed here."""
    ui.label("Training is off").classes("subtitle").props("role=heading aria-level=2")
    ui.label(
        "A training reads pictures of this machine, so whoever starts the studio says which. "
        "Put each set of pictures into a folder of its own, all of them into one, and name that:"
    )
    with ui.element("code").classes("shell"):
        ui.label("phosphene serve --data-dir data")
    ui.label("Folders directly in it can then be chosen here, by name.").classes("quiet")


def _list(runs: list[Job]) -> None:
    """The newest runs, to be opened."""
    if not runs:
        return
    with named(ui.element("section"), "Runs"):
        ui.label("Runs").classes("subtitle").props("role=heading aria-level=2")
        with ui.element("ul").classes("runs"):
            for job in runs:
                with ui.element("li"):
                    ui.link(job.model or "train", f"{PATH}?job={job.id}")
                    ui.label(f"{job.state}, {job.progress:.0%}").classes("quiet")
