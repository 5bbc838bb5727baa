"""The table: each preview comes into its place, and the finished sheet takes theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.web.pages.table import cell_at
from tests.studio.studios import hang, picture
from tests.web.pages.visitor import finish, preview, step, take, visit

START = "/sheets?of=sample&model=digits-cgan&vary=threshold%3D1,2&vary=seed%3D3,4"


def images(user):
    found = [e for e in user.client.elements.values() if e.tag == "img"]
    return {e.props["alt"]: e.props.get("src", "") for e in found}


@pytest.mark.slow
def test_pictures_come_into_their_places(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        user.press("Paint the sheet")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        held = take(studio)
        step(studio, held, 1, 5, preview("red"))
        await user.until(lambda: images(user)["1 3"])
        step(studio, held, 4, 5, preview("blue"))
        await user.until(lambda: images(user)["2 4"])
        assert images(user)["2 3"] == images(user)["1 4"] == ""
        assert images(user)["1 3"].startswith(f"/api/jobs/{job.id}/previews/")
        name = hang(studio, picture("sheet"))
        finish(studio, held, name)
        await user.should_see("Done in")
        assert f"/api/gallery/{name}/image" in images(user).values()
        user.press_icon("star_border")
        await user.until(lambda: studio.gallery.get(name).favourite)

    visit(tmp_path, monkeypatch, what)


def test_a_sheet_is_cancelled(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        user.press("Paint the sheet")
        await user.should_see("Next in the queue")
        user.press("Cancel")
        await user.should_see("Cancelled")

    visit(tmp_path, monkeypatch, what)


@given(st.integers(1, 30), st.integers(1, 20))
def test_steps_fall_into_cells_in_order(cells, steps):
    total = cells * steps + 1  # as `studio.sheet` counts
    found = [cell_at(index + 1, total, cells) for index in range(cells * steps)]
    assert found == [index // steps for index in range(cells * steps)]
    assert cell_at(total, total, cells) == cells - 1


@pytest.mark.parametrize("total", [0, 1])
def test_a_job_that_does_not_know_its_length(total):
    assert cell_at(1, total, 4) == 0
