"""The side of Train that shows a run: how far, the newest sample sheet, curves, the weights."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from phosphene.studio.job import ENDED, State
from phosphene.web.pages.course import Course
from phosphene.web.pages.curves import Curves, number_of
from phosphene.web.pages.pieces import Image, empty, named, tell
from phosphene.web.pages.watch import spoken, told

Act = Callable[[str], Awaitable[None]]
"""Takes what a run should do: pause, resume or cancel."""


class Stage:
    """What there is to see of a run.

    Args:
        act: Called by the buttons.
    """

    def __init__(self, act: Act) -> None:
        with ui.element("div").classes("status"):
            self.line = ui.label().classes("line").props("role=status")
            self.left = ui.label().classes("quiet")
            self.stop = self._button("Stop", "stop", partial(act, "pause"))
            self.resume = self._button("Resume", "play_arrow", partial(act, "resume"))
            self.cancel = self._button("Cancel", "close", partial(act, "cancel"))
        self.bar = ui.linear_progress(0, show_value=False, size="4px").props("rounded")
        named(self.bar, "Progress")
        self.facts = ui.element("dl").classes("figures")
        self.done = ui.element("section").classes("done panel")
        named(self.done, "Weights")
        with named(ui.element("section"), "Sample sheet"):
            with ui.element("div").classes("sheet-box").props("tabindex=0") as self.box:
                self.sheet = Image()
            self.step = ui.label().classes("quiet")
        self.nothing = ui.element("div").classes("canvas waiting")
        with self.nothing:
            empty("school", "Nothing is trained here", "Choose a folder and a recipe.")
        self.curves = Curves()
        self.notes = ui.label().classes("quiet notes")
        self._figures: dict[str, str] = {}
        self._weights = ""
        self.show(None)

    def show(self, course: Course | None) -> None:
        """Show a run; None if there is none."""
        job = course.job if course is not None else None
        self.nothing.set_visibility(job is None)
        self.bar.set_visibility(job is not None)
        state = job.state if job is not None else None
        wish = job.wish if job is not None else None
        self.stop.set_visibility(state in (State.QUEUED, State.RUNNING) and wish is None)
        self.resume.set_visibility(state is State.PAUSED)
        self.cancel.set_visibility(state not in (None, *ENDED) and wish is not State.CANCELLED)
        self.line.classes(remove="bad")
        self.line.text = told(course, "Training") if course is not None else ""
        if state is State.FAILED:
            self.line.classes("bad")
        if course is None or job is None:
            self._show_figures({})
            self._show_sheet("", 0)
            self._show_weights(None)
            self.curves.show({})
            self.left.text = self.notes.text = ""
            return
        self.bar.value = job.progress
        left = course.seconds_left()
        self.left.text = f"about {spoken(left)} left" if left is not None else ""
        self._show_figures(_figures(course))
        newest = course.moments[-1] if course.moments else None
        address = newest.address(course.id) if newest is not None else ""
        self._show_sheet(address, newest.step if newest is not None else 0)
        self._show_weights(course)
        self.curves.show(course.curves())
        self.notes.text = "\n".join(_notes(course))

    def _button(self, text: str, icon: str, act: Callable[[], Awaitable[None]]) -> ui.button:
        button = ui.button(text, icon=icon, color=None, on_click=act)
        return button.props("outline dense no-caps").classes("act")

    def _show_figures(self, figures: dict[str, str]) -> None:
        if figures == self._figures:
            return
        self._figures = figures
        self.facts.clear()
        with self.facts:
            for name, value in figures.items():
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(name)
                    with ui.element("dd"):
                        ui.label(value)

    def _show_sheet(self, address: str, step: int) -> None:
        said = f"Sample sheet after {step:,} steps" if address else ""
        self.box.set_visibility(bool(address))
        self.sheet.show(address, said)
        self.step.text = said

    def _show_weights(self, course: Course | None) -> None:
        weights = course.weights() if course is not None else ""
        self.done.set_visibility(bool(weights))
        if course is None or weights == self._weights:
            return
        self._weights = weights
        self.done.clear()
        with self.done:
            ui.label("The weights are in the studio's folder").classes("subtitle")
            _taken(weights, "Path")
            if command := course.command():
                ui.label("What paints with them").classes("subtitle")
                _taken(command, "Command")


def _taken(text: str, what: str) -> None:
    """A text to read and to take away."""

    def copy() -> None:
        ui.clipboard.write(text)
        tell(f"{what} copied")

    with ui.element("div").classes("taken"):
        with ui.element("code"):
            ui.label(text)
        button = ui.button(icon="content_copy", color=None, on_click=copy).props("flat round dense")
        named(button, f"Copy {what.lower()}")


def _figures(course: Course) -> dict[str, str]:
    recipe, scalars = course.recipe, course.scalars
    if recipe is None:
        return {}
    total = recipe.steps * recipe.batch_size / 1000
    figures = {"Learns": f"{recipe.name} from {(recipe.data or '').removeprefix('folder:')}"}
    if "kimg" in scalars:
        figures["kimg"] = f"{number_of(scalars['kimg'])} of {number_of(total)}"
    if "seconds_per_kimg" in scalars:
        figures["Seconds per kimg"] = number_of(scalars["seconds_per_kimg"])
    figures["Checkpoint"] = f"every {recipe.checkpoint_every:,} steps"
    return figures


def _notes(course: Course) -> list[str]:
    notes = list(dict.fromkeys(course.notes))
    if course.rolled_back is not None:
        notes.append(f"The run died once, and went on from step {course.rolled_back}, slower.")
    if course.job is not None and course.job.state is State.PAUSED:
        notes.append("Resume goes on from the last checkpoint.")
    return notes
