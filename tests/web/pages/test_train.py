"""Train, visited without a browser: a folder by name, a run watched, stopped, resumed."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from nicegui import ui
from nicegui.functions.navigate import History

from phosphene.studio.job import State
from tests.web.pages.test_course import say
from tests.web.pages.visitor import preview, take, visit


@pytest.fixture
def data(tmp_path):
    for name in ("cats", "old owls"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to("/etc")
    return tmp_path / "data"


def query(url):
    return dict(parse_qsl(urlsplit(url).query))


def only(user, kind, label):
    (found,) = (
        e for e in user.client.elements.values() if isinstance(e, kind) and label in said(e)
    )
    return found


def said(element):
    return str(element.props.get("label", ""))


def drawings(user):
    return [e for e in user.client.elements.values() if e.tag == "polyline"]


def shown(user):
    return [e.props["src"] for e in user.client.elements.values() if e.tag == "img" and e.visible]


def test_without_a_data_folder_the_page_explains(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/train")
        await user.should_see("Training is off")
        await user.should_see("phosphene serve --data-dir data")
        await user.should_not_see(kind=ui.textarea)

    visit(tmp_path / "share", monkeypatch, what)


def test_a_run_from_the_form_to_its_weights(tmp_path, monkeypatch, data):
    async def what(user, studio):
        await user.open("/train")
        folder = only(user, ui.select, "Folder")
        assert folder.options == ["cats", "old owls"]
        folder.value = "old owls"
        only(user, ui.select, "Begin with").value = "fastgan"
        assert "fastgan" in only(user, ui.textarea, "Recipe").value
        user.press("Train")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.data, recipe.name, recipe.output) == ("folder:old owls", "fastgan", None)
        await user.should_see("Next in the queue")
        held = take(studio)
        pace = {"kimg": 0.032, "seconds_per_kimg": 60.0}
        say(studio, held, 1, g=1.0, d=2.0, **pace)
        say(studio, held, 2, preview(), g=0.5, d=2.5, **pace)
        await user.should_see("Training, step 2 of 100")
        await user.should_see("Sample sheet after 2 steps")
        await user.should_see("0.032 of 96")
        await user.should_see("about 1.6 h left")
        assert [d.props["points"] for d in drawings(user)] == [
            "0.0,0.0 320.0,90.0",
            "0.0,90.0 320.0,0.0",
        ]
        assert all(source.startswith(f"/api/jobs/{job.id}/previews/") for source in shown(user))
        path = studio.store.run_of(job.id) / "fastgan.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        studio.leases.finish(held)
        await user.should_see(f"phosphene sample share/runs/{job.id}/fastgan.safetensors")
        await user.should_not_see(str(tmp_path))

    visit(tmp_path / "share", monkeypatch, what, data=data)


def test_a_run_is_found_again_stopped_and_resumed(tmp_path, monkeypatch, data):
    async def what(user, studio):
        await user.open("/train?start=dcgan&folder=cats")
        user.press("Train")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        held = take(studio)
        say(studio, held, 5, preview(), g=1.0)
        await user.open(f"/train?job={job.id}")  # reloaded
        await user.should_see("Training, step 5 of 100")
        assert only(user, ui.select, "Folder").value == "cats"
        assert "dcgan" in only(user, ui.textarea, "Recipe").value
        user.press("Stop")
        await user.should_see("Pausing")
        studio.leases.give_back(held, State.PAUSED)
        await user.should_see("Paused")
        await user.should_see("Resume goes on from the last checkpoint.")
        user.press("Resume")
        await user.should_see("Next in the queue")
        assert studio.jobs.get(job.id).state is State.QUEUED
        user.press("Cancel")
        await user.should_see("Cancelled")
        await user.open("/train")
        await user.should_see("cancelled, 5%")
        await user.open("/train?job=none")
        await user.should_see("No job 'none'")

    visit(tmp_path / "share", monkeypatch, what, data=data)


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ("learner = 'gan'\nsteps = 3\noutput = '/etc'", "Output: cannot be given over HTTP"),
        ("learner = 'gan'\nsteps = 3\nfeatures = '/etc/x'", "no model '/etc/x'"),
        ("learner = 'gan'\nsteps = 3\n[model]\narch = '../x'", "is no word of"),
        ("nonsense", "neither TOML nor JSON"),
    ],
)
def test_a_recipe_that_may_not_be_carried_out_is_said(
    tmp_path, monkeypatch, data, recipe, complaint
):
    async def what(user, studio):
        await user.open("/train?folder=cats")
        only(user, ui.textarea, "Recipe").value = recipe
        assert only(user, ui.select, "Begin with").value == ""
        user.press("Train")
        await user.should_see(complaint)
        assert studio.jobs.listed() == []

    visit(tmp_path / "share", monkeypatch, what, data=data)


def test_the_address_holds_what_is_filled_in(tmp_path, monkeypatch, data):
    seen = []
    monkeypatch.setattr(History, "replace", lambda _, url: seen.append(url))

    async def what(user, studio):
        await user.open("/train")
        only(user, ui.select, "Folder").value = "old owls"
        assert query(seen[-1]) == {"folder": "old owls", "start": "dcgan"}
        only(user, ui.textarea, "Recipe").value = "steps = 3"
        assert query(seen[-1]) == {"folder": "old owls", "recipe": "steps = 3"}
        only(user, ui.select, "Begin with").value = "dcgan"
        user.press("Train")
        await user.until(studio.jobs.waiting)
        await user.until(lambda: query(seen[-1]) == {"job": studio.jobs.waiting()[0].id})

    visit(tmp_path / "share", monkeypatch, what, data=data)


def test_a_folder_that_is_gone_is_said(tmp_path, monkeypatch, data):
    async def what(user, studio):
        await user.open("/train?folder=cats")
        (data / "cats").rmdir()
        user.press("Train")
        await user.should_see("is no `folder:NAME` of a folder that is offered here")
        assert studio.jobs.listed() == []

    visit(tmp_path / "share", monkeypatch, what, data=data)
