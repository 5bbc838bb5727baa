"""Person: a new face at each refresh, another at each click, the same for a seed."""

import pytest
from nicegui import ui

from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.copies import as_address
from tests.web.pages.test_pieces import press
from tests.web.pages.visitor import visit
from tests.web.served import BASE


def shown(user):
    found = [e for e in user.client.elements.values() if e.tag == "img" and e.props["alt"]]
    return found[0].props["src"]


def test_a_new_one_at_each_visit_and_click(tmp_path, monkeypatch):
    async def what(user, studio):
        seen = set()
        for _ in range(2):
            await user.open("/person")
            seen.add(shown(user))
        user.press("Another")
        seen.add(shown(user))
        assert len(seen) == 3
        await user.open("/person?model=digits-cgan&seed=7")
        assert shown(user) == "/person.png?seed=7&model=digits-cgan"
        await user.should_see("seed 7")
        (select,) = user.find(kind=ui.select).elements
        assert "emoji-stylegan2" in select.options
        assert "emoji-vqgan" not in select.options

    visit(tmp_path, monkeypatch, what)


def test_one_is_kept_by_way_of_the_queue(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person?model=digits-cgan&seed=7")
        user.press("Keep")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        assert (job.parsed().model, job.parsed().seed) == ("digits-cgan", 7)

    visit(tmp_path, monkeypatch, what)


def test_truncation_is_kept_in_the_address(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person?model=emoji-stylegan2&seed=7&truncation=0.7")
        assert shown(user) == "/person.png?seed=7&model=emoji-stylegan2&truncation=0.7"
        await user.should_see("0.7")
        (slider,) = user.find(kind=ui.slider).elements
        assert (slider.value, slider.props["max"]) == (0.7, 1.5)
        slider.value = 0.5
        assert shown(user).endswith("&truncation=0.5")
        user.press("Keep")
        await user.until(studio.jobs.waiting)
        (job,) = studio.jobs.waiting()
        assert job.parsed().truncation_psi == 0.5
        slider.value = 1
        assert shown(user) == "/person.png?seed=7&model=emoji-stylegan2"
        await user.should_see("off")
        await user.open("/person?model=digits-cgan&seed=7&truncation=1.5")
        user.press("Keep")
        await user.until(lambda: len(studio.jobs.waiting()) == 2)
        assert studio.jobs.waiting()[1].parsed().truncation_threshold == 1.5

    visit(tmp_path, monkeypatch, what)


@pytest.mark.parametrize(
    ("text", "said"),
    [("x", "Truncation: 'x' is no number"), ("-1", "greater than 0"), ("nan", "finite")],
)
def test_a_truncation_that_is_none_is_said(tmp_path, monkeypatch, text, said):
    async def what(user, studio):
        await user.open(f"/person?model=digits-cgan&seed=7&truncation={text}")
        await user.should_see(said)
        assert shown(user) == "/person.png?seed=7&model=digits-cgan"

    visit(tmp_path, monkeypatch, what)


def test_copies_say_the_truncation(tmp_path, monkeypatch):
    async def what(user, studio):
        copied = []
        monkeypatch.setattr("phosphene.web.pages.pieces.ui.clipboard.write", copied.append)
        await user.open("/person?model=emoji-stylegan2&seed=7&truncation=0.7")
        for way in ("Command", "Python", "Link"):
            press(user, way)
        await user.until(lambda: len(copied) == 3)
        assert copied[0] == "phosphene sample --seed 7 --psi 0.7 emoji-stylegan2"
        assert "truncation_psi=0.7" in copied[1]
        address = "/person?seed=7&model=emoji-stylegan2&truncation=0.7"
        assert copied[2] == f"{BASE}{address}"
        recipe = {"kind": "sample", "model": "emoji-stylegan2", "seed": 7, "truncation_psi": 0.7}
        assert as_address(BASE, parse_recipe(recipe)) == copied[2]  # as of one in the gallery

    visit(tmp_path, monkeypatch, what)
