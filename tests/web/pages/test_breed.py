"""Breed, visited without a browser: dreams become parents, children come in, stars teach."""

from urllib.parse import parse_qsl, urlsplit

from nicegui.testing.user_interaction import UserInteraction

from phosphene.studio.gallery import Search
from phosphene.studio.live import Live
from phosphene.web.pages.breed import some_of
from phosphene.zoo.fetch import identity
from phosphene.zoo.registry import card
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import finish, take, visit

MODEL = "digits-cgan"
START = f"/breed?model={MODEL}&dreams=1"


def tiles(user):
    found = [e for e in user.client.elements.values() if "tile" in e.classes and e.tag == "button"]
    return {tile.props["aria-label"]: tile for tile in found}


def click(user, element):
    UserInteraction(user, {element}, None).click()


def state(user):
    return dict(parse_qsl(urlsplit(user.client.page.path).query))


def dream_of(tmp_path, recipe):
    weights = identity(card(MODEL, tmp_path / "home"), tmp_path / "home")
    fields = {"kind": "sample", "model": recipe.model, "seed": recipe.seed}
    return picture(recipe=fields, seed=recipe.seed, models={MODEL: weights})


def test_two_generations(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        await user.should_see(f"Dreams of {MODEL}")
        assert list(tiles(user)) == [f"seed {seed}" for seed in range(1, 13)]
        user.press("Children")
        await user.should_see("Parents: click one picture or more")
        for seed in (2, 5):
            click(user, tiles(user)[f"seed {seed}"])
        await user.until(lambda: tiles(user)["seed 5"].props["aria-pressed"] == "true")
        user.press("Children")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.model, recipe.parents, recipe.layout) == (MODEL, ("2", "5"), "files")
        assert (recipe.share, recipe.mutation, recipe.children) == (0.5, 0.2, 8)
        assert recipe.seed is not None
        held = take(studio)
        child = hang(studio, picture("child"))
        finish(studio, held, child)
        await user.should_see("Done in")
        assert list(tiles(user)) == ["seed 2", "seed 5", "child 1"]
        click(user, tiles(user)["child 1"])
        await user.until(lambda: tiles(user)["child 1"].props["aria-pressed"] == "true")
        user.press("Children")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        assert job.parsed().parents == (f"artifact:{child}",)

    visit(tmp_path, monkeypatch, what)


def test_the_address_names_the_grid(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(f"{START}&parents=3,8&mutation=0.7&mixing=0.25&children=5")
        await user.should_see("Dreams of")
        assert tiles(user)["seed 3"].props["aria-pressed"] == "true"
        user.press("Children")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.parents, recipe.mutation) == (("3", "8"), 0.7)
        assert (recipe.share, recipe.children) == (0.25, 5)
        finish(studio, take(studio), hang(studio, picture("child")))
        await user.open(f"/breed?job={job.id}")  # as the queue would name it
        assert "child 1" in tiles(user)  # the page comes whole
        await user.should_see("Done in")
        await user.open("/breed?job=none")
        await user.should_see("No job 'none'")
        await user.open(f"/breed?model={MODEL}&parents=/etc/x.png")
        await user.should_see("should be a seed")

    visit(tmp_path, monkeypatch, what)


def test_a_star_puts_a_dream_into_the_gallery_and_teaches(tmp_path, monkeypatch):
    monkeypatch.setattr(Live, "ask", lambda _, recipe: dream_of(tmp_path, recipe))

    async def what(user, studio):
        await user.open(START)
        await user.should_see("Star what you like")
        user.press_icon("star_border")  # of the first: seed 1
        await user.should_see("Learnt from 1 star of 12 pictures seen")
        (entry,) = studio.gallery.search(Search(favourite=True)).entries
        assert (entry.kind, entry.seed, entry.model) == ("sample", "1", MODEL)
        user.press("From my stars")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.parents, recipe.liked, recipe.siblings) == (("1",), ("1",), 16)
        assert sorted(map(int, recipe.shown)) == list(range(2, 13))
        await user.open(START)
        user.press_icon("star")
        await user.should_see("Star what you like")
        assert not studio.gallery.get(entry.id).favourite

    visit(tmp_path, monkeypatch, what)


def test_surprises_are_other_dreams(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        before = set(tiles(user))
        user.press("Surprise me")
        await user.until(lambda: len(tiles(user)) == 12 and not before & set(tiles(user)))

    visit(tmp_path, monkeypatch, what)


def test_a_job_is_cancelled(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(f"{START}&parents=3,8")
        user.press("Children")
        await user.should_see("Next in the queue")
        user.press("Cancel")
        await user.should_see("Cancelled")

    visit(tmp_path, monkeypatch, what)


def test_stars_that_propose_are_drawn_by_a_seed():
    stars = [str(seed) for seed in range(20)]
    drawn = some_of(stars, 6, 1)
    assert len(set(drawn)) == 6
    assert set(drawn) <= set(stars)
    assert some_of(stars[::-1], 6, 1) == drawn
    assert some_of(stars, 6, 2) != drawn
    assert sorted(some_of(stars[:3], 6, 1)) == stars[:3]
