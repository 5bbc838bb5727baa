"""One picture of the gallery, large, with all that is known of it and all that can be done."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.entry import Entry
from phosphene.studio.recipe import Imagine, Recipe, Walk
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.references import PREFIX
from phosphene.web.house import House
from phosphene.web.pages.copies import as_address, file_for
from phosphene.web.pages.pieces import Image, copy_menu, icon_button, told_errors
from phosphene.web.pages.walked import route_of

NUM_KIN = 12


class PictureDialog:
    """Opens over the page that it is part of.

    Args:
        changed: Called when something has become of a picture.
    """

    def __init__(self, house: House, changed: Callable[[], Awaitable[None]]) -> None:
        self.house, self.changed = house, changed
        with ui.dialog().props("full-width") as self.dialog:
            self.card = ui.element("article").classes("sheet panel").props('aria-label="Picture"')

    async def open(self, picture: str) -> None:
        """Show a picture.

        Raises:
            NotFound: no such picture.
        """
        gallery = self.house.studio.gallery
        entry = await run_sync(gallery.get, picture)
        kin = await run_sync(gallery.kin, picture)
        self.card.clear()
        with self.card:
            with ui.element("div").classes("large"):
                Image(f"/api/gallery/{picture}/image", entry.title or entry.kind)
            with ui.element("div").classes("facts"):
                self._head(entry)
                self._acts(entry)
                _facts(entry)
                for title, names in (("Made from", kin.parents), ("Led to", kin.children)):
                    if names:
                        self._kin(title, names[:NUM_KIN])
                with ui.expansion("Recipe", icon="receipt_long").classes("recipe"):
                    text = json.dumps(entry.recipe, indent=2, ensure_ascii=False)
                    with ui.element("pre").props("tabindex=0"):
                        ui.label(text)
        self.dialog.open()

    def _head(self, entry: Entry) -> None:
        with ui.element("div").classes("head"):
            ui.label(entry.title or entry.kind).classes("subtitle")
            star = "star" if entry.favourite else "star_border"
            button = icon_button(star, "Favourite", partial(self._star, entry))
            button.props["aria-pressed"] = str(entry.favourite).lower()
            icon_button("close", "Close", self.dialog.close)

    def _acts(self, entry: Entry) -> None:
        recipe = _recipe(entry)
        with ui.element("div").classes("acts"):
            if entry.binned is not None:
                restore = ui.button("Restore", icon="restore_from_trash", color=None)
                restore.props("outline no-caps").on_click(partial(self._become, entry, "restore"))
                purge = ui.button("Delete for ever", icon="delete_forever", color=None)
                purge.props("flat no-caps").on_click(partial(self._become, entry, "purge"))
                return
            query = urlencode({"prompt": _words(recipe), "init_image": PREFIX + entry.id})
            ui.link("Use as start", f"/imagine?{query}").classes("button-link strong")
            if isinstance(recipe, Imagine):
                again = as_address("", recipe)
                ui.link("Open in Imagine", again).classes("button-link strong")
            if isinstance(recipe, Walk) and route_of(recipe) is not None:
                ui.link("Open in Wander", as_address("", recipe)).classes("button-link strong")
            if recipe is not None:
                copy_menu(lambda: recipe)
            icon_button("download", "Download", partial(_download, entry.id))
            self._collections(entry)
            icon_button("delete", "Delete", partial(self._become, entry, "delete"))

    def _collections(self, entry: Entry) -> None:
        button = icon_button("create_new_folder", "Add to a collection", lambda: None)
        with button, ui.menu():
            for collection in self.house.studio.collections.listed():
                add = partial(self._collect, entry.id, collection.id)
                ui.menu_item(collection.name, add)
            with ui.element("div").classes("new-collection"):
                name = ui.input("New collection").props("dense outlined")
                name.on("keydown.enter", lambda: self._found(entry.id, name.value or ""), args=[])

    def _collect(self, picture: str, collection: str) -> None:
        with told_errors():
            self.house.studio.collections.add(collection, picture)
            ui.notify("Added", position="top")

    async def _found(self, picture: str, name: str) -> None:
        with told_errors():
            made = self.house.studio.collections.create(name)
            self._collect(picture, made.id)
            await self.open(picture)

    def _kin(self, title: str, names: list[str]) -> None:
        ui.label(title).classes("quiet")
        with ui.element("div").classes("strip"):
            for name in names:
                button = ui.element("button").classes("thumb").props("type=button")
                button.props["aria-label"] = title
                button.on("click", partial(self.open, name), args=[])
                with button:
                    Image(f"/api/gallery/{name}/thumbnail")

    async def _star(self, entry: Entry) -> None:
        with told_errors():
            self.house.studio.gallery.star(entry.id, not entry.favourite)
            await self.open(entry.id)
            await self.changed()

    async def _become(self, entry: Entry, what: str) -> None:
        with told_errors():
            await run_sync(getattr(self.house.studio.gallery, what), entry.id)
            self.dialog.close()
            await self.changed()


def _facts(entry: Entry) -> None:
    made = datetime.fromtimestamp(entry.created).strftime("%Y-%m-%d %H:%M")
    facts = {
        "Model": entry.model,
        "Seed": entry.seed,
        "Size": f"{entry.width} x {entry.height} px",
        "Made": made,
        "From": {"import": "another program or studio", "moment": "a moment of a job"}.get(
            entry.origin, ""
        ),
    }
    with ui.element("dl").classes("fact-list"):
        for name, value in facts.items():
            if value:
                with ui.element("dt"):
                    ui.label(name)
                with ui.element("dd"):
                    ui.label(value)


def _recipe(entry: Entry) -> Recipe | None:
    """Its recipe; None where another version wrote it."""
    try:
        return parse_recipe(entry.recipe)
    except PhospheneError:
        return None


def _words(recipe: Recipe | None) -> str:
    return recipe.prompt[:2000] if isinstance(recipe, Imagine) else ""


def _download(picture: str) -> None:
    ui.download.from_url(f"/api/gallery/{picture}/image", file_for(picture))
