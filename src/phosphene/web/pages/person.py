"""Person: a new face at each refresh; the same for each generator that is here."""

from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Sample
from phosphene.studio.recipes.fields import drawn_seed
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.pieces import Image, copy_menu, empty, named, sentence, tell, told_errors
from phosphene.web.pages.shelf import dreamers
from phosphene.web.persons import FACES, dream_fields, is_styled, sample_of

PATH = "/person"
NUM_MORE = 12


class Dial(NamedTuple):
    """A slider of truncation.

    Args:
        plain: Where it changes nothing.
        means: What a screen reader says.
    """

    low: float
    high: float
    step: float
    plain: float
    means: str


PSI = Dial(0, 1.5, 0.05, 1, "psi, 0 is the mean picture, 1 changes nothing")
THRESHOLD = Dial(0.2, 3, 0.1, 3, "no component of z is larger; 3 changes nothing")


class Dream:
    """One picture, and the next."""

    def __init__(self, house: House, model: str, seed: int, truncation: float | None) -> None:
        self.house, self.model, self.seed, self.truncation = house, model, seed, truncation
        with ui.element("section").classes("dream"):
            with ui.element("div").classes("canvas face"):
                self.image = Image()
            with ui.element("div").classes("acts centred"):
                another = ui.button("Another", icon="refresh", on_click=self.another)
                another.props("unelevated no-caps").classes("primary")
                self.line = ui.label().classes("quiet").props("role=status")
                keep = ui.button("Keep", icon="bookmark_add", color=None, on_click=self.keep)
                keep.props("outline no-caps")
                copy_menu(self.recipe, lambda: f"{PATH}?{self._query(self.seed)}")
            self._dial()
            self.more = ui.element("div").classes("wall small")
        self.show()

    def recipe(self) -> Sample:
        """The recipe of what is shown.

        Raises:
            RecipeError: a truncation that the model cannot have.
        """
        return sample_of(self.house, self.model, self.seed, self.truncation)

    def another(self) -> None:
        """Show another one."""
        self.take(drawn_seed())

    def take(self, seed: int) -> None:
        """Show that of a seed."""
        self.seed = seed
        self._changed()

    def show(self) -> None:
        """Show what is chosen, and a dozen of other seeds to choose from."""
        self.line.text = f"seed {self.seed}"
        self.image.show(f"/person.png?{self._query(self.seed)}", f"{self.model}, seed {self.seed}")
        self.more.clear()
        with self.more:
            for number in range(NUM_MORE):
                seed = (self.seed + 1 + number) % 2**32
                tile = ui.element("button").classes("tile").props("type=button")
                named(tile, f"Seed {seed}").on("click", partial(self.take, seed), args=[])
                with tile:
                    Image(f"/person.png?{self._query(seed)}").props("loading=lazy")

    async def keep(self) -> None:
        """Put it into the gallery, by way of the queue."""
        with told_errors():
            await run_sync(self.house.submit, visitor_of(), self.recipe())
            tell("It will be in the gallery in a moment")

    def _dial(self) -> None:
        """The slider of truncation; where it changes nothing, it is not said."""
        dial = PSI if is_styled(self.house, self.model) else THRESHOLD
        value = dial.plain if self.truncation is None else self.truncation
        with ui.element("div").classes("dial truncation"):
            ui.label("Truncation")
            said = ui.label().classes("quiet")
            slider = ui.slider(min=dial.low, max=max(dial.high, value), step=dial.step, value=value)
            named(slider.props("debounce=150"), f"Truncation: {dial.means}")

        def told() -> None:
            said.text = "off" if self.truncation is None else f"{self.truncation:g}"

        def moved() -> None:
            value = round(slider.value, 2)
            self.truncation = None if value == dial.plain else value
            told()
            self._changed()

        told()
        slider.on_value_change(moved)

    def _changed(self) -> None:
        ui.navigate.history.replace(f"{PATH}?{self._query(self.seed)}")
        self.show()

    def _query(self, seed: int) -> str:
        return urlencode(dream_fields(self.model, seed, self.truncation))


@page(PATH)
async def person_page(
    request: Request, model: str = "", seed: int | None = None, truncation: str = ""
) -> None:
    """Show a new face; or that of a seed, or what another generator dreams of."""
    house = house_of(request)
    names = [card.name for card in await run_sync(dreamers, house.settings.home)]
    names.sort(key=lambda name: (name != FACES, name))
    with frame(request, PATH):
        with ui.element("div").classes("heading"):
            ui.label("Person").classes("title").props("role=heading aria-level=1")
            if names:
                chosen = model if model in names else names[0]
                select = ui.select(names, label="Generator", value=chosen)
                select.props("outlined dense options-dense")
                select.on_value_change(lambda e: ui.navigate.to(f"{PATH}?model={e.value}"))
        if not names:
            empty("face", "No generator is here", "Fetch one: phosphene models pull faces-dcgan")
            return
        shown = drawn_seed() if seed is None or seed < 0 else min(seed, 2**63 - 1)
        amount, complaint = None, ""
        try:
            amount = _truncation(house, chosen, shown, truncation)
        except RecipeError as error:
            complaint = sentence(error)
        Dream(house, chosen, shown, amount)
        if complaint:
            tell(complaint, is_bad=True)


def _truncation(house: House, model: str, seed: int, text: str) -> float | None:
    """Read a truncation of an address.

    Raises:
        RecipeError: it is no number, or one that the model cannot have.
    """
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        raise RecipeError(f"truncation: {text[:40]!r} is no number; use 0.7, for example") from None
    sample_of(house, model, seed, amount)
    return amount
