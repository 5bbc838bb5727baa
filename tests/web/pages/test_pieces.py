"""Parts that pages share; above all: what people wrote is never read as HTML."""

import pytest
from nicegui import ui
from nicegui.testing.user_interaction import UserInteraction

from phosphene.core.errors import RecipeError
from phosphene.web.pages.pieces import sentence
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import visit
from tests.web.served import BASE

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_a_prompt_is_text_wherever_it_stands(tmp_path, monkeypatch):
    async def what(user, studio):
        hang(studio, picture(EVIL))
        response = await user.http_client.get("/imagine", params={"prompt": EVIL})
        assert "<img src=x" not in response.text
        assert "<script>alert" not in response.text
        await user.open("/imagine")
        assert not user.find(kind=ui.label).elements & _htmls(user)

    visit(tmp_path, monkeypatch, what)


def press(user, text):
    """Click an entry of the first menu; entries have no text of their own."""
    items = [
        e
        for e in user.client.elements.values()
        if isinstance(e, ui.menu_item) and any(getattr(c, "text", "") == text for c in e)
    ]
    UserInteraction(user, set(items[:1]), None).click()


def _htmls(user):
    return {e for e in user.client.elements.values() if isinstance(e, ui.html | ui.markdown)}


def test_a_recipe_is_copied_in_three_ways(tmp_path, monkeypatch):
    async def what(user, studio):
        copied = []
        monkeypatch.setattr("phosphene.web.pages.pieces.ui.clipboard.write", copied.append)
        await user.open("/imagine?prompt=fox&seed=7")
        press(user, "Command")
        await user.should_see("Command copied")
        press(user, "Python")
        press(user, "Link")
        await user.should_see("Link copied")
        assert copied[0] == "phosphene imagine --seed 7 fox"
        assert "phosphene.imagine('fox', seed=7)" in copied[1]
        assert copied[2] == f"{BASE}/imagine?prompt=fox&seed=7"

    visit(tmp_path, monkeypatch, what)


@pytest.mark.parametrize("text", ["seed: too large", "x"])
def test_an_error_is_a_sentence(text):
    assert sentence(RecipeError(text)) == text[0].upper() + text[1:]
