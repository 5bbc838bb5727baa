"""The stage of Train shows a run's state; words of a run stay words."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.job_events import tell
from tests.web.pages.test_course import RECIPE, say
from tests.web.pages.visitor import take, visit


def buttons(user):
    acts = [e for e in user.client.elements.values() if "act" in e.classes and e.visible]
    return [button.text for button in acts]


@pytest.mark.slow
def test_which_buttons_there_are(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/train")
        await user.should_see("Nothing is trained here")
        assert buttons(user) == []
        job = studio.jobs.submit(RECIPE)
        await user.open(f"/train?job={job.id}")
        await user.should_see("Next in the queue")
        assert buttons(user) == ["Stop", "Cancel"]
        studio.jobs.pause(job.id)
        await user.should_see("Paused")
        assert buttons(user) == ["Resume", "Cancel"]
        studio.jobs.resume(job.id)
        held = take(studio)
        studio.jobs.cancel(job.id)
        await user.should_see("Stopping")
        assert buttons(user) == []
        studio.leases.fail(held, RecipeError("no usable picture"))
        await user.until(lambda: buttons(user) == [])

    visit(tmp_path, monkeypatch, what)


def test_what_a_run_tells_is_shown(tmp_path, monkeypatch):
    async def what(user, studio):
        job = studio.jobs.submit(RECIPE)
        held = take(studio)
        with studio.database.writing() as connection:
            tell(connection, job.id, "note", {"lines": ["3 left out: <b>small</b>"]}, 1.0)
        say(studio, held, 9, g=1.0)
        say(studio, held, 9, rolled_back=8.0)
        await user.open(f"/train?job={job.id}")
        await user.should_see("3 left out: <b>small</b>")
        await user.should_see("went on from step 8")
        await user.should_see("tiny from cats")
        await user.should_see("every 200 steps")
        studio.leases.fail(held, RecipeError("no usable picture"))
        await user.should_see("Failed: no usable picture")
        assert buttons(user) == []

    visit(tmp_path, monkeypatch, what)
