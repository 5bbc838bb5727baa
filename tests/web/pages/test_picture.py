"""One picture, large: all that is known of it, and what becomes of it."""

from phosphene.studio.gallery import Search
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import visit


def test_a_picture_says_what_is_known_of_it(tmp_path, monkeypatch):
    async def what(user, studio):
        parent = hang(studio, picture("owl", "blue"))
        name = hang(studio, picture("fox"), parents_of=[parent])
        await user.open(f"/gallery?picture={name}")
        for text in ("fox", "emoji-vqgan", "20 x 10 px", "Made from", '"prompt": "fox"'):
            await user.should_see(text)
        addresses = {e.props.get("href", "") for e in user.client.elements.values()}
        assert any(a.startswith("/imagine?prompt=fox&") and "seed=7" in a for a in addresses)
        assert f"/imagine?prompt=fox&init_image=artifact%3A{name}" in addresses

    visit(tmp_path, monkeypatch, what)


def test_a_star_the_bin_and_back(tmp_path, monkeypatch):
    async def what(user, studio):
        name = hang(studio, picture("fox"))
        await user.open(f"/gallery?picture={name}")
        user.press_icon("star_border")
        await user.until(lambda: studio.gallery.get(name).favourite)
        user.press_icon("delete")
        await user.until(lambda: studio.gallery.search(Search(bin=True)).total == 1)
        await user.open(f"/gallery?picture={name}")
        user.press("Restore")
        await user.until(lambda: studio.gallery.get(name).binned is None)

    visit(tmp_path, monkeypatch, what)


def test_a_collection_is_founded_with_a_picture(tmp_path, monkeypatch):
    async def what(user, studio):
        name = hang(studio, picture("fox"))
        await user.open(f"/gallery?picture={name}")
        user.find("New collection").type("animals").trigger("keydown.enter")
        await user.should_see("Added")
        (collection,) = studio.collections.listed()
        assert (collection.name, collection.count) == ("animals", 1)

    visit(tmp_path, monkeypatch, what)
