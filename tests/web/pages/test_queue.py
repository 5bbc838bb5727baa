"""The queue's page: order, pause, resume, cancel."""

import pytest

from phosphene.studio.job import State
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.latent_map import Place, Route
from tests.studio.studios import hang, picture, wanted
from tests.web.pages.visitor import finish, step, take, visit


def titles(user):
    found = [e for e in user.client.elements.values() if "job-title" in e.classes]
    return [e.text for e in sorted(found, key=lambda e: e.id)]


@pytest.mark.slow
def test_the_order_is_shown_and_changed(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/queue")
        await user.should_see("Nothing to do")
        a, b, c = (studio.jobs.submit(wanted(p)) for p in ("ant", "bee", "cat"))
        await user.should_see("imagine, 3 of 3")

        def order():
            return [job.id for job in studio.jobs.waiting()]

        user.press_icon("vertical_align_top")  # of the second
        await user.until(lambda: order() == [b.id, a.id, c.id])
        await user.until(lambda: titles(user) == ["bee", "ant", "cat"])
        user.press_icon("arrow_downward")  # of the first
        await user.until(lambda: order() == [a.id, b.id, c.id])
        await user.until(lambda: titles(user) == ["ant", "bee", "cat"])
        user.press_icon("close")
        await user.should_see("cancelled")
        assert order() == [b.id, c.id]

    visit(tmp_path, monkeypatch, what)


@pytest.mark.slow
def test_a_job_from_its_steps_to_its_end(tmp_path, monkeypatch):
    async def what(user, studio):
        job = studio.jobs.submit(wanted("fox"))
        held = take(studio)
        step(studio, held, 2, 5)
        await user.open("/queue")
        await user.should_see("step 2 of 5")
        user.press_icon("pause")
        await user.should_see("stopping")
        assert studio.jobs.get(job.id).wish is State.PAUSED
        studio.leases.give_back(held, State.PAUSED)
        await user.should_see("paused")
        user.press_icon("play_arrow")
        await user.should_see("imagine, 1 of 1")
        finish(studio, take(studio), hang(studio, picture("fox")))
        await user.should_see("done in 1 s")

    visit(tmp_path, monkeypatch, what)


def test_titles_lead_to_the_page_where_a_job_is_watched(tmp_path, monkeypatch):
    async def what(user, studio):
        of = {"kind": "sample", "model": "digits-cgan", "seed": 1}
        asked = {
            "/imagine": wanted("ant"),
            "/breed": parse_recipe({"kind": "breed", "parents": "3,8", "seed": 1}),
            "/sheets": parse_recipe({"kind": "sheet", "of": of, "vary": ["seed=1,2"]}),
        }
        asked["/wander"] = Route("digits-cgan", keys=[Place(), Place(1, 2)]).film()
        jobs = {path: studio.jobs.submit(recipe) for path, recipe in asked.items()}
        await user.open("/queue")
        await user.should_see("imagine, 1 of 4")
        titles = [e for e in user.client.elements.values() if "job-title" in e.classes]
        links = {str(e.props["href"]) for e in titles}
        assert links == {f"{path}?job={job.id}" for path, job in jobs.items()}

    visit(tmp_path, monkeypatch, what)


def test_a_walk_that_the_map_cannot_show_has_no_link(tmp_path, monkeypatch):
    async def what(user, studio):
        studio.jobs.submit(parse_recipe({"kind": "walk", "path": "z = 7 ~ 8 : curve", "seed": 7}))
        await user.open("/queue")
        await user.should_see("walk, 1 of 1")
        (title,) = (e for e in user.client.elements.values() if "job-title" in e.classes)
        assert "href" not in title.props

    visit(tmp_path, monkeypatch, what)
