"""The form: fields are the wish's, styles are phrases, seeds are locked."""

import pytest
from nicegui import ui

from tests.web.pages.visitor import visit


def test_a_seed_that_is_locked_stays_and_another_does_not(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox&seed=7")  # locked, since it was asked for
        for _ in range(2):
            user.press("Imagine")
            await user.should_see("Next in the queue")
        assert [job.parsed().seed for job in studio.jobs.waiting()][:1] == [7]
        await user.open("/imagine?prompt=fox")
        for count in (3, 4):
            user.press("Imagine")
            await user.should_see(f"{count - 1} before it")
        seeds = [job.parsed().seed for job in studio.jobs.waiting()]
        assert seeds[:2] == [7, 7]
        assert len(set(seeds)) == 3

    visit(tmp_path, monkeypatch, what)


def test_styles_go_into_the_words_and_out_of_them(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox")
        (words,) = user.find(kind=ui.textarea).elements
        user.press("neon")
        user.press("mosaic")
        assert words.value == "fox | neon | mosaic"
        user.press("neon")
        assert words.value == "fox | mosaic"
        chips = {
            b.text: b.props["aria-pressed"]
            for b in user.find(kind=ui.button).elements
            if "chip" in b.classes
        }
        assert (chips["mosaic"], chips["neon"]) == ("true", "false")

    visit(tmp_path, monkeypatch, what)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("prompt=fox", ("fox", "text | frame")),
        ("prompt=fox&method=vqgan-clip", ("fox | text:-0.5 | frame:-0.5", "")),
    ],
)
def test_what_is_left_out_has_the_form_that_the_method_knows(tmp_path, monkeypatch, query, words):
    async def what(user, studio):
        await user.open(f"/imagine?{query}")
        user.find("Leave out").type("text | frame")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        recipe = job.parsed()
        assert (recipe.prompt, recipe.negative_prompt) == words

    visit(tmp_path, monkeypatch, what)


def test_fields_that_the_form_does_not_show_can_be_dropped(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/imagine?prompt=fox&cut_power=2.0&tv_weight=0.5")
        await user.should_see("cut_power = 2.0")
        user.press_icon("close")
        await user.should_not_see("cut_power = 2.0")
        await user.should_see("tv_weight = 0.5")
        user.press_icon("close")
        user.press("Imagine")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        assert (job.parsed().cut_power, job.parsed().tv_weight) == (1.0, 0.0)

    visit(tmp_path, monkeypatch, what)
