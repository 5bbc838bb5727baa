"""What a visitor of Imagine has filled in: it becomes a recipe, and a recipe becomes it again.

Of the recipe's many fields the page shows a dozen; those of a recipe that comes in and that it does
not show are kept, so that a fork differs from its parent in nothing but what was changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Recipe
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.fields import drawn_seed
from phosphene.studio.references import PREFIX, is_id

STYLES = (
    "3D render",
    "flat design",
    "painting",
    "watercolour",
    "pencil drawing",
    "neon",
    "mosaic",
    "pixel art",
)
AWAY = -0.5  # the weight of a negative prompt's phrases, for methods that search
SHOWN = (
    *("prompt", "negative_prompt", "method", "model", "width", "height", "iterations"),
    *("guidance_scale", "seed", "count", "init_image", "strength"),
)
# an address is no place for long texts
MAX_LINK = 4000


def phrases(prompt: str) -> list[str]:
    """The phrases of a prompt, as they are written."""
    return [part.strip() for part in prompt.split("|") if part.strip()]


def has_style(prompt: str, style: str) -> bool:
    """Whether a style is one of the phrases."""
    return style.casefold() in (phrase.casefold() for phrase in phrases(prompt))


def with_style(prompt: str, style: str) -> str:
    """The prompt with a style as its last phrase; without it, if it is there."""
    if has_style(prompt, style):
        return " | ".join(p for p in phrases(prompt) if p.casefold() != style.casefold())
    return " | ".join([*phrases(prompt), style])


@dataclass
class Wish:
    """The form. What is None is left to the model; browsers send 8.0 for 8.

    Args:
        is_locked: Whether the seed stays for the next picture.
        start: Id of the picture that is painted on.
        rest: Fields of a recipe that the page does not show.
    """

    prompt: str = ""
    negative: str = ""
    method: str = "diffusion"
    model: str | None = None
    width: float | None = None
    height: float | None = None
    steps: float | None = None
    guidance: float | None = None
    seed: float | None = None
    is_locked: bool = False
    count: float | None = 1
    start: str | None = None
    strength: float = 0.6
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def denoises(self) -> bool:
        """Whether the method knows guidance and negative prompts of its own."""
        return self.method == "diffusion"

    @property
    def goes_on(self) -> bool:
        """Whether the method can start from a picture, and paint in any size."""
        return self.method != "gan-clip"

    def recipe(self) -> Imagine:
        """The recipe of what is filled in.

        Raises:
            RecipeError: no words, or a value that is not allowed.
        """
        if not self.prompt.strip():
            raise RecipeError("prompt: say what to paint, for example: fox in the snow")
        fields: dict[str, Any] = {
            **self.rest,
            "kind": "imagine",
            "prompt": self._prompt(),
            "method": self.method,
            "model": self.model,
            "iterations": _whole(self.steps),
            "seed": _whole(self.seed),
            "count": _whole(self.count),
        }
        if self.goes_on:
            fields |= {"width": _whole(self.width), "height": _whole(self.height)}
            if self.start is not None:
                fields["init_image"] = PREFIX + self.start
        if self.denoises:
            fields["negative_prompt"] = self.negative.strip()
            fields["guidance_scale"] = self.guidance
            if self.start is not None:
                fields["strength"] = self.strength
        recipe = parse_recipe({k: v for k, v in fields.items() if v is not None})
        assert isinstance(recipe, Imagine)
        # the method is left out, as a person would, where it goes without saying
        unsaid = recipe.model_copy(update={"method": None})
        return unsaid if unsaid.chosen_method == self.method else recipe

    def _prompt(self) -> str:
        if self.denoises or not self.negative.strip():
            return self.prompt.strip()
        away = [f"{phrase}:{AWAY}" for phrase in phrases(self.negative)]
        return " | ".join([self.prompt.strip(), *away])


def wish_of(recipe: Imagine) -> Wish:
    """The form of a recipe; its seed stays, so that asking again paints the same."""
    init = (recipe.init_image or "").removeprefix(PREFIX)
    changed = recipe.model_dump(mode="json", exclude_defaults=True)
    return Wish(
        prompt=recipe.prompt,
        negative=recipe.negative_prompt,
        method=recipe.chosen_method,
        model=recipe.model,
        width=recipe.width,
        height=recipe.height,
        steps=recipe.iterations,
        guidance=recipe.guidance_scale,
        seed=recipe.seed,
        is_locked=recipe.seed is not None,
        count=recipe.count,
        start=init if is_id(init) else None,
        strength=recipe.strength,
        rest={k: v for k, v in changed.items() if k not in (*SHOWN, "kind")},
    )


def query_of(recipe: Recipe) -> dict[str, str]:
    """A recipe as the query of an address: the fields that were changed, as text."""
    changed = recipe.model_dump(mode="json", exclude_defaults=True)
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in changed.items()
        if name != "kind"
    }


def wish_from(query: Mapping[str, str]) -> Wish:
    """The form of an address; an empty one, if the address asks for nothing.

    Raises:
        RecipeError: a value that is not allowed.
    """
    given = {name: text for name, text in query.items() if name in Imagine.model_fields}
    if not given:
        return Wish()
    without_words = "prompt" not in given
    values = {name: _meaning(name, text) for name, text in given.items()}
    recipe = parse_recipe({"prompt": "…", **values, "kind": "imagine"})
    assert isinstance(recipe, Imagine)
    wish = wish_of(recipe)
    return Wish(**{**vars(wish), "prompt": ""}) if without_words else wish


def fresh_seed() -> int:
    """A seed, as dice give it."""
    return drawn_seed()


def _meaning(name: str, text: str) -> Any:
    """What a text of an address means: words are words, the rest is JSON where it reads as such."""
    if name in ("prompt", "negative_prompt"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _whole(value: float | None) -> float | None:
    """A number field's value; one that is not whole stays, so that the recipe refuses it."""
    return int(value) if value is not None and value == int(value) else value
