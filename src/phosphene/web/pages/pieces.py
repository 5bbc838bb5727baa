"""Small parts that pages share: pictures, things to copy, what went wrong. All text stays text."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.recipe import Recipe
from phosphene.web.failures import Refused
from phosphene.web.pages.copies import as_address, as_command, as_python


class Image(ui.element):
    """A picture by its address, without cross-fading.

    Args:
        said: What a screen reader says; empty for decoration.
    """

    def __init__(self, source: str = "", said: str = "") -> None:
        super().__init__("img")
        self.props["alt"] = said
        self.props["draggable"] = "false"
        self.show(source)

    def show(self, source: str, said: str | None = None) -> None:
        """Change the picture."""
        if self.props.get("src") != source:
            self.props["src"] = source
        if said is not None:
            self.props["alt"] = said
        self.set_visibility(bool(source))


def named(element: ui.element, label: str) -> ui.element:
    """Give an element a name for screen readers, whatever is in it."""
    element.props["aria-label"] = label
    return element


def icon_button(icon: str, label: str, on_click: Callable[..., Any]) -> ui.button:
    """A button of an icon, which says what it does."""
    button = ui.button(icon=icon, color=None, on_click=on_click).props("flat round dense")
    named(button, label)
    with button:
        ui.tooltip(label)
    return button


def copy_menu(recipe: Callable[[], Recipe], address: Callable[[], str] | None = None) -> ui.button:
    """The three ways to take a recipe away.

    Args:
        recipe: Asked when something is copied.
        address: Path and query of the page that shows it; None looks for one by its kind.
    """
    button = ui.button("Copy as", icon="content_copy", color=None).props("flat dense no-caps")
    with button, ui.menu():
        for title, what in (("Command", as_command), ("Python", as_python), ("Link", None)):
            ui.menu_item(title, partial(_copy, title, recipe, what, address))
    return button


def _copy(
    title: str,
    recipe: Callable[[], Recipe],
    what: Callable[[Recipe], str] | None,
    address: Callable[[], str] | None,
) -> None:
    with told_errors():
        if what is not None:
            text = what(recipe())
        else:
            text = as_address(_base(), recipe()) if address is None else _base() + address()
        ui.clipboard.write(text)
        tell(f"{title} copied")


def _base() -> str:
    """Scheme and host that this page was asked from."""
    request = ui.context.client.request
    return str(request.base_url).rstrip("/") if request is not None else ""


@contextmanager
def told_errors(label: ui.label | None = None) -> Iterator[None]:
    """Say an error of ours, in a label or as a message that passes; the page goes on."""
    if label is not None:
        label.text = ""
    try:
        yield
    except (PhospheneError, Refused) as error:
        text = sentence(error)
        if label is not None:
            label.text = text
        else:
            tell(text, is_bad=True)


def tell(text: str, is_bad: bool = False) -> None:
    """Say something that passes; above, where no navigation is."""
    ui.notify(text, type="negative" if is_bad else None, position="top", multi_line=is_bad)


def sentence(error: Exception) -> str:
    """An error's line, as a sentence."""
    text = str(error)
    return text[:1].upper() + text[1:]


def empty(icon: str, title: str, more: str) -> None:
    """What a page says that has nothing to show yet."""
    with ui.element("div").classes("empty"):
        ui.icon(icon).props("aria-hidden=true")
        ui.label(title).classes("empty-title")
        ui.label(more)
