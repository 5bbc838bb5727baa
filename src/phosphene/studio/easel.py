"""What a recipe is illustrated with: a text-to-image model, and what each picture is to show.

The sibling of `stage`, for models that denoise or draw tokens: they follow a prompt's words, not
what others say of the picture. Cheap checks come first here, too.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import Images, Picture, fit, open_image
from phosphene.core.protocols import Choice, Commission, Habits, Illustrator, Perceptor
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype, resolve_device
from phosphene.prompting.emphasis import Span, plain, tidied
from phosphene.prompting.prompt import PHRASE_MARK, UNENDING, Phrase, Story
from phosphene.prompting.ranking import Ranking
from phosphene.studio.artifact import Platform, Surroundings
from phosphene.studio.methods import demand_plain
from phosphene.studio.provenance import dtype_of, input_hashes, model_hashes
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.fields import split_weight
from phosphene.studio.recipes.imagine import OF_SEARCHES, OF_STEERED_DENOISERS, OF_TOKENS
from phosphene.studio.wording import Wording, wordings_of
from phosphene.zoo import Zoo

SEARCH = "--method vqgan-clip"
FOREIGN = {  # what a method does not have, why, and what has it
    "diffusion": (
        (OF_STEERED_DENOISERS, "diffusion alone has none", "--method guided-diffusion"),
        (OF_SEARCHES, "diffusion has none", SEARCH),
        (OF_TOKENS, "diffusion draws no tokens", "--method tokens"),
    ),
    "tokens": (
        (OF_STEERED_DENOISERS, "tokens have none", "--method guided-diffusion"),
        (tuple(name for name in OF_SEARCHES if name != "perceptors"), "tokens have none", SEARCH),
        (("iterations", "sampler"), "tokens come one by one", "--method diffusion"),
    ),
}
LACKS = {
    "diffusion": "paint by diffusion: it does not denoise by words",
    "tokens": "paint by tokens: it does not draw them by words",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """A recipe with everything it names loaded.

    Args:
        recipe: Complete: fields that were left to the model are filled in.
        wordings: What each of the pictures is to show.
        commissions: What the model is asked for, one a picture.
        surroundings: What else decides the pixels: weights, pictures read, platform.
    """

    recipe: Imagine
    wordings: tuple[Wording, ...]
    illustrator: Illustrator
    commissions: tuple[Commission, ...]
    surroundings: Surroundings


def set_easel(recipe: Imagine, zoo: Zoo, device: str = "cpu", init: Picture | None = None) -> Easel:
    """Open, check and load everything that a recipe names.

    Args:
        init: A picture to start from that no file holds; the recipe then names none.
    Raises:
        RecipeError: the prompt has no words, a picture or a model is missing, ...
        Unsupported: what only a search can do (image prompts, stories, a camera).
        WeightsError: weights are not here, or damaged.
        DeviceError: no such device.
    """
    wordings, place = wordings_of(recipe), resolve_device(device)
    for fields, reason, instead in FOREIGN[recipe.chosen_method]:
        demand_plain(recipe, fields, reason, instead)
    spans = [spans_of(wording.story) for wording in wordings]
    init = open_image(Path(recipe.init_image)) if recipe.init_image else init
    mask = open_mask(Path(recipe.mask)) if recipe.mask else None
    if mask is not None and init is None:
        raise RecipeError("mask needs an init_image, a part of which it lets be painted anew")
    model = zoo.load(recipe.model_name, place, painting_dtype(place))
    if not isinstance(model, Illustrator) or _draws(model.habits) != (
        recipe.chosen_method == "tokens"
    ):
        raise Unsupported(
            f"{recipe.model_name[:80]!r} cannot {LACKS[recipe.chosen_method]}; "
            "`phosphene models` shows the family of each"
        )
    recipe = _complete(recipe, model)
    judges = _judges(recipe, zoo, place)
    start = None if init is None else init[None]
    commissions = tuple(
        _judged(_with_pictures(commission_of(recipe, seed, *words), start, mask, place), judges)
        for seed, words in zip(recipe.all_seeds(), spans, strict=True)
    )
    for commission in commissions[:1]:  # they differ in words alone
        model.check(commission)
    return Easel(
        recipe=recipe,
        wordings=wordings,
        illustrator=model,
        commissions=commissions,
        surroundings=Surroundings(
            models=model_hashes([recipe.model_name, *judges], zoo),
            inputs=input_hashes(filter(None, [recipe.init_image, recipe.mask])),
            platform=Platform.here(str(place), dtype_of(model)),
        ),
    )


def spans_of(story: Story, judged: bool = False) -> tuple[tuple[tuple[str, float], ...], str]:
    """A prompt's words with their weights, phrases between |; and what it leads away from.

    A phrase below 0 is of the latter, however far. Words that all weigh the same weigh 1.

    Args:
        judged: A perceptor sees to pictures and stops, which are left out here.
    Raises:
        Unsupported: several scenes; image prompts or stops that nobody sees to.
        RecipeError: nothing but what it leads away from.
    """
    if len(story.scenes) > 1:
        raise Unsupported("a story (^) is painted on in one picture: take --method vqgan-clip")
    phrases = [phrase for phrase in story.scenes[0] if phrase.text is not None or not judged]
    towards = [phrase for phrase in phrases if phrase.pull > 0]
    away = [phrase for phrase in phrases if phrase.pull < 0]
    for phrase in () if judged else (*towards, *away):
        if phrase.text is None:
            raise Unsupported(
                f"prompt: {str(phrase)[:80]!r} is a picture, and diffusion and tokens follow "
                "words; start from it with --init, or take --method vqgan-clip"
            )
        if phrase.stop != UNENDING:
            raise Unsupported("prompt: a stop is for searches; leave it out, or use vqgan-clip")
    if not towards and not judged:
        raise RecipeError("the prompt only says what not to paint; say what to paint, too")
    parts: list[Span] = []
    for phrase in towards:
        parts += [Span(f" {PHRASE_MARK} ")] * bool(parts) + _weighed(phrase)
    spans = tidied(parts)
    if len({span.weight for span in spans if span.text.strip(f" {PHRASE_MARK}")}) == 1:
        spans = (Span(plain(spans)),)
    said = tuple((span.text, span.weight) for span in spans)
    return said, ", ".join(str(phrase.text) for phrase in away)


def open_mask(path: Path) -> Float[Tensor, "1 1 h w"]:
    """Read a mask: 1 where it is white, or where a transparent picture is opaque.

    Raises:
        ImageError: unreadable.
    """
    image = open_image(path, "RGBA")
    grey = (image[:3].mean(dim=0) + 1) / 2
    opaque = (image[3] + 1) / 2
    return (opaque if opaque.min() < 1 else grey)[None, None]


def commission_of(
    recipe: Imagine, seed: int, said: tuple[tuple[str, float], ...], away: str
) -> Commission:
    """What a complete recipe asks a model for, in words, of the picture with a seed."""
    assert recipe.height is not None
    assert recipe.width is not None
    assert recipe.guidance_scale is not None
    choice = {name: getattr(recipe, name) for name in OF_TOKENS}
    return Commission(
        spans=said,
        negative_prompt=", ".join(filter(None, (recipe.negative_prompt, away))),
        height=recipe.height,
        width=recipe.width,
        steps=recipe.iterations or 1,  # tokens have none, and no sampler
        guidance_scale=recipe.guidance_scale,
        sampler=recipe.sampler or "",
        strength=recipe.strength,
        choice=None if recipe.temperature is None else Choice(**choice),
        drawing=Rng((seed if recipe.drawing_seed is None else recipe.drawing_seed,), "/imagine"),
    )


def _weighed(phrase: Phrase) -> list[Span]:
    """Its words, which count as the phrase does."""
    same = len({span.weight for span in phrase.words}) == 1
    if same:
        return [Span(plain(phrase.words), phrase.pull)]
    return [Span(span.text, span.weight * phrase.weight) for span in phrase.words]


def _draws(habits: Habits) -> bool:
    """Whether a model draws tokens; else it denoises."""
    return habits.choice is not None


def _judges(recipe: Imagine, zoo: Zoo, place: torch.device) -> dict[str, tuple[Perceptor, float]]:
    """Who ranks candidates, where there are several: perceptors by name, and what each counts."""
    if (recipe.num_candidates or 1) == 1:
        return {}
    judges = {}
    for name, weight in map(split_weight, recipe.perceptors):
        perceptor = zoo.load(name, place)
        if not isinstance(perceptor, Perceptor):
            raise Unsupported(f"{name[:80]!r} is no perceptor: it cannot judge the candidates")
        judges[name] = (perceptor, weight)
    return judges


def _judged(commission: Commission, judges: dict[str, tuple[Perceptor, float]]) -> Commission:
    """With who says which of several candidates shows the words best."""
    judge = Ranking(tuple(judges.values()), commission.prompt) if judges else None
    return replace(commission, judge=judge)


def _complete(recipe: Imagine, model: Illustrator) -> Imagine:
    """Fill in what the recipe leaves to the model, so that it means the same for ever."""
    habits = model.habits
    scale = recipe.guidance_scale
    own = {} if habits.choice is None else asdict(habits.choice)
    return recipe.model_copy(
        update={
            "method": recipe.chosen_method,
            "model": recipe.model_name,
            "iterations": recipe.iterations or habits.steps,
            "width": recipe.width or habits.width,
            "height": recipe.height or habits.height,
            "guidance_scale": habits.guidance_scale if scale is None else scale,
            "sampler": recipe.sampler or habits.sampler,
            **{name: _first(getattr(recipe, name), value) for name, value in own.items()},
        }
    )


def _first(said: object, default: object) -> object:
    """What was said, be it 0."""
    return default if said is None else said


def _with_pictures(
    commission: Commission, init: Images | None, mask: Tensor | None, place: torch.device
) -> Commission:
    """With what it starts from, and where that is painted anew."""
    size = (commission.height, commission.width)
    return replace(
        commission,
        init=None if init is None else fit(init, *size).to(place),
        mask=None if mask is None else fit(mask, *size).clamp(0, 1).to(place),
    )
