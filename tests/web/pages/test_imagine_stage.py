"""The stage: a job is stopped, goes on, and another begins from one of its moments."""

import pytest
from nicegui import ui

from phosphene.studio.gallery import Search
from phosphene.studio.job import State
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import finish, preview, step, take, visit


def test_cancel_and_pause(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        user.press("Pause")
        await user.should_see("Paused")
        user.press("Resume")
        await user.should_see("Next in the queue")
        user.press("Cancel")
        await user.should_see("Cancelled")
        assert [job.state for job in studio.jobs.listed()] == [State.CANCELLED]

    visit(tmp_path, monkeypatch, what)


def test_a_moment_is_forked(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox&seed=7&cut_power=2.0")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        held = take(studio)
        step(studio, held, 1, 2, preview())
        await user.should_see("Fork from here")
        user.press("Fork from here")
        await user.should_see("Starts from this picture")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        (moment,) = studio.gallery.search(Search()).entries
        assert recipe.init_image == f"artifact:{moment.id}"
        assert recipe.seed != 7
        assert recipe.cut_power == 2.0

    visit(tmp_path, monkeypatch, what)


@pytest.mark.slow
def test_a_finished_picture_becomes_a_favourite_and_moments_are_scrubbed(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        held = take(studio)
        step(studio, held, 3, 9, preview())
        step(studio, held, 6, 9, preview("blue"))
        name = hang(studio, picture("fox"))
        finish(studio, held, name)
        await user.should_see("Finished")
        (slider,) = user.find(kind=ui.slider).elements
        slider.value = 1
        await user.should_see("Step 6")
        slider.value = 2
        await user.should_see("Finished")
        user.press_icon("star_border")
        await user.until(lambda: studio.gallery.get(name).favourite)

    visit(tmp_path, monkeypatch, what)
