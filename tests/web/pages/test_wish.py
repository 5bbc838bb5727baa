"""The form's fields and the recipe are each other's."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.wish import (
    STYLES,
    Wish,
    fresh_seed,
    has_style,
    phrases,
    query_of,
    wish_from,
    wish_of,
    with_style,
)

ID = "ab" * 32


def test_a_style_is_a_phrase():
    for style in STYLES:
        styled = with_style("fox", style)
        assert styled == f"fox | {style}"
        assert has_style(styled.upper(), style)
        assert with_style(styled, style) == "fox"
    assert with_style("", "neon") == "neon"
    assert not has_style("neon sign", "neon")
    assert phrases(" a |  | b:2 ") == ["a", "b:2"]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "fox | neon", "seed": 7, "count": 3, "iterations": 20},
        {"prompt": "fox", "width": 64, "height": 128, "init_image": f"artifact:{ID}"},
        {"prompt": "fox", "method": "gan-clip", "model": "emoji-biggan"},
        {"prompt": "fox", "method": "diffusion", "negative_prompt": "owl", "guidance_scale": 4.0},
        {"prompt": "fox", "cut_power": 2.0, "zoom": {"scale": 1.1}, "perceptors": ["a:2", "b"]},
    ],
)
def test_a_recipe_comes_back_from_its_form_and_from_its_address(fields):
    """Its method is left out where it goes without saying."""
    recipe = parse_recipe({"kind": "imagine", **fields})
    for back in (wish_of(recipe).recipe(), wish_from(query_of(recipe)).recipe()):
        assert back.model_copy(update={"method": recipe.method}) == recipe
        assert back.chosen_method == recipe.chosen_method
        if recipe.method is None:
            assert back == recipe


def test_what_is_left_out_is_a_phrase_or_a_field():
    wish = Wish(prompt="fox", negative="text | frame", method="vqgan-clip")
    assert wish.recipe().prompt == "fox | text:-0.5 | frame:-0.5"
    wish.method = "diffusion"
    assert (wish.recipe().prompt, wish.recipe().negative_prompt) == ("fox", "text | frame")


def test_what_a_method_does_not_know_is_not_asked_of_it():
    wish = Wish(prompt="fox", method="gan-clip", width=64, height=64, start=ID, guidance=3.0)
    recipe = wish.recipe()
    assert (recipe.width, recipe.init_image, recipe.guidance_scale) == (None, None, None)
    wish.method = "vqgan-clip"
    assert wish.recipe().init_image == f"artifact:{ID}"


def test_numbers_of_browsers_are_whole():
    wish = Wish(prompt="fox", seed=7.0, count=2.0, steps=9.0)
    assert (wish.recipe().seed, wish.recipe().count, wish.recipe().iterations) == (7, 2, 9)
    wish.steps = 9.5
    with pytest.raises(RecipeError, match="iterations"):
        wish.recipe()


def test_words_are_needed_and_other_parameters_are_not_ours():
    with pytest.raises(RecipeError, match="say what to paint"):
        Wish(prompt="  ").recipe()
    assert wish_from({"utm_source": "x"}) == Wish()
    assert wish_from({"seed": "7"}).prompt == ""
    assert wish_from({"prompt": "7"}).prompt == "7"
    for query in ({"iterations": "many"}, {"seed": "-1"}, {"zoom": "["}):
        with pytest.raises(RecipeError):
            wish_from(query)


def test_dice():
    assert fresh_seed() != fresh_seed()
