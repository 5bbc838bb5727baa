"""The form of Breed: generator, parents, sliders."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from phosphene.web.pages.litter import face_of
from phosphene.web.pages.pieces import Image, named
from phosphene.web.pages.plan import OPERATORS, Plan

SIBLINGS = {1: "off", 4: "of 4", 16: "of 16", 48: "of 48"}  # what taste chooses each child from


class Form:
    """The fields, bound to a plan.

    Args:
        models: Generators that are here.
        changed: Called when the plan is another one.
        breed: What the large button does; `surprise` and `propose` are those beside it.
    """

    def __init__(
        self,
        plan: Plan,
        models: list[str],
        changed: Callable[[], None],
        *,
        breed: Callable[[], Awaitable[None]],
        surprise: Callable[[], Awaitable[None]],
        propose: Callable[[], Awaitable[None]],
        turn: Callable[[str], None],
    ) -> None:
        self.plan, self.changed = plan, changed
        select = ui.select(models, label="Generator", value=plan.model).classes("wide")
        select.props("outlined dense options-dense")
        select.on_value_change(lambda event: turn(event.value))
        self._parents()
        operator = ui.select(OPERATORS, label="Inheritance", value=plan.operator).classes("wide")
        operator.props("outlined dense options-dense")
        operator.on_value_change(partial(self._take, "operator"))
        self.mixing = self._slider("mixing", "Mixing", "share of the second parent", 0.05)
        self._slider("mutation", "Mutation", "turned towards a stranger", 0.05)
        self._children()
        self.error = ui.label().classes("error").props("role=alert")
        with ui.element("div").classes("go"):
            button = ui.button("Children", icon="child_care", on_click=breed)
            button.classes("primary").props("unelevated no-caps")
            self.forecast = ui.label().classes("quiet")
        with ui.element("div").classes("go") as self.more:
            again = ui.button("Surprise me", icon="casino", color=None, on_click=surprise)
            again.props("outline no-caps")
            self.proposing = ui.button(
                "From my stars", icon="auto_awesome", color=None, on_click=propose
            )
            self.proposing.props("outline no-caps")
        self.refresh()

    def refresh(self) -> None:
        """Show the parents that are chosen."""
        self.tray.clear()
        with self.tray:
            if not self.plan.parents:
                ui.label("Click one picture or more: they become parents.").classes("quiet")
            for name in self.plan.parents:
                face = face_of(name, self.plan.model)
                button = ui.element("button").classes("thumb small").props("type=button")
                named(button, f"Without {face.said}")
                button.on("click", partial(self._leave, name), args=[])
                with button:
                    Image(face.source)
        self.mixing.set_enabled(self.plan.operator == "cross")

    def show_taste(self, liked: int, seen: int) -> None:
        """Say what taste is learnt from."""
        stars = "1 star" if liked == 1 else f"{liked} stars"
        self.taste.text = (
            f"Learnt from {stars} of {seen} pictures seen." if liked else "Star what you like."
        )
        self.proposing.set_enabled(liked > 0)

    def _parents(self) -> None:
        with named(ui.element("section"), "Parents"):
            ui.label("Parents").classes("quiet")
            self.tray = ui.element("div").classes("tray").props("aria-live=polite")

    def _children(self) -> None:
        with ui.element("div").classes("pair"):
            children = ui.number("Children", value=self.plan.children, min=1, max=64, step=1)
            children.props("outlined dense stack-label inputmode=decimal")
            children.on_value_change(partial(self._take, "children"))
            options = SIBLINGS | {self.plan.siblings: f"of {self.plan.siblings}"}
            options[1] = SIBLINGS[1]
            taste = ui.select(options, label="Taste chooses", value=self.plan.siblings)
            taste.props("outlined dense options-dense")
            taste.on_value_change(partial(self._take, "siblings"))
        self.taste = ui.label().classes("quiet")

    def _slider(self, name: str, title: str, means: str, step: float) -> ui.slider:
        with ui.element("div").classes("dial"):
            ui.label(title)
            said = ui.label(f"{getattr(self.plan, name):.0%}").classes("quiet")
            slider = ui.slider(min=0, max=1, step=step, value=getattr(self.plan, name))
            named(slider, f"{title}: {means}")

            def moved() -> None:
                said.text = f"{slider.value:.0%}"
                setattr(self.plan, name, slider.value)
                self.changed()

            slider.on_value_change(moved)
        return slider

    def _take(self, name: str, event: object) -> None:
        setattr(self.plan, name, getattr(event, "value", None))
        self.refresh()
        self.changed()

    def _leave(self, name: str) -> None:
        self.plan.parents.remove(name)
        self.refresh()
        self.changed()
