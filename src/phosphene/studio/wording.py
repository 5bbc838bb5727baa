"""The words of each picture of a recipe: one of the alternatives, image prompts, emphasis."""

from collections.abc import Iterable
from dataclasses import dataclass

from phosphene.core.rng import Rng
from phosphene.prompting.alternatives import combination, expand, has_alternatives, num_scenes
from phosphene.prompting.prompt import Phrase, Story, parse
from phosphene.studio.recipe import Imagine
from phosphene.studio.recipes.fields import split_weight


@dataclass(frozen=True, slots=True)
class Wording:
    """What one picture is to show.

    Args:
        prompt: The recipe's, with one of the alternatives for each group.
        story: The same, read, with the recipe's image prompts.
    """

    prompt: str
    story: Story


def wordings_of(recipe: Imagine) -> tuple[Wording, ...]:
    """The words of each picture, in order.

    Raises:
        RecipeError: a prompt without words, a weight that is not finite, or only weights of 0.
    """
    prompts = [_prompt(recipe, index, seed) for index, seed in enumerate(recipe.all_seeds())]
    return tuple(Wording(prompt, _story(recipe, prompt)) for prompt in prompts)


def scenes_of(recipe: Imagine) -> int:
    """Scenes that share a picture's iterations, the same for all pictures of a prompt."""
    if recipe.alternatives == "none" or not has_alternatives(recipe.prompt):
        return len(_story(recipe, _prompt(recipe, 0, 0)).scenes)
    return num_scenes(recipe.prompt)


def _prompt(recipe: Imagine, index: int, seed: int) -> str:
    match recipe.alternatives:
        case "none":
            return recipe.prompt
        case "all":
            return combination(recipe.prompt, index % recipe.num_combinations)
        case "random":
            dice = Rng((seed,), "/imagine").fork("alternatives").dice()
            return expand(recipe.prompt, dice.randrange)


def _story(recipe: Imagine, prompt: str) -> Story:
    story = parse(prompt)
    return _with_image_prompts(story.emphasised() if recipe.emphasis else story, recipe)


def _with_image_prompts(story: Story, recipe: Imagine) -> Story:
    """Add the recipe's image prompts to every scene."""
    named: Iterable[tuple[str, float]] = map(split_weight, recipe.image_prompts)
    added = tuple(Phrase(image=path, weight=weight) for path, weight in named)
    return Story(tuple(scene + added for scene in story.scenes))
