"""Person: a new face at each refresh; the same for each generator that is here."""

from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.studio.recipes.fields import drawn_seed
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page, visitor_of
from phosphene.web.pages.pieces import Image, copy_menu, empty, named, tell, told_errors
from phosphene.web.pages.shelf import dreamers
from phosphene.web.persons import FACES, sample_of

PATH = "/person"
NUM_MORE = 12


class Dream:
    """One picture, and the next."""

    def __init__(self, house: House, model: str, seed: int) -> None:
        self.house, self.model, self.seed = house, model, seed
        with ui.element("section").classes("dream"):
            with ui.element("div").classes("canvas face"):
                self.image = Image()
            with ui.element("div").classes("acts centred"):
                another = ui.button("Another", icon="refresh", on_click=self.another)
                another.props("unelevated no-caps").classes("primary")
                self.line = ui.label().classes("quiet").props("role=status")
                keep = ui.button("Keep", icon="bookmark_add", color=None, on_click=self.keep)
                keep.props("outline no-caps")
                copy_menu(lambda: sample_of(self.house, self.model, self.seed))
            self.more = ui.element("div").classes("wall small")
        self.show()

    def another(self) -> None:
        """Show another one."""
        self.take(drawn_seed())

    def take(self, seed: int) -> None:
        """Show that of a seed."""
        self.seed = seed
        ui.navigate.history.replace(f"{PATH}?{self._query(seed)}")
        self.show()

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
            recipe = sample_of(self.house, self.model, self.seed)
            await run_sync(self.house.submit, visitor_of(), recipe)
            tell("It will be in the gallery in a moment")

    def _query(self, seed: int) -> str:
        return urlencode({"seed": seed, "model": self.model})


@page(PATH)
async def person_page(request: Request, model: str = "", seed: int | None = None) -> None:
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
        Dream(house, chosen, shown)
