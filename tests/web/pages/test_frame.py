"""Around each page: the way to the others, light and dark, names for what is only drawn."""

import time

import pytest
from nicegui import ui

from phosphene.web.pages.frame import STYLE
from phosphene.web.pages.places import PLACES
from phosphene.web.pages.shelf import dreamers
from tests.web.pages.visitor import visit

SHOWN = [path for path, place in PLACES.items() if place.title]


@pytest.mark.parametrize("path", SHOWN)
def test_the_navigation_knows_where_it_is(tmp_path, monkeypatch, path):
    async def what(user, studio):
        await user.open(path)
        ways = [link for link in user.find(kind=ui.link).elements if "way" in link.classes]
        assert sorted(link.props["href"] for link in ways) == sorted(SHOWN)
        (here,) = [link for link in ways if link.props.get("aria-current") == "page"]
        assert here.props["href"] == path
        for button in user.find(kind=ui.button).elements:
            assert button.text or button.props.get("aria-label"), button

    visit(tmp_path, monkeypatch, what)


@pytest.mark.slow
def test_on_a_loaded_machine_a_page_comes_late(tmp_path, monkeypatch):
    def slowly(home):
        time.sleep(3.2)  # longer than NiceGUI waits by itself
        return dreamers(home)

    monkeypatch.setattr("phosphene.web.pages.breed.dreamers", slowly)

    async def what(user, studio):
        await user.open("/breed")
        await user.should_see("Dreams of")

    visit(tmp_path, monkeypatch, what)


@pytest.mark.slow
@pytest.mark.parametrize(("cookie", "mode"), [("dark", True), ("light", False), ("x", None)])
def test_light_or_dark_is_remembered(tmp_path, monkeypatch, cookie, mode):
    async def what(user, studio):
        user.http_client.cookies.set("phosphene-theme", cookie)
        await user.open("/imagine")
        (element,) = user.find(kind=ui.dark_mode).elements
        assert element.value is mode

    visit(tmp_path, monkeypatch, what)


def test_the_style_sheet_asks_for_nothing():
    text = STYLE.read_text()
    assert "url(" not in text
    assert "@import" not in text
    assert ":focus-visible" in text
    assert "prefers-reduced-motion" in text
