"""Pictures come in and go out; the browser tests press the buttons for real."""

from nicegui import ui
from nicegui.testing.user_interaction import UserInteraction

from phosphene.studio.gallery import Search
from phosphene.web.pages.transfer import MAX_BYTES, export_address
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import visit


def said(user, told):
    """What the page does when the browser says what became of files."""
    (file,) = (e for e in user.client.elements.values() if e.props.get("type") == "file")
    UserInteraction(user, {file}, None).trigger("change", told)


def tiles(user):
    return [e for e in user.client.elements.values() if "tile" in e.classes]


def test_what_came_in_is_shown_and_what_did_not_is_said(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/gallery")
        await user.should_see("No pictures yet")
        hang(studio, picture("fox"))
        said(user, [["fox.png", ""], ["cat.png", "the picture carries no recipe"]])
        await user.should_see("cat.png: the picture carries no recipe")
        await user.should_see("1 picture imported")
        await user.until(lambda: len(tiles(user)) == 1)

    visit(tmp_path, monkeypatch, what)


def test_the_zip_is_of_what_is_chosen_else_of_what_is_found(tmp_path, monkeypatch):
    async def what(user, studio):
        fox, _ = hang(studio, picture("fox")), hang(studio, picture("owl", "blue"))
        await user.open("/gallery?q=fox")
        user.press("Export")
        await user.until(lambda: user.download.http_responses)
        assert user.download.http_responses[0].request.url.query == b"q=fox"
        await user.open("/gallery")
        user.press("Select")
        await user.should_see("Click pictures to choose them")
        for tile in tiles(user):
            UserInteraction(user, {tile}, None).click()
        await user.should_see("2 chosen")
        (owl,) = (t for t in tiles(user) if t.props["aria-label"] == "owl")
        assert owl.props["aria-pressed"] == "true"
        UserInteraction(user, {owl}, None).click()
        await user.should_see("1 chosen")
        user.press("Export")
        await user.until(lambda: len(user.download.http_responses) == 2)
        assert user.download.http_responses[1].request.url.query == f"picture={fox}".encode()
        user.press("Done")
        await user.should_see("2 pictures")
        UserInteraction(user, {tiles(user)[0]}, None).click()
        await user.should_see(kind=ui.dialog)

    visit(tmp_path, monkeypatch, what)


def test_the_address_says_what_is_looked_for():
    assert export_address(Search(), []) == "/api/gallery/export.zip"
    search = Search(words="red fox", favourite=True, collection="c", bin=True, since=3.0)
    assert export_address(search, []) == (
        "/api/gallery/export.zip?q=red+fox&since=3.0&favourite=true&collection=c&bin=true"
    )
    assert export_address(search, ["a", "b"]).endswith("?picture=a&picture=b")
    assert MAX_BYTES == 32_000_000
