"""The grid: faces by their names, chosen and starred without being drawn anew."""

from nicegui import ui

from phosphene.web.pages.litter import Litter, face_of
from tests.web.pages.visitor import visit

ID = "ab" * 32


def test_a_face_is_a_seed_or_a_picture():
    seed, hung = face_of("7", "a model"), face_of(f"artifact:{ID}", "x", "child 1")
    assert (seed.picture, seed.source) == ("", "/person.png?seed=7&model=a+model")
    assert (hung.picture, hung.source) == (ID, f"/api/gallery/{ID}/image")
    assert (seed.said, hung.said) == ("seed 7", "child 1")


def test_tiles_stay_while_they_are_marked(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine")
        picked, starred = [], []

        async def star(name):
            starred.append(name)

        with user.client, user.client.content:
            litter = Litter(picked.append, star, star)
            litter.show([face_of("1", "m")], [face_of(f"artifact:{ID}", "m")], expected=4)
        tiles = [e for e in user.client.elements.values() if "tile" in e.classes]
        assert len(tiles) == 5  # three are to come
        assert litter.names == ["1", f"artifact:{ID}"]
        litter.mark({"1"}, {f"artifact:{ID}"})
        pressed = {e.props.get("aria-label"): e.props.get("aria-pressed") for e in tiles}
        assert pressed["seed 1"] == "true"
        stars = [
            e for e in user.client.elements.values() if e.props.get("aria-label") == "Favourite"
        ]
        assert [star.icon for star in stars][-2:] == ["star_border", "star"]  # the page has one too
        families = [b for b in user.find(kind=ui.button).elements if b.icon == "account_tree"]
        assert len(families) == 1  # dreams have none
        litter.show([face_of("1", "m")], [face_of(f"artifact:{ID}", "m")], expected=4)
        assert all(tile.id in user.client.elements for tile in tiles)
        litter.show([], [face_of("2", "m")])
        assert litter.names == ["2"]

    visit(tmp_path, monkeypatch, what)
