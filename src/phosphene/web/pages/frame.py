"""What every page has: the bar with the way to the others, light and dark, the style sheet."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fastapi import Request
from nicegui import ui

from phosphene.web.house import House
from phosphene.web.limits import client_of
from phosphene.web.pages.places import PLACES

HOUSE = "phosphene.house"  # in a request's scope
THEME = "phosphene-theme"  # a cookie: dark or light; without it, what the system prefers
THEMES = {"dark": True, "light": False}
STYLE = Path(__file__).with_name("style.css")
REMEMBER = (
    "document.cookie='" + THEME + "={};path=/;max-age=31536000;samesite=strict';"
    "document.querySelectorAll('.mode').forEach(e=>e.setAttribute('aria-pressed', '{}'))"
)
BUILD_SECONDS = 60.0  # a page may take to be built; NiceGUI's 3 end as a fault on a loaded machine
# what is dark now, the system's wish included, only the browser knows
IS_DARK = "document.body.classList.contains('body--dark')"


def house_of(request: Request) -> House:
    """The studio that a page shows."""
    house: House = request.scope[HOUSE]
    return house


def visitor_of() -> str:
    """Who visits the page that is being answered, as limits count clients."""
    request = ui.context.client.request
    return client_of(request.client.host if request is not None and request.client else None)


def page(path: str) -> ui.page:
    """Make a function the page of an address, titled as in the navigation."""
    title = f"{PLACES[path].title} · phosphene"
    return ui.page(path, title=title, response_timeout=BUILD_SECONDS)


@contextmanager
def frame(request: Request, path: str) -> Iterator[None]:
    """Everything around a page's content, which goes into the block.

    Args:
        path: The page's own address, marked in the navigation.
    """
    ui.add_css(_style())
    mode = ui.dark_mode(THEMES.get(request.cookies.get(THEME, "")))
    ui.link("Skip to content", "#content").classes("skip")
    with ui.element("header").classes("bar"):
        with ui.link(target="/imagine").classes("brand").props('aria-label="phosphene, home"'):
            ui.element("span").classes("mark").props("aria-hidden=true")
            ui.label("phosphene").classes("word")
        with ui.element("nav").classes("ways").props('aria-label="Pages"'):
            for address, place in PLACES.items():
                if place.title:
                    _way(address, place.title, place.icon, address == path)
        button = ui.button(icon="contrast", color=None, on_click=lambda: _turn(mode)).classes(
            "mode"
        )
        button.props('flat round dense aria-label="Light or dark"')
    with ui.element("main").classes("content").props("id=content tabindex=-1"):
        yield


def _way(address: str, title: str, icon: str, is_here: bool) -> None:
    with ui.link(target=address).classes("way" + (" here" if is_here else "")) as link:
        if is_here:
            link.props("aria-current=page")
        ui.icon(icon).props("aria-hidden=true")
        ui.label(title)


async def _turn(mode: ui.dark_mode) -> None:
    """Change between light and dark, and remember it in this browser."""
    is_dark = bool(await ui.run_javascript(IS_DARK))
    mode.value = not is_dark
    ui.run_javascript(REMEMBER.format("light" if is_dark else "dark", str(not is_dark).lower()))


@cache
def _style() -> str:
    return STYLE.read_text(encoding="utf-8")
