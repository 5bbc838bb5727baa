"""The gallery: pictures are found again, kept, thrown away and brought back."""

import time
from dataclasses import replace
from functools import partial

from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.entry import Entry
from phosphene.studio.gallery import Page, Search
from phosphene.studio.recipe import KINDS
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page
from phosphene.web.pages.picture import PictureDialog
from phosphene.web.pages.pieces import Image, empty, named, sentence, tell
from phosphene.web.pages.transfer import export_address, import_button

PATH = "/gallery"
PAGE_SIZE = 48
TYPING_MS = 250
MAX_CHOSEN = 200  # they go into one address
DAY = 86400.0
AGES = {None: "any time", 1: "today", 7: "7 days", 30: "30 days"}


class Wall:
    """The grid, and what is looked for."""

    def __init__(self, house: House, search: Search) -> None:
        self.house, self.search = house, search
        self._page: Page | None = None
        self.is_choosing, self.chosen = False, dict[str, None]()  # in the order of clicks
        self._filters()
        with ui.element("div").classes("acts of-wall"):
            self.count = ui.label().classes("quiet grow").props("role=status")
            import_button(self.fill)
            self.choosing = ui.button("Select", icon="check_circle", color=None)
            self.choosing.props("outline no-caps").on_click(self._choose)
            export = ui.button("Export", icon="archive", color=None, on_click=self._export)
            export.props("outline no-caps")
        self.grid = ui.element("div").classes("wall")
        self.nothing = ui.element("div")
        self.more = ui.button("Show more", color=None, on_click=self.add)
        self.more.props("outline no-caps").classes("more")
        self.dialog = PictureDialog(house, self.changed)

    async def fill(self) -> None:
        """Show what is found, from the newest."""
        self.grid.clear()
        self._page = None
        self.chosen.clear()
        await self.add()

    async def add(self) -> None:
        """Show the next ones."""
        after = self._page.more if self._page else None
        self._page = await run_sync(self.house.studio.gallery.search, self.search, PAGE_SIZE, after)
        with self.grid:
            for entry in self._page.entries:
                self._tile(entry)
        total = self._page.total
        self._count()
        self.more.set_visibility(self._page.more is not None)
        self.empty_bin.set_visibility(self.search.bin and total > 0)
        self._show_nothing(total)

    async def changed(self) -> None:
        """Something has become of a picture."""
        await self.fill()

    def _tile(self, entry: Entry) -> None:
        tile = ui.element("button").classes("tile").props("type=button")
        named(tile, entry.title or entry.kind)
        tile.on("click", partial(self._clicked, entry.id, tile), args=[])
        with tile:
            Image(f"/api/gallery/{entry.id}/thumbnail").props("loading=lazy")
            ui.icon("check_circle").classes("chosen-mark").props("aria-hidden=true")
            with ui.element("span").classes("caption"):
                ui.label(entry.title or entry.kind)
            if entry.favourite:
                ui.icon("star").classes("starred").props("aria-label=Favourite")

    async def _clicked(self, picture: str, tile: ui.element) -> None:
        if not self.is_choosing:
            await self.dialog.open(picture)
            return
        is_chosen = picture not in self.chosen
        if is_chosen and len(self.chosen) == MAX_CHOSEN:
            tell(f"{MAX_CHOSEN} are enough; export these first", is_bad=True)
            return
        self.chosen.pop(picture, None)
        self.chosen |= {picture: None} if is_chosen else {}
        tile.classes(add="chosen" if is_chosen else "", remove="" if is_chosen else "chosen")
        tile.props["aria-pressed"] = str(is_chosen).lower()
        self._count()

    async def _choose(self) -> None:
        """Let clicks choose pictures, or open them again."""
        self.is_choosing = not self.is_choosing
        self.choosing.text = "Done" if self.is_choosing else "Select"
        await self.fill()

    def _export(self) -> None:
        ui.download.from_url(export_address(self.search, self.chosen), "phosphene.zip")

    def _count(self) -> None:
        """Say how many there are; while one chooses, how many are chosen."""
        total = self._page.total if self._page is not None else 0
        self.count.text = "1 picture" if total == 1 else f"{total:,} pictures"
        if self.is_choosing:
            number = len(self.chosen)
            self.count.text = f"{number} chosen" if number else "Click pictures to choose them"

    def _show_nothing(self, total: int) -> None:
        self.nothing.clear()
        if total:
            return
        with self.nothing:
            if self.search == Search(bin=self.search.bin):
                if self.search.bin:
                    empty("delete_outline", "The bin is empty", "What you delete waits here.")
                else:
                    empty("photo_library", "No pictures yet", "What is painted hangs here.")
            else:
                empty("search_off", "Nothing found", "Fewer words, or other filters.")

    def _filters(self) -> None:
        collections = {c.id: c.name for c in self.house.studio.collections.listed()}
        with ui.element("div").classes("filters").props("role=search"):
            words = ui.input("Search", value=self.search.words).classes("grow")
            words.props(f"outlined dense clearable debounce={TYPING_MS}")
            self._on(words, "words")
            kinds: dict[str | None, str] = {None: "all kinds"}
            kinds |= {str(k): str(k) for k in KINDS if k != "train"}
            self._on(_choice("Kind", kinds, self.search.kind), "kind")
            self._on(_choice("Made", AGES, None), "since")
            models: dict[str | None, str] = {None: "all models"}
            models |= {name: name for name in self.house.model_names()}
            self._on(_choice("Model", models, self.search.model), "model")
            if collections:
                choices: dict[str | None, str] = {None: "all pictures"}
                choices |= dict(collections.items())
                self._on(_choice("Collection", choices, self.search.collection), "collection")
            stars = ui.checkbox("Favourites", value=bool(self.search.favourite))
            self._on(stars, "favourite")
            self._on(ui.checkbox("Bin", value=self.search.bin), "bin")
            self.empty_bin = ui.button("Empty the bin", color=None, on_click=self._empty)
            self.empty_bin.props("flat dense no-caps")

    def _on(self, field: ui.input | ui.select | ui.checkbox, name: str) -> None:
        async def changed() -> None:
            value = field.value
            if name == "words":
                value = value or ""
            if name == "favourite":
                value = True if value else None
            if name == "since" and value is not None:
                value = time.time() - value * DAY
            self.search = replace(self.search, **{name: value})
            await self.fill()

        field.on_value_change(changed)

    async def _empty(self) -> None:
        with ui.dialog() as sure, ui.card():
            ui.label("Delete everything in the bin for ever?")
            with ui.row():
                ui.button("Delete for ever", color="negative", on_click=lambda: sure.submit(True))
                ui.button("Keep", color=None, on_click=lambda: sure.submit(False)).props("flat")
        if await sure:
            number = await run_sync(self.house.studio.gallery.empty_bin)
            tell(f"{number} deleted")
            await self.fill()


@page(PATH)
async def gallery_page(
    request: Request, q: str = "", kind: str = "", collection: str = "", picture: str = ""
) -> None:
    """Show the gallery: all of it, what an address looks for, or one picture."""
    house = house_of(request)
    search = Search(words=q[:500], kind=kind or None, collection=collection or None)
    with frame(request, PATH):
        ui.label("Gallery").classes("title").props("role=heading aria-level=1")
        wall = Wall(house, search)
        await wall.fill()
        if picture:
            try:
                await wall.dialog.open(picture)
            except PhospheneError as error:
                ui.label(sentence(error)).classes("error").props("role=alert")


def _choice(label: str, options: dict, value: object) -> ui.select:  # type: ignore[type-arg]
    if value not in options:
        value = None
    select = ui.select(options, label=label, value=value)
    select.props("outlined dense options-dense")
    return select
