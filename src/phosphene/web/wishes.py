"""From what other APIs ask for to a recipe of ours: the one place that knows how one maps to the
other. Imports no torch.

Each API reads its own request into a `Wish`, and `granted` makes a recipe of it. What a method has
no use for is either refused, or named in `Granted.unheard` where leaving it out does no harm: how
many steps a sampler takes says nothing to an optimiser.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, get_args

from phosphene.core.errors import RecipeError, Unsupported, did_you_mean
from phosphene.studio.foreign import NEGATIVE_WEIGHT, phrase_of
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.recipes.imagine import OWN_MODELS, Method
from phosphene.studio.references import PREFIX
from phosphene.web.renditions import MAX_PIXELS
from phosphene.zoo.card import Card

METHODS = {"diffusion": "diffusion", "tokens": "vqgan-clip", "gan": "gan-clip"}  # by family
DRAWING, DRAWS = "tokens", ("tokens", "transformer")  # a method, and the models that it is of
DENOISING, ANY_SIZE = "diffusion", "vqgan-clip"
DENOISERS = (DENOISING, "guided-diffusion")  # the second has neither samplers nor masks
PAINTED_SIDE = 128  # of a model that does not say what it paints
GRID = 16  # px; sides of what an autoencoder paints are multiples
MIN_SIDE, MAX_SIDE = 16, 4096
MAX_INIT_WEIGHT = 1000.0
NO_WORDS = "..."
SAMPLERS = {"euler": "euler", "unipc": "unipc"}  # what clients call them, in small letters
EXTRA = "phosphene"  # where recipes' own fields stand in a foreign request
NOT_EXTRA = ("kind", "seed", "count", "width", "height", "init_image", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client asks for.

    Args:
        prompt: In our language: see `words` for text that is in none.
        negative: What the picture should not show.
        method: None goes by the model, or is the one that recipes have.
        width, height: Of what is shown, px; painted is what the model can. One alone is both.
        steps, guidance, sampler: Of denoising.
        init: Id of the picture to start from.
        strength: How much of it is painted over: 0 nothing, 1 all.
        mask: Id of a picture that is white where `init` is painted over.
        like: Id of a picture to resemble, instead of words.
        film: mp4 or gif, of how the picture came to be.
        extra: Fields of the recipe, as they are.
    """

    prompt: str = ""
    negative: str = ""
    model: str | None = None
    method: str | None = None
    seed: int | None = None
    count: int = 1
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    init: str | None = None
    strength: float | None = None
    mask: str | None = None
    like: str | None = None
    film: str | None = None
    emphasis: bool = True
    alternatives: str = "none"
    extra: Mapping[str, Any] = field(default_factory=dict)


class Granted(NamedTuple):
    """What comes of a wish.

    Args:
        width, height: Of what is shown; None is what is painted.
        unheard: Names of what was asked for, has no meaning here, and does no harm.
    """

    recipe: Imagine
    width: int | None
    height: int | None
    unheard: tuple[str, ...]


def words(text: str) -> str:
    """Prose as a prompt: phrases between |, and no other mark of ours in it has a meaning."""
    phrases = [phrase_of(part) for part in text.split("|")]
    return " | ".join(filter(None, phrases))


def granted(wish: Wish, cards: Mapping[str, Card]) -> Granted:
    """Make a recipe of a wish.

    Raises:
        RecipeError: a value that is not allowed; says which.
        Unsupported: the method cannot do what was asked for.
    """
    fields: dict[str, Any] = {"kind": "imagine", "emphasis": wish.emphasis}
    fields["alternatives"] = wish.alternatives
    method = _method(wish, cards)
    fields |= {"method": method, "prompt": wish.prompt or NO_WORDS, "count": wish.count}
    if wish.model is not None:
        fields["model"] = wish.model
    if wish.seed is not None:
        fields["seed"] = wish.seed
    if wish.film is not None:
        fields["video"] = wish.film
    fields |= _of_pictures(wish, method)
    known, unheard = _of_denoising(wish, method)
    fields |= known
    if wish.negative and "negative_prompt" not in fields and (away := phrase_of(wish.negative)):
        fields["prompt"] = f"{fields['prompt']} | {away}:{NEGATIVE_WEIGHT}"
    _check_size(wish)
    if wish.width or wish.height:
        wish = replace(wish, width=wish.width or wish.height, height=wish.height or wish.width)
    if method == ANY_SIZE and wish.width and wish.height:
        painted = painted_size(wish.width, wish.height, _own_side(wish, cards))
        fields["width"], fields["height"] = painted
    recipe = parse_recipe({**fields, **_extra(wish)})
    assert isinstance(recipe, Imagine)
    return Granted(recipe, wish.width, wish.height, unheard)


