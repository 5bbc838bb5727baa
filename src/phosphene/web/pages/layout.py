"""What a visitor of Sheets has filled in: it becomes a recipe, an address, and is read from one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Sample, Sheet
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.sheet import NOT_VARIED, SHORT, STYLE, Vary, listed
from phosphene.web.pages.wish import query_of

SAMPLE = "sample"
FIRST = ("seed", "psi", "threshold", "classes", "prompt", STYLE, "iterations")


@dataclass
class Axis:
    """A field, and its values as they are typed: `0:1:6`, `0-7`, `a,b` or `a b; c, d`."""

    field: str = ""
    values: str = ""

    def text(self) -> str:
        """As a recipe reads it; empty for an axis that nothing is said of."""
        if not self.field.strip() or not self.values.strip():
            return ""
        values = self.values.strip()
        if ";" in values and not values.startswith("["):
            values = json.dumps(listed(values))
        return f"{self.field.strip()}={values}"


@dataclass
class Layout:
    """The form.

    Args:
        method: "sample", or the method of `imagine`.
        rest: Fields of the recipe that is varied and that the page does not show.
    """

    method: str = SAMPLE
    model: str | None = None
    prompt: str = ""
    steps: float | None = None
    seed: float | None = None
    across: Axis = field(default_factory=Axis)
    down: Axis = field(default_factory=Axis)
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def paints(self) -> bool:
        """Whether pictures have a prompt."""
        return self.method != SAMPLE

    def recipe(self) -> Sheet:
        """The recipe of what is filled in.

        Raises:
            RecipeError: nothing varies, no words, or a value that is not allowed.
        """
        axes = [axis.text() for axis in (self.across, self.down)]
        if not any(axes):
            raise RecipeError("vary: choose a field and its values, for example seed and 0-7")
        varied = {self.across.field, self.down.field} if all(axes) else {axes[0].partition("=")[0]}
        of: dict[str, Any] = {**self.rest, "kind": "imagine" if self.paints else SAMPLE}
        of |= {"model": self.model, "seed": _whole(self.seed)}
        if self.paints:
            words = self.prompt.strip() or ("..." if "prompt" in varied else "")
            if not words:
                raise RecipeError("prompt: say what to paint, for example: fox in the snow")
            of |= {"prompt": words, "method": self.method, "iterations": _whole(self.steps)}
        given = {name: value for name, value in of.items() if value is not None}
        if self.paints and self._goes_without_saying(given, varied):
            del given["method"]
        recipe = parse_recipe({"kind": "sheet", "of": given, "vary": [a for a in axes if a]})
        assert isinstance(recipe, Sheet)
        return recipe

    def _goes_without_saying(self, given: dict[str, Any], varied: set[str]) -> bool:
        """Whether the method is the one that a recipe has that says none."""
        bare = parse_recipe({name: value for name, value in given.items() if name != "method"})
        return isinstance(bare, Imagine) and bare.method_with(varied) == self.method


def fields_of(method: str) -> list[str]:
    """What can vary, the most common first, by the names that people write."""
    kind = Imagine if method != SAMPLE else Sample
    names = {field: short for short, field in SHORT.items() if short != "class"}
    found = [names.get(name, name) for name in kind.model_fields if name not in NOT_VARIED]
    found += [STYLE] if method != SAMPLE else []
    return [n for n in FIRST if n in found] + sorted(n for n in found if n not in FIRST)


def layout_of(recipe: Sheet) -> Layout:
    """The form of a recipe."""
    of = recipe.of
    shown = ("kind", "model", "prompt", "method", "iterations", "seed")
    changed = of.model_dump(mode="json", exclude_defaults=True)
    layout = Layout(
        method=of.method_with(axis.field for axis in recipe.vary)
        if isinstance(of, Imagine)
        else SAMPLE,
        model=of.model,
        prompt=of.prompt if isinstance(of, Imagine) and of.prompt != "..." else "",
        steps=of.iterations if isinstance(of, Imagine) else None,
        seed=of.seed,
        across=_axis(recipe.vary[0]),
        rest={name: value for name, value in changed.items() if name not in shown},
    )
    if len(recipe.vary) > 1:
        layout.down = _axis(recipe.vary[1])
    return layout


def pairs_of(recipe: Sheet) -> list[tuple[str, str]]:
    """A sheet as the query of an address: what is varied, then each axis."""
    axes = [_axis(axis).text() for axis in recipe.vary]
    return [("of", recipe.of.kind), *query_of(recipe.of).items(), *(("vary", a) for a in axes)]


def layout_from(pairs: Sequence[tuple[str, str]]) -> Layout | None:
    """The form of an address; None if it asks for nothing.

    Raises:
        RecipeError: a value that is not allowed.
    """
    query, axes = dict(pairs), [text for name, text in pairs if name == "vary"]
    if not axes:
        return None
    kind = Imagine if query.get("of") == "imagine" else Sample
    known = {name: _meaning(name, query) for name in query if name in kind.model_fields}
    of = {**known, "kind": kind.model_fields["kind"].default}
    recipe = parse_recipe({"kind": "sheet", "of": of, "vary": axes})
    assert isinstance(recipe, Sheet)
    return layout_of(recipe)


def _axis(axis: Vary) -> Axis:
    """An axis as it would be typed."""
    names = {field: short for short, field in SHORT.items() if short != "class"}
    has_commas = axis.field in ("prompt", STYLE) or any("," in v for v in axis.values)
    values = "; ".join(axis.values) if has_commas else ",".join(axis.values)
    if any(";" in value or value.startswith("[") for value in axis.values):
        values = json.dumps(axis.values, ensure_ascii=False)
    elif has_commas and len(axis.values) == 1:
        values += ";"  # one text with a comma in it is still one
    return Axis(names.get(axis.field, axis.field), values)


def _meaning(name: str, query: Mapping[str, str]) -> Any:
    """What a text of an address means: words are words, the rest is JSON where it reads as such."""
    if name in ("prompt", "negative_prompt", "model"):
        return query[name]
    try:
        return json.loads(query[name])
    except (ValueError, RecursionError):
        return query[name]


def _whole(value: float | None) -> float | None:
    """A number field's value; one that is not whole stays, so that the recipe refuses it."""
    return int(value) if value is not None and value == int(value) else value
