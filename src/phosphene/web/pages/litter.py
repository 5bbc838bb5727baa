"""The grid of Breed: parents above, dreams or children below, each to be chosen and starred."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from nicegui import ui

from phosphene.studio.references import PREFIX, is_id
from phosphene.web.pages.pieces import Image, icon_button, named


class Face(NamedTuple):
    """A picture that can be a parent.

    Args:
        name: What a recipe calls it: a seed, or `artifact:ID`.
        model: Whose dream it is.
        said: What a screen reader says.
    """

    name: str
    model: str
    said: str

    @property
    def picture(self) -> str:
        """Its id in the gallery; empty for a seed."""
        return self.name.removeprefix(PREFIX) if self.name.startswith(PREFIX) else ""

    @property
    def source(self) -> str:
        """Where its picture is."""
        if is_id(self.picture):
            return f"/api/gallery/{self.picture}/image"
        return f"/person.png?{urlencode({'seed': self.name, 'model': self.model})}"


def face_of(name: str, model: str, said: str = "") -> Face:
    """A parent or child by its name."""
    plain = f"picture {name[len(PREFIX) :][:8]}" if name.startswith(PREFIX) else f"seed {name}"
    return Face(name, model, said or plain)


class Litter:
    """Draws faces; what is chosen and starred changes without drawing them anew.

    Args:
        pick: Told the name of a picture that is clicked.
        star: Of one whose star is.
        family: Of one whose family is asked for.
    """

    def __init__(
        self,
        pick: Callable[[str], None],
        star: Callable[[str], Awaitable[None]],
        family: Callable[[str], Awaitable[None]],
    ) -> None:
        self.pick, self.star, self.family = pick, star, family
        self._tiles: list[tuple[Face, ui.element, ui.button]] = []
        self._shown: object = None
        self.place = ui.element("div").classes("litter")

    @property
    def names(self) -> list[str]:
        """All that is shown."""
        return [face.name for face, _, _ in self._tiles]

    def show(self, parents: Sequence[Face], faces: Sequence[Face], expected: int = 0) -> None:
        """Show pictures.

        Args:
            parents: Of the pictures; none for dreams.
            expected: How many there will be: places for those that are not there yet.
        """
        if (now := (tuple(parents), tuple(faces), expected)) == self._shown:
            return
        self._shown = now
        self._tiles.clear()
        self.place.clear()
        with self.place:
            if parents:
                ui.label("Parents").classes("subtitle").props("role=heading aria-level=2")
                with ui.element("div").classes("wall parents"):
                    for face in parents:
                        self._tile(face)
                ui.label("Children").classes("subtitle").props("role=heading aria-level=2")
            with ui.element("div").classes("wall children"):
                for face in faces:
                    self._tile(face)
                for _ in range(expected - len(faces)):
                    ui.element("div").classes("tile coming").props("aria-hidden=true")

    def mark(self, chosen: Collection[str], starred: Collection[str]) -> None:
        """Show who is chosen as a parent, and who has a star."""
        for face, tile, star in self._tiles:
            is_chosen, is_starred = face.name in chosen, face.name in starred
            tile.props["aria-pressed"] = str(is_chosen).lower()
            tile.classes(add="chosen" if is_chosen else "", remove="" if is_chosen else "chosen")
            star.icon = "star" if is_starred else "star_border"
            star.props["aria-pressed"] = str(is_starred).lower()
            tile.update()
            star.update()

    def _tile(self, face: Face) -> None:
        with ui.element("div").classes("face-box"):
            tile = ui.element("button").classes("tile").props("type=button aria-pressed=false")
            named(tile, face.said).on("click", partial(self.pick, face.name), args=[])
            with tile:
                Image(face.source)
                ui.icon("check_circle").classes("chosen-mark").props("aria-hidden=true")
            with ui.element("div").classes("under"):
                star = icon_button("star_border", "Favourite", partial(self.star, face.name))
                if face.picture:
                    icon_button("account_tree", "Family", partial(self.family, face.name))
        self._tiles.append((face, tile, star))
