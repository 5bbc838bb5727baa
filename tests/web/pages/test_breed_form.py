"""The form of Breed: sliders are fields of the recipe, parents are left by a click."""

from nicegui import ui
from nicegui.testing.user_interaction import UserInteraction

from tests.web.pages.visitor import visit

START = "/breed?model=digits-cgan&dreams=1&parents=3,8"


def test_sliders_are_fields_of_the_recipe(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)
        sliders = sorted(user.find(kind=ui.slider).elements, key=lambda slider: slider.id)
        assert [s.props["aria-label"].partition(":")[0] for s in sliders] == ["Mixing", "Mutation"]
        sliders[0].value, sliders[1].value = 0.9, 0.4
        await user.should_see("90%")
        user.press("Children")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        assert (job.parsed().share, job.parsed().mutation) == (0.9, 0.4)

    visit(tmp_path, monkeypatch, what)


def test_a_blend_has_no_share(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(f"{START}&operator=blend")
        mixing = min(user.find(kind=ui.slider).elements, key=lambda slider: slider.id)
        assert not mixing.enabled
        user.press("Children")
        await user.should_see("Next in the queue")
        (job,) = studio.jobs.waiting()
        assert (job.parsed().operator, job.parsed().share) == ("blend", None)

    visit(tmp_path, monkeypatch, what)


def test_a_parent_is_left_by_a_click(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open(START)

        def chosen():
            return [
                e
                for e in user.client.elements.values()
                if str(e.props.get("aria-label", "")).startswith("Without seed")
            ]

        assert len(chosen()) == 2
        UserInteraction(user, {chosen()[0]}, None).click()
        await user.until(lambda: len(chosen()) == 1)
        assert chosen()[0].props["aria-label"] == "Without seed 8"

    visit(tmp_path, monkeypatch, what)
