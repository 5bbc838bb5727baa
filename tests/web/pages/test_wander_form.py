"""The form of Wander: each field changes the route; what is no seed is said."""

from nicegui import ui

from phosphene.web.pages.latent_map import Place, Route
from phosphene.web.pages.wander_form import WanderForm
from tests.web.pages.visitor import visit


def _class_of(user):
    found = user.find(kind=ui.select).elements
    return next((e for e in found if e.props["label"] == "Class"), None)


def test_fields_change_the_route(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person")  # any page, to build on
        route, changes = Route("emoji-stylegan2", True, 7), []

        async def changed():
            changes.append(route.query())

        with user.client, ui.element("div"):
            form = WanderForm(route, ["emoji-stylegan2"], ["fox", "owl"], changed, changes.append)
            form.moves[1].value = -1.5
            form.psi.value = 0.6
        await user.until(lambda: len(changes) == 2)
        assert route.here == Place(0, 0, 0.6, (0, -1.5, 0, 0))
        assert (form.said[1].text, form.psi_said.text) == ("-1.5", "0.60")
        fields = {e.props["label"]: e for e in user.find(kind=ui.input).elements}
        with user.client:
            fields["Fine"].value = "x"
        await user.until(lambda: "is no seed" in form.error.text)
        assert route.styles == {}
        with user.client:
            fields["Fine"].value = "5"
            fields["Origin, a seed"].value = "8"
            _class_of(user).value = "fox"
        await user.until(lambda: len(changes) == 5)
        assert form.error.text == ""
        assert (route.styles, route.origin, route.of_class) == ({"fine": 5}, 8, "fox")
        with user.client:
            fields["Fine"].value = ""
        await user.until(lambda: route.styles == {})
        user.press("Sliders back")
        await user.until(lambda: route.here == Place())
        assert (form.moves[1].value, form.psi.value) == (0, 1)

    visit(tmp_path, monkeypatch, what)


def test_without_styles_there_is_no_truncation(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person")

        async def changed():
            raise AssertionError("nothing was changed")

        with user.client, ui.element("div"):
            form = WanderForm(Route("faces-dcgan"), ["faces-dcgan"], [], changed, print)
        assert _class_of(user) is None
        assert not hasattr(form, "psi")
        assert len(form.moves) == 4

    visit(tmp_path, monkeypatch, what)
