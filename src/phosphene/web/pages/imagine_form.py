"""The form of Imagine: words, styles, method, model, size, steps, seed."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from phosphene.studio.defaults import defaults_of
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.references import is_id
from phosphene.web.pages.pieces import Image, icon_button, named
from phosphene.web.pages.shelf import METHODS
from phosphene.web.pages.wish import STYLES, Wish, fresh_seed, has_style, with_style

Field = ui.input | ui.textarea | ui.number | ui.select
EXAMPLE = "fox in the snow | watercolour"
NUMBERS = (  # field, label, lowest, highest, step, what stands in an empty one
    ("width", "Width", 16, 1024, 16, "auto"),
    ("height", "Height", 16, 1024, 16, "auto"),
    ("steps", "Steps", 1, 10_000, 1, "auto"),
    ("count", "Pictures", 1, 16, 1, "1"),
    ("guidance", "Guidance", 0, 30, 0.5, "auto"),
    ("strength", "Repaint", 0.05, 1, 0.05, "0.6"),
)


class Form:
    """The fields, bound to a wish.

    Args:
        painters: Models by method; the first one is its own.
        submit: What the button does.
    """

    def __init__(
        self, wish: Wish, painters: dict[str, list[str]], submit: Callable[[], Awaitable[None]]
    ) -> None:
        self.wish, self.painters, self.submit = wish, painters, submit
        self._fields: dict[str, Field] = {}
        self._filling = False
        if wish.method not in painters and painters:
            wish.method = next(iter(painters))
        self._words()
        self._method()
        self._numbers()
        self._seed()
        self.more = ui.element("div").classes("rest")
        self.error = ui.label().classes("error").props("role=alert")
        with ui.element("div").classes("go"):
            self.button = ui.button("Imagine", icon="auto_awesome", on_click=submit)
            self.button.classes("primary").props("unelevated no-caps")
            self.forecast = ui.label().classes("quiet")
        self.refresh()

    def take(self, wish: Wish) -> None:
        """Fill the form with another wish."""
        for name, value in vars(wish).items():
            setattr(self.wish, name, value)
        if self.wish.method not in self.painters and self.painters:
            self.wish.method = next(iter(self.painters))
        self.refresh()

    def start_from(self, picture: str) -> None:
        """Paint on a picture, with another seed unless it is locked."""
        self.wish.start = picture
        if not self.wish.goes_on and "vqgan-clip" in self.painters:
            self.wish.method, self.wish.model = "vqgan-clip", None
        if not self.wish.is_locked:
            self.wish.seed = None
        self.refresh()

    def refresh(self) -> None:
        """Show the wish as it is."""
        models = self.painters.get(self.wish.method, [])
        if self.wish.model not in models[1:]:
            self.wish.model = None
        options: dict[str | None, str] = {None: models[0] if models else "none is here"}
        self._filling = True
        self.model.set_options(options | {name: name for name in models[1:]})
        for name, field in self._fields.items():
            field.value = getattr(self.wish, name)
        self._filling = False
        self._show_chips()
        self._fields["guidance"].set_visibility(self.wish.denoises)
        self._fields["strength"].set_visibility(self.wish.denoises and self.wish.start is not None)
        for name in ("width", "height"):
            self._fields[name].set_visibility(self.wish.goes_on)
        self._fields["steps"].props["placeholder"] = self._usual_steps()
        self.lock.icon = "lock" if self.wish.is_locked else "lock_open"
        self.lock.props["aria-pressed"] = str(self.wish.is_locked).lower()
        self._show_rest()

    def _bind(self, name: str, element: Field) -> None:
        """A field of the form is a field of the wish."""
        self._fields[name] = element

        def changed() -> None:
            if not self._filling:
                setattr(self.wish, name, element.value)
                self._after(name)

        element.on_value_change(changed)

    def _after(self, name: str) -> None:
        if name == "prompt":
            self._show_chips()
        if name == "method":
            self.wish.model = None
        if name in ("method", "model"):
            self.refresh()

    def _words(self) -> None:
        self.prompt = ui.textarea("Prompt").classes("prompt")
        self._bind("prompt", self.prompt)
        self.prompt.props("outlined autogrow autofocus stack-label").on(
            "keydown.ctrl.enter", self.submit, args=[]
        )
        self.prompt.props["placeholder"] = EXAMPLE
        self.chips: dict[str, ui.button] = {}
        with named(ui.element("div").classes("chips"), "Styles").props("role=group"):
            for style in STYLES:
                chip = ui.button(style, color=None, on_click=partial(self._toggle, style))
                self.chips[style] = chip.props("flat dense no-caps").classes("chip")
        self.negative = ui.input("Leave out").classes("wide")
        self._bind("negative", self.negative)
        self.negative.props("outlined dense stack-label")
        self.negative.props["placeholder"] = "text | frame"

    def _method(self) -> None:
        options = {m: METHODS[m] for m in self.painters} or {self.wish.method: "No model is here"}
        with ui.element("div").classes("pair"):
            self.method = ui.select(options, label="Method", value=self.wish.method)
            self.model = ui.select({None: ""}, label="Model")
            for name, select in (("method", self.method), ("model", self.model)):
                select.props("outlined dense options-dense")
                self._bind(name, select)

    def _numbers(self) -> None:
        with ui.element("div").classes("numbers"):
            for name, label, low, high, step, shown in NUMBERS:
                self._bind(name, _number(label, low, high, step, shown))

    def _seed(self) -> None:
        with ui.element("div").classes("seed"):
            seed = _number("Seed", 0, 2**53, 1, "drawn each time").classes("grow")
            self._bind("seed", seed)
            icon_button("casino", "Draw a seed", self._roll)
            self.lock = icon_button("lock_open", "Keep the seed for the next picture", self._lock)

    def _show_chips(self) -> None:
        """Show which styles the words name."""
        for style, chip in self.chips.items():
            is_on = has_style(self.wish.prompt or "", style)
            chip.classes(add="on" if is_on else "", remove="" if is_on else "on")
            chip.props["aria-pressed"] = str(is_on).lower()

    def _toggle(self, style: str) -> None:
        self.wish.prompt = with_style(self.wish.prompt or "", style)
        self.refresh()

    def _roll(self) -> None:
        self.wish.seed = fresh_seed()
        self.refresh()

    def _lock(self) -> None:
        self.wish.is_locked = not self.wish.is_locked
        if self.wish.is_locked and self.wish.seed is None:
            self.wish.seed = fresh_seed()
        self.refresh()

    def _usual_steps(self) -> str:
        if self.wish.denoises:
            return "auto"
        fields = {"kind": "imagine", "prompt": "x", "method": self.wish.method}
        recipe = parse_recipe({**fields, "model": self.wish.model})
        assert isinstance(recipe, Imagine)
        return str(defaults_of(recipe).iterations)

    def _show_rest(self) -> None:
        """The picture that is painted on, and what else came with a recipe."""
        self.more.clear()
        self.more.set_visibility(self.wish.start is not None or bool(self.wish.rest))
        with self.more:
            if self.wish.start is not None and is_id(self.wish.start):
                with ui.element("div").classes("start"):
                    Image(f"/api/gallery/{self.wish.start}/thumbnail", "The picture painted on")
                    ui.label("Starts from this picture")
                    icon_button("close", "Start without it", self._drop_start)
            for name in list(self.wish.rest):
                with ui.element("div").classes("extra"):
                    ui.label(f"{name} = {self.wish.rest[name]}")
                    icon_button("close", f"Without {name}", partial(self._drop, name))

    def _drop_start(self) -> None:
        self.wish.start = None
        self.refresh()

    def _drop(self, name: str) -> None:
        self.wish.rest.pop(name, None)
        self.refresh()


def _number(label: str, low: float, high: float, step: float, placeholder: str) -> ui.number:
    field = ui.number(label, min=low, max=high, step=step)
    field.props("outlined dense stack-label inputmode=decimal")
    field.props["placeholder"] = placeholder
    return field
