"""The gallery's page: what is looked for is shown, and nothing else."""

from nicegui import ui

from phosphene.studio.gallery import Search
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import visit


def tiles(user):
    found = [e for e in user.client.elements.values() if "tile" in e.classes]
    return {e.props["aria-label"] for e in found}


def test_search_and_filters(tmp_path, monkeypatch):
    async def what(user, studio):
        fox = hang(studio, picture("fox in the snow", "red"))
        hang(studio, picture("owl", "blue"))
        studio.gallery.star(fox)
        await user.open("/gallery")
        await user.should_see("2 pictures")
        user.find(kind=ui.input, content="Search").type("snow")
        await user.should_see("1 picture")
        assert tiles(user) == {"fox in the snow"}
        user.find(kind=ui.input, content="Search").type(" desert")
        await user.should_see("Nothing found")
        await user.open("/gallery?q=owl")
        assert tiles(user) == {"owl"}
        await user.open("/gallery")
        user.find("Favourites").click()
        await user.should_see("1 picture")
        assert tiles(user) == {"fox in the snow"}

    visit(tmp_path, monkeypatch, what)


def test_an_empty_gallery_says_so(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/gallery")
        await user.should_see("No pictures yet")
        user.find("Bin").click()
        await user.should_see("The bin is empty")
        await user.open("/gallery?picture=" + "0" * 64)
        await user.should_see("No picture '0000")

    visit(tmp_path, monkeypatch, what)


def test_the_bin_is_emptied_after_a_question(tmp_path, monkeypatch):
    async def what(user, studio):
        studio.gallery.delete(hang(studio, picture("fox")))
        await user.open("/gallery")
        await user.should_see("No pictures yet")
        user.find("Bin").click()
        await user.should_see("1 picture")
        user.press("Empty the bin")
        await user.should_see("for ever?")
        assert studio.gallery.search(Search(bin=True)).total == 1
        user.press("Delete for ever")
        await user.should_see("The bin is empty")
        assert studio.gallery.search(Search(bin=True)).total == 0

    visit(tmp_path, monkeypatch, what)
