"""Wander, visited without a browser: the newest place is painted, keyframes become a film."""

import asyncio

import pytest
from nicegui import ui

from phosphene.core.errors import RecipeError
from tests.studio.studios import hang, picture, wanted
from tests.web.pages.test_pieces import press
from tests.web.pages.test_wander_map import send
from tests.web.pages.visitor import finish, take, visit
from tests.web.served import BASE

START = "/wander?model=digits-cgan&origin=7000"


@pytest.fixture
def asked(monkeypatch):
    """Paths that were painted; each takes a moment."""
    paths = []

    async def painted(_, recipe):
        paths.append(recipe.path)
        await asyncio.sleep(0.05)
        if "class = nobody" in recipe.path:
            raise RecipeError("class: no nobody here")
        return b""

    monkeypatch.setattr("phosphene.web.pages.wander.painted", painted)
    return paths


def canvas(user):
    (image,) = (
        e
        for e in user.client.elements.values()
        if e.tag == "img" and "canvas" in e.parent_slot.parent.classes
    )
    return image.props.get("src", "")


@pytest.mark.slow
def test_only_the_newest_place_is_painted(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(START)
        await user.until(lambda: "z+%3D+7000" in canvas(user))
        moves = [send(user, "pointermove", 0.1 * i, 0) for i in range(11)]
        await asyncio.gather(*moves)
        await user.until(lambda: canvas(user).endswith("z+%3D+7001"))
        await user.should_see("seed 7001")
        assert asked[0] == "z = 7000"
        assert asked[-1] == "z = 7001"
        assert len(asked) <= 4  # of twelve places

    visit(tmp_path, monkeypatch, what)


@pytest.mark.slow
def test_keyframes_become_a_film(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(START)
        await user.until(lambda: canvas(user))
        user.press("Film")
        await user.should_see("Keyframes: add two or more")
        user.press("Add keyframe")
        await send(user, "pointerup", 1.0, 0.0)
        user.press("Add keyframe")
        await user.should_see("Later: keyframe 2")
        user.press("Film")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.kind, recipe.path, recipe.video) == ("walk", "z = 7000 ~ 7001", "mp4")
        assert (recipe.num_frames, recipe.seed) == (60, 7000)
        held = take(studio)
        film = hang(studio, picture("film"))
        finish(studio, held, film)
        await user.should_see("Done in")
        (video,) = (e for e in user.client.elements.values() if e.tag == "video")
        assert video.props["src"] == f"/api/gallery/{film}/attachments/mp4"
        await user.open(f"{START}&keys=0,0~1,0&job={job.id}")  # reloaded
        await user.should_see("Done in")
        user.press_icon("chevron_right")
        user.press_icon("close")
        await user.should_not_see("Later: keyframe 2")

    visit(tmp_path, monkeypatch, what)


def test_a_place_is_kept_by_way_of_the_queue(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(f"{START}&at=0.5,0.5")
        user.press("Keep")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.num_frames, recipe.times, recipe.video) == (1, (0.0,), None)
        assert recipe.path == "z = 0.5*7000 + 0.5*7001 + 0.5*8000 + 0.5*8001"

    visit(tmp_path, monkeypatch, what)


def test_what_goes_wrong_is_said(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(f"{START}&class=nobody")
        await user.should_see("Class: digits-cgan has no 'nobody'")
        for query, said in (
            ("at=1", "At: '1' is no place"),
            ("model=nobody", "no generator that is here"),
            ("class=a;b", "Class: 'a;b'"),
            ("job=none", "No job"),
        ):
            await user.open(f"/wander?{query}")
            await user.should_see(said)

    visit(tmp_path, monkeypatch, what)


def test_a_place_is_copied_with_the_address_of_its_page(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        copied = []
        monkeypatch.setattr("phosphene.web.pages.pieces.ui.clipboard.write", copied.append)
        await user.open(f"{START}&at=1,0")
        press(user, "Command")
        await user.should_see("Command copied")
        press(user, "Link")
        await user.should_see("Link copied")
        assert "z = 7001" in copied[0]
        assert copied[1] == f"{BASE}/wander?model=digits-cgan&origin=7000&at=1%2C0"

    visit(tmp_path, monkeypatch, what)


def test_the_class_is_one_of_the_models(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(f"{START}&class=3")
        (chosen,) = (e for e in user.find(kind=ui.select).elements if e.props["label"] == "Class")
        assert list(chosen.options) == ["", *map(str, range(10))]
        assert chosen.value == "3"
        await user.until(lambda: asked and "class = 3" in asked[-1])
        chosen.value = "7"
        await user.until(lambda: "class = 7" in asked[-1])
        await user.open("/wander?model=emoji-stylegan2")
        assert "Class" not in {e.props["label"] for e in user.find(kind=ui.select).elements}

    visit(tmp_path, monkeypatch, what)


def test_a_walk_leads_back_to_the_map(tmp_path, monkeypatch, asked):
    async def what(user, studio):
        await user.open(f"{START}&at=0.5,0.25&class=3")
        user.press("Keep")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        await user.open("/queue")
        await user.should_see("walk, 1 of 1")
        (link,) = (e for e in user.client.elements.values() if "job-title" in e.classes)
        assert link.props["href"] == f"/wander?job={job.id}"
        await user.open(link.props["href"])
        await user.until(lambda: "z+%3D+0." in canvas(user))
        assert asked[-1] == job.parsed().path
        await user.should_not_see("Next in the queue")  # a picture is no film
        name = picture(recipe=job.parsed().model_dump(mode="json"))
        await user.open(f"/gallery?picture={hang(studio, name)}")
        (link,) = (e for e in user.find(kind=ui.link).elements if e.text == "Open in Wander")
        assert link.props["href"] == ("/wander?model=digits-cgan&origin=7000&at=0.5%2C0.25&class=3")
        await user.open(f"/wander?job={studio.jobs.submit(wanted()).id}")
        await user.should_see("is no walk of this map")

    visit(tmp_path, monkeypatch, what)
