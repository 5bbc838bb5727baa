"""Sheets, visited without a browser: two fields and their values go in, a job comes out."""

from nicegui import ui

from tests.studio.studios import hang, picture
from tests.web.pages.visitor import finish, take, visit

START = "/sheets?of=sample&model=digits-cgan&vary=threshold%3D1,2&vary=seed%3D3-5"


def test_two_fields_become_a_job(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/sheets")
        await user.should_see("No sheet yet")
        await user.should_see("24 pictures, 6 x 4")  # the example
        user.press("Paint the sheet")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert [axis.field for axis in recipe.vary] == ["truncation_psi", "seed"]
        assert (recipe.of.kind, recipe.of.model) == ("sample", "emoji-stylegan2")

    visit(tmp_path, monkeypatch, what)


def test_it_counts_and_forecasts_and_says_what_is_wrong(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        await user.should_see("6 pictures, 2 x 3")
        (across,) = [
            e for e in user.find(kind=ui.input).elements if e.props["label"] == "Across: values"
        ]
        across.value = "1,2,3"
        await user.should_see("9 pictures, 3 x 3")
        across.value = "1,much"
        await user.should_see("much")
        user.press("Paint the sheet")
        await user.should_see("Truncation_threshold")
        assert studio.jobs.waiting() == []

    visit(tmp_path, monkeypatch, what)


def test_words_that_vary(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/sheets?of=imagine&prompt=fox&vary=style%3Dflat,neon&iterations=3")
        await user.should_see("2 pictures, 2")
        user.press("Paint the sheet")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.of.prompt, recipe.of.iterations) == ("fox", 3)
        assert recipe.vary[0].values == ("flat", "neon")
        assert recipe.of.seed is not None

    visit(tmp_path, monkeypatch, what)


def test_the_address_finds_a_job_again(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        user.press("Paint the sheet")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        finish(studio, take(studio), hang(studio, picture("sheet")))
        await user.open(f"/sheets?job={job.id}")
        await user.should_see("Done in")
        await user.should_see("6 pictures, 2 x 3")
        await user.open("/sheets?job=none")
        await user.should_see("No job 'none'")
        await user.open("/sheets?vary=kind%3Da,b")
        await user.should_see("cannot vary")

    visit(tmp_path, monkeypatch, what)


def test_files_of_the_machine_are_refused(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/sheets?of=imagine&prompt=fox&vary=style%3D%2Fetc%2Fx.png,neon")
        user.press("Paint the sheet")
        await user.should_see("names a file")
        assert studio.jobs.waiting() == []

    visit(tmp_path, monkeypatch, what)