def painted_size(width: int, height: int, own: int) -> tuple[int, int]:
    """The size in which a model paints what is to be shown in another: its shape, as far as the
    model's own area goes, on the grid of its codes.

    Args:
        own: Side of the squares that it paints best, px.
    """
    scale = min(1.0, own / math.sqrt(width * height))
    return _on_grid(width * scale), _on_grid(height * scale)


def painting_models(cards: Mapping[str, Card]) -> list[Card]:
    """The models that words can be given to."""
    known = get_args(Method)
    return [card for card in cards.values() if _method_of(card) in known]


def model_of(recipe: Imagine) -> str:
    """The model that paints a recipe."""
    return recipe.model_name


def _method(wish: Wish, cards: Mapping[str, Card]) -> str:
    if wish.like is not None:
        return ANY_SIZE  # the judge of a search compares pictures; denoising reads words
    if wish.method is not None:
        return wish.method
    if wish.model is None:
        return DENOISING
    card = cards.get(wish.model)
    method = _method_of(card) if card else None
    if method not in get_args(Method):
        names = [card.name for card in painting_models(cards)]
        hint = did_you_mean(wish.model, names)
        said = "paints no words" if card else "is not known"
        raise RecipeError(f"model: {wish.model[:80]!r} {said}{hint}; models: {', '.join(names)}")
    return str(method)


def _method_of(card: Card) -> str | None:
    """How a model paints words; None if it does not."""
    return DRAWING if (card.family, card.arch) == DRAWS else METHODS.get(card.family)


def _own_side(wish: Wish, cards: Mapping[str, Card]) -> int:
    card = cards.get(wish.model or OWN_MODELS[ANY_SIZE])
    return (card.size if card else None) or PAINTED_SIDE


def _of_pictures(wish: Wish, method: str) -> dict[str, Any]:
    """Pictures that the recipe names."""
    fields: dict[str, Any] = {}
    if wish.like is not None:
        fields["prompt"] = f"{PREFIX}{wish.like}"
    if wish.mask is not None:
        if method not in (DENOISING, DRAWING):
            raise Unsupported(f"mask: {method} paints the whole picture; leave the mask out")
        fields["mask"] = f"{PREFIX}{wish.mask}"
    if wish.init is None:
        return fields
    fields["init_image"] = f"{PREFIX}{wish.init}"
    if wish.strength is None:
        return fields
    if not 0 <= wish.strength <= 1:
        raise RecipeError(f"strength: {wish.strength} should be from 0 to 1")
    if method in (*DENOISERS, DRAWING):
        fields["strength"] = max(wish.strength, 0.01)
    elif method == ANY_SIZE:
        # a search is pulled back to where it began: as odds, all of it at 0 and nothing at 1
        kept = 1 - wish.strength
        fields["init_weight"] = min(MAX_INIT_WEIGHT, kept / max(wish.strength, 1e-3))
    return fields


def _of_denoising(wish: Wish, method: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What samplers know and searches do not; and what of it was asked for in vain."""
    sampler = SAMPLERS.get((wish.sampler or "").lower()) if method == DENOISING else None
    asked = {
        "iterations": ("steps", wish.steps),
        "guidance_scale": ("guidance", wish.guidance),
        "sampler": ("sampler", wish.sampler),
    }
    if method not in (*DENOISERS, DRAWING):
        return {}, tuple(name for name, value in asked.values() if value is not None)
    fields = {
        "iterations": wish.steps if method in DENOISERS else None,
        "guidance_scale": wish.guidance,
        "sampler": sampler,
        "negative_prompt": wish.negative or None,
    }
    vain = {
        "steps": method == DRAWING and wish.steps is not None,
        "sampler": bool(wish.sampler) and sampler is None,
    }
    unheard = tuple(name for name, is_vain in vain.items() if is_vain)
    return {k: v for k, v in fields.items() if v is not None}, unheard


def _check_size(wish: Wish) -> None:
    for name, side in (("width", wish.width), ("height", wish.height)):
        if side is not None and not MIN_SIDE <= side <= MAX_SIDE:
            raise RecipeError(f"{name}: {side} should be from {MIN_SIDE} to {MAX_SIDE} px")
    if (wish.width or 0) * (wish.height or 0) > MAX_PIXELS:
        raise RecipeError(
            f"width: {wish.width} x {wish.height} px are more than {MAX_PIXELS:,} in all"
        )


def _extra(wish: Wish) -> dict[str, Any]:
    """Fields of the recipe that the client names itself; not what its own API says."""
    for name in wish.extra:
        if name in NOT_EXTRA:
            raise RecipeError(f"{EXTRA}.{name}: say it as this API does")
    return dict(wish.extra)


def _on_grid(side: float) -> int:
    return max(GRID, round(side / GRID) * GRID)
