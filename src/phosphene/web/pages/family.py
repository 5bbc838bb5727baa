"""The family of a picture: both parents, theirs, and the children that it led to."""

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from nicegui import ui

from phosphene.core.errors import NotFound
from phosphene.studio.lineage import Relative, line_of
from phosphene.studio.references import PREFIX
from phosphene.web.house import House
from phosphene.web.pages.litter import face_of
from phosphene.web.pages.pieces import Image, icon_button, named, told_errors

NUM_CHILDREN = 24
HOW = {
    "cross": "{second:.0%} of the genes from the second parent",
    "blend": "between its parents, {second:.0%} of the way to the second",
    "mutate": "one parent, mutated by {second:.0%}",
    "cross-classes": "{second:.0%} of the second parent's class",
    "mutate-classes": "one parent, {second:.0%} of another class",
    "seed": "a dream, seed {seed}",
    "found": "found in the generator",
}


class FamilyDialog:
    """Opens over the page; each ancestor in it is opened by a click.

    Args:
        breed: Told the name of a picture that shall be a parent.
        opened: Told the id of the picture whose family is shown; empty when it is closed.
    """

    def __init__(
        self, house: House, breed: Callable[[str], None], opened: Callable[[str], None]
    ) -> None:
        self.house, self.breed, self.opened = house, breed, opened
        with ui.dialog().props("full-width") as self.dialog:
            self.card = ui.element("article").classes("family panel").props('aria-label="Family"')
        self.dialog.on("hide", lambda: self.opened(""), args=[])

    async def open(self, picture: str) -> None:
        """Show the family of a picture; says so if there is no such picture."""
        with told_errors():
            gallery = self.house.studio.gallery
            line = await run_sync(line_of, gallery, picture)
            kin = await run_sync(gallery.kin, picture)
            self.card.clear()
            with self.card:
                self._head(line)
                with ui.element("div").classes("pedigree"):
                    self._branch(line, is_first=True)
                self._children(kin.children)
            self.opened(picture)
            self.dialog.open()

    def _head(self, line: Relative) -> None:
        with ui.element("div").classes("head"):
            with ui.element("div").classes("what"):
                ui.label(f"Family of {line.name or 'a picture'}").classes("subtitle")
                ui.label(how(line)).classes("quiet")
            icon_button("close", "Close", self.dialog.close)
        with ui.element("div").classes("acts"):
            if line.operator:
                button = ui.button("Breed with it", icon="add", color=None)
                button.props("outline no-caps").on_click(partial(self._take, line))
            ui.link("Open in gallery", f"/gallery?picture={line.picture}").classes("button-link")

    def _take(self, line: Relative) -> None:
        self.dialog.close()
        self.breed(PREFIX + line.picture)

    def _branch(self, line: Relative, is_first: bool = False) -> None:
        """A picture, below its parents."""
        with ui.element("div").classes("branch"):
            if line.parents:
                with ui.element("div").classes("above"):
                    for parent in line.parents:
                        self._branch(parent)
            elif line.has_more:
                ui.icon("more_vert").classes("quiet").props('aria-label="Older ones"')
            self._node(line, is_first)

    def _node(self, line: Relative, is_first: bool) -> None:
        is_dream = line.operator == "seed" and not line.has_classes
        with ui.element("div").classes("node first" if is_first else "node"):
            if line.picture:
                button = ui.element("button").classes("thumb").props("type=button")
                named(button, f"Family of {line.name}")
                button.on("click", partial(self.open, line.picture), args=[])
                with button:
                    Image(f"/api/gallery/{line.picture}/image")
            elif is_dream:
                face = face_of(str(line.seed), line.model)
                address = f"/person?{urlencode({'seed': line.seed, 'model': line.model})}"
                with ui.link(target=address).classes("thumb"):
                    Image(face.source, face.said)
            else:
                with ui.element("div").classes("thumb gone"):
                    ui.icon("hide_image").props('aria-label="Not in the gallery"')
            ui.label(line.name[:12]).classes("quiet")

    def _children(self, children: list[str]) -> None:
        there = [name for name in children[:NUM_CHILDREN] if self._hangs(name)]
        if not there:
            return
        ui.label("Its children").classes("subtitle").props("role=heading aria-level=2")
        with ui.element("div").classes("strip"):
            for number, name in enumerate(there, start=1):
                button = ui.element("button").classes("thumb").props("type=button")
                named(button, f"Child {number}").on("click", partial(self.open, name), args=[])
                with button:
                    Image(f"/api/gallery/{name}/image")

    def _hangs(self, picture: str) -> bool:
        try:
            return self.house.studio.gallery.get(picture).binned is None
        except NotFound:
            return False


def how(line: Relative) -> str:
    """How somebody came to be, in words."""
    text = HOW.get(line.operator, "a sheet or a tree of several").format(
        second=line.amount, seed=line.seed
    )
    return f"{text}, then mutated by {line.mutation:.0%}" if line.mutation else text
