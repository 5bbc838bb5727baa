"""Models: each card is shown; what is not here is fetched, and how far that is can be seen."""

import threading

from phosphene.core.errors import WeightsError
from phosphene.zoo.download import Progress
from phosphene.zoo.registry import shipped_cards
from tests.web.pages.visitor import visit


def test_each_card_says_whose_it_is(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/models")
        for card in shipped_cards():
            for text in (card.name, card.summary, card.licence, card.trained_on):
                await user.should_see(text)
        await user.should_see("not here")

    visit(tmp_path, monkeypatch, what)


def test_a_model_is_fetched(tmp_path, monkeypatch):
    going = threading.Event()
    asked = []

    def pull(name, home):
        asked.append(name)
        yield Progress(name, 4_000_000, 8_000_000)
        going.wait(20)
        yield Progress(name, 8_000_000, 8_000_000)

    monkeypatch.setattr("phosphene.web.pages.models.pull", pull)

    async def what(user, studio):
        await user.open("/models")
        user.press_icon("download")
        await user.should_see(": 4 MB")
        going.set()
        await user.should_see("It is here")
        assert len(asked) == 1

    visit(tmp_path, monkeypatch, what)


def test_what_goes_wrong_is_said(tmp_path, monkeypatch):
    def pull(name, home):
        raise WeightsError("no network; try again")
        yield

    monkeypatch.setattr("phosphene.web.pages.models.pull", pull)

    async def what(user, studio):
        await user.open("/models")
        user.press_icon("download")
        await user.should_see("No network; try again")

    visit(tmp_path, monkeypatch, what)
