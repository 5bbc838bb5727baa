"""The form of Wander: generator, origin, class, styles of layers, truncation, directions."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from nicegui import ui

from phosphene.studio.recipes.fields import drawn_seed
from phosphene.web.pages.latent_map import LAYERS, MAX_PSI, MOST, NUM_MOVES, Route, seed_from
from phosphene.web.pages.pieces import icon_button, named, told_errors

FEW = 20  # classes, above which one types to find one
MOVE_NAMES = ("First", "Second", "Third", "Fourth")


class WanderForm:
    """The fields, bound to a route.

    Args:
        models: Generators that are here.
        classes: Names of the model's classes; none leaves the field out.
        changed: Called when the route is another one.
        turn: Called with another generator.
    """

    def __init__(
        self,
        route: Route,
        models: list[str],
        classes: list[str],
        changed: Callable[[], Awaitable[None]],
        turn: Callable[[str], None],
    ) -> None:
        self.route, self.changed = route, changed
        select = ui.select(models, label="Generator", value=route.model).classes("wide")
        select.props("outlined dense options-dense")
        select.on_value_change(lambda event: turn(event.value))
        self._origin()
        if classes:
            self._classes(classes)
        if route.styled:
            self._styles()
            self.psi, self.psi_said = self._slider("Truncation", "psi", 0, MAX_PSI, 0.05)
            self.psi.on_value_change(self._truncated)
        self.moves: list[ui.slider] = []
        self.said: list[ui.label] = []
        for number in range(NUM_MOVES):
            title = f"{MOVE_NAMES[number]} direction"
            means = f"principal direction {number + 1}, standard deviations"
            slider, said = self._slider(title, means, -MOST, MOST, 0.1)
            slider.on_value_change(partial(self._moved, number))
            self.moves.append(slider)
            self.said.append(said)
        reset = ui.button("Sliders back", icon="restart_alt", color=None, on_click=self._reset)
        reset.props("flat dense no-caps").classes("aside")
        self.error = ui.label().classes("error").props("role=alert")
        self.refresh()

    def refresh(self) -> None:
        """Show where the route is."""
        here = self.route.here
        if self.route.styled:
            self.psi.value, self.psi_said.text = here.psi, f"{here.psi:.2f}"
        for slider, said, amount in zip(self.moves, self.said, here.moves, strict=True):
            slider.value, said.text = amount, told_amount(amount)

    def _origin(self) -> None:
        with ui.element("div").classes("seed"):
            self.origin = ui.input("Origin, a seed", value=str(self.route.origin))
            self.origin.props("outlined dense inputmode=numeric").classes("grow")
            self.origin.on_value_change(self._placed)
            icon_button("casino", "Somewhere else", self._draw)

    def _classes(self, names: list[str]) -> None:
        options = {"": "as the origin draws it"} | {name: name for name in names}
        chosen = ui.select(
            options, label="Class", value=self.route.of_class, with_input=len(names) > FEW
        )
        chosen.props("outlined dense options-dense").classes("wide")
        chosen.on_value_change(self._classed)

    def _styles(self) -> None:
        ui.label("Layers that keep the style of a seed").classes("quiet")
        with ui.element("div").classes("numbers"):
            for name in LAYERS:
                seed = self.route.styles.get(name)
                field = ui.input(name.title(), value="" if seed is None else str(seed))
                field.props("outlined dense stack-label inputmode=numeric debounce=300")
                field.on_value_change(partial(self._styled, name))

    def _slider(
        self, title: str, means: str, low: float, high: float, step: float
    ) -> tuple[ui.slider, ui.label]:
        with ui.element("div").classes("dial"):
            ui.label(title)
            said = ui.label().classes("quiet")
            slider = ui.slider(min=low, max=high, step=step, value=max(low, 0))
            named(slider, f"{title}: {means}")
        return slider, said

    async def _placed(self, event: Any) -> None:
        with told_errors(self.error):
            self.route.origin = seed_from("origin", event.value or "")
            await self.changed()

    def _draw(self) -> None:
        self.origin.value = str(drawn_seed())

    async def _classed(self, event: Any) -> None:
        self.route.of_class = (event.value or "")[:200]
        await self.changed()

    async def _styled(self, name: str, event: Any) -> None:
        with told_errors(self.error):
            text = (event.value or "").strip()
            styles = {n: s for n, s in self.route.styles.items() if n != name}
            if text:
                styles[name] = seed_from(name, text)
            self.route.styles = styles
            await self.changed()

    async def _truncated(self, event: Any) -> None:
        if event.value != self.route.here.psi:
            self.route.here = replace(self.route.here, psi=round(event.value, 2))
            self.psi_said.text = f"{event.value:.2f}"
            await self.changed()

    async def _moved(self, number: int, event: Any) -> None:
        here = self.route.here.moved(number, event.value)
        if here != self.route.here:
            self.route.here = here
            self.said[number].text = told_amount(event.value)
            await self.changed()

    async def _reset(self) -> None:
        self.route.here = replace(self.route.here, psi=1.0, moves=(0.0,) * NUM_MOVES)
        self.refresh()
        await self.changed()


def told_amount(amount: float) -> str:
    """Standard deviations along a direction, for people."""
    return f"{amount:+.1f}" if amount else "0"
