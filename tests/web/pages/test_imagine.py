"""Imagine, visited without a browser: words go in, a job comes out, and is found again."""

from nicegui import ui

from tests.studio.studios import hang, picture
from tests.web.pages.visitor import finish, preview, step, take, visit


def test_words_become_a_job_that_is_watched_to_its_end(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine")
        await user.should_see("Nothing painted yet")
        user.find(kind=ui.textarea).type("fox in the snow")
        user.press("watercolour")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert recipe.prompt == "fox in the snow | watercolour"
        assert recipe.seed is not None
        held = take(studio)
        step(studio, held, 1, 3, preview("red"))
        await user.should_see("Painting, step 1 of 3")
        step(studio, held, 2, 3, preview("blue"))
        finish(studio, held, hang(studio, picture("fox")))
        await user.should_see("Done in")
        await user.should_see("Finished")
        await user.should_see(kind=ui.slider)

    visit(tmp_path, monkeypatch, what)


def test_the_address_finds_a_job_again(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine")
        user.find(kind=ui.textarea).type("red rose")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        held = take(studio)
        step(studio, held, 4, 9, preview())
        await user.open(f"/imagine?job={job.id}")
        await user.should_see("Painting, step 4 of 9")
        assert user.find(kind=ui.textarea).elements.pop().value == "red rose"
        await user.open("/imagine")
        await user.should_see("running: red rose")
        await user.open("/imagine?job=none")
        await user.should_see("No job 'none'")

    visit(tmp_path, monkeypatch, what)


def test_what_is_wrong_is_said_and_nothing_is_queued(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine")
        user.press("Imagine")
        await user.should_see("Prompt: say what to paint")
        user.find(kind=ui.textarea).type("fox | secret.png")
        user.press("Imagine")
        await user.should_see("names a file")
        assert studio.jobs.waiting() == []
        await user.open("/imagine?iterations=many")
        await user.should_see("Iterations: 'many'")

    visit(tmp_path, monkeypatch, what)
