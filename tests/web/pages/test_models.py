"""Models: each card is shown; what is not here is fetched, and how far that is can be seen;
checkpoints of open folders become models.
"""

import threading

import pytest
from nicegui import ui

from phosphene.core.errors import WeightsError
from phosphene.zoo.download import Progress
from phosphene.zoo.registry import shipped_cards
from tests.web.pages.visitor import visit
from tests.zoo.taming_reference import drawn_weights, published
from tests.zoo.test_convert import GUMBEL


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


def open_folder(tmp_path):
    """A folder with a checkpoint and something that is none."""
    folder = tmp_path / "open"
    folder.mkdir()
    published(GUMBEL, drawn_weights(GUMBEL), folder)
    (folder / "text.pkl").write_text("no checkpoint")
    return folder


def only(user, kind, label):
    (found,) = (
        e
        for e in user.client.elements.values()
        if isinstance(e, kind) and e.props.get("label") == label
    )
    return found


@pytest.mark.slow
def test_a_checkpoint_becomes_a_card(tmp_path, monkeypatch):
    folder = open_folder(tmp_path)

    async def what(user, studio):
        await user.open("/models")
        file = only(user, ui.select, "Checkpoint")
        assert file.options == ["open/last.ckpt", "open/text.pkl"]
        only(user, ui.input, "Name").value = "my-gumbel"
        await user.should_not_see("VQGAN converted from")
        user.press_icon("autorenew")
        await user.should_see("Converting open/last.ckpt")
        await user.should_see("my-gumbel is here", retries=200)
        await user.should_see("VQGAN converted from 'last.ckpt'")
        await user.should_see("converted on this machine")
        card = (tmp_path / "share" / "home" / "models" / "my-gumbel" / "card.toml").read_text()
        assert "last.ckpt" in card

    visit(tmp_path / "share", monkeypatch, what, checkpoints=(folder,))


@pytest.mark.slow
def test_what_cannot_be_converted_is_one_line(tmp_path, monkeypatch):
    folder = open_folder(tmp_path)

    async def what(user, studio):
        await user.open("/models")
        only(user, ui.select, "Checkpoint").value = "open/text.pkl"
        only(user, ui.select, "Kind").value = "stylegan2"
        assert only(user, ui.input, "Name").props["placeholder"] == "text"
        user.press_icon("autorenew")
        await user.should_see("'text.pkl' is not a ", retries=200)
        await user.should_not_see("Converting open/text.pkl")
        only(user, ui.input, "Name").value = "emoji-vqgan"
        user.press_icon("autorenew")
        await user.should_see("There is a model 'emoji-vqgan'; choose another name")

    visit(tmp_path / "share", monkeypatch, what, checkpoints=(folder,))


def test_convert_is_absent_where_no_folder_is_open(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/models")
        await user.should_not_see("Convert")

    visit(tmp_path / "share", monkeypatch, what)


def test_a_folder_without_checkpoints_says_so(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()

    async def what(user, studio):
        await user.open("/models")
        await user.should_see("Nothing to convert")

    visit(tmp_path / "share", monkeypatch, what, checkpoints=(tmp_path / "open",))
