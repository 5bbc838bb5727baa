"""The words of each picture: by its seed alone, or all of them; what older recipes meant."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.prompting.prompt import parse
from phosphene.studio.recipe import Imagine
from phosphene.studio.wording import scenes_of, wordings_of

GROUPS = "{red|blue|green} {apple|heart|{fox|owl}}"


def prompts(prompt=GROUPS, **fields):
    return [w.prompt for w in wordings_of(Imagine(prompt=prompt, **{"seed": 7, **fields}))]


def test_each_picture_takes_one_by_its_own_seed():
    together = prompts(count=16)
    assert together == [prompts(seed=7 + i)[0] for i in range(16)]
    assert len(set(together)) > 5
    assert prompts(count=16) == together


def test_all_are_painted_for_each_seed():
    recipe = Imagine(prompt="{a|b} {c|d}", alternatives="all", seed=7, count=2)
    assert [w.prompt for w in wordings_of(recipe)] == ["a c", "a d", "b c", "b d"] * 2
    assert recipe.all_seeds() == (7,) * 4 + (8,) * 4
    assert recipe.labels() == ["7-1", "7-2", "7-3", "7-4", "8-1", "8-2", "8-3", "8-4"]


def test_one_combination_is_named_as_ever():
    assert Imagine(prompt="a", alternatives="all", seed=7, count=2).labels() == ["7", "8"]


def test_braces_and_brackets_may_be_text():
    recipe = Imagine(prompt="{a|b} (c:2)", alternatives="none", emphasis=False, seed=1)
    (wording,) = wordings_of(recipe)
    assert wording.story == parse("{a|b} (c:2)")
    (wording,) = wordings_of(Imagine(prompt="(c:2) d", seed=1))
    assert wording.story == parse("(c:2) d").emphasised()


def test_pictures_and_weights_stand_in_alternatives():
    recipe = Imagine(prompt="{fox:2|x.png}:0.5", alternatives="all", image_prompts=("y.png:3",))
    text, image = (w.story.scenes[0] for w in wordings_of(recipe))
    assert (text[0].text, text[0].weight, text[0].stop) == ("fox", 2, 0.5)
    assert (image[0].image, image[0].weight) == ("x.png", 0.5)
    assert text[1] == image[1]
    assert (text[1].image, text[1].weight) == ("y.png", 3)


def test_an_empty_choice_is_said():
    with pytest.raises(RecipeError, match="has no words"):
        wordings_of(Imagine(prompt="{|}", seed=1))


@pytest.mark.parametrize(
    ("prompt", "scenes"),
    [("a ^ b | c ^", 2), ("{a ^ b|c}", 2), ("{|a} ^ {b|c}", 2), ("(a) ^ b", 2)],
)
def test_all_pictures_share_their_time_among_as_many_scenes(prompt, scenes):
    assert scenes_of(Imagine(prompt=prompt)) == scenes
