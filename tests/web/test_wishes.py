"""What other APIs ask for, as recipes."""

import pytest

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.prompting.prompt import parse
from phosphene.studio.recipe import Imagine
from phosphene.web.wishes import Wish, granted, model_of, painted_size, painting_models, words
from phosphene.zoo.registry import shipped_cards

CARDS = {card.name: card for card in shipped_cards()}
ID = "a" * 64
SEARCH = {"model": "emoji-vqgan"}


def test_a_wish_is_a_recipe():
    recipe, width, height, unheard = granted(Wish(prompt="fox", seed=3, count=2), CARDS)
    assert (recipe.prompt, recipe.seed, recipe.count) == ("fox", 3, 2)
    assert (width, height, unheard) == (None, None, ())
    assert recipe.method == Imagine(prompt="x").chosen_method
    assert granted(Wish(), CARDS).recipe.prompt == "..."


@pytest.mark.parametrize(
    "text", ["a fox: 3", "look.png", "a:b:c", "scene ^ scene", "50% [x] {a|b}", "x:1:2"]
)
def test_prose_has_no_marks_of_ours(text):
    wish = Wish(prompt=words(text), emphasis=False)
    recipe = granted(wish, CARDS).recipe
    (scene,) = parse(recipe.prompt).scenes
    assert all(phrase.image is None and phrase.weight == 1 for phrase in scene)
    assert len(scene) == text.count("|") + 1


@pytest.mark.parametrize(
    ("model", "method"), [("emoji-vqgan", "vqgan-clip"), ("emoji-biggan", "gan-clip")]
)
def test_the_model_decides_how_it_is_painted(model, method):
    recipe = granted(Wish(prompt="x", model=model), CARDS).recipe
    assert (recipe.method, recipe.model, model_of(recipe)) == (method, model, model)


def test_models_that_paint_words():
    names = [card.name for card in painting_models(CARDS)]
    assert {"emoji-vqgan", "emoji-biggan", "faces-dcgan"} <= set(names)
    assert not {"minilm", "emoji-clip", "efficientnet-lite0"} & set(names)


@pytest.mark.parametrize(
    ("asked", "own", "painted"),
    [
        ((1024, 1024), 128, (128, 128)),
        ((64, 64), 128, (64, 64)),
        ((1536, 1024), 128, (160, 112)),
        ((100, 100), 128, (96, 96)),
        ((16, 4096), 128, (16, 2048)),
    ],
)
def test_what_is_painted_has_the_shape_of_what_is_shown(asked, own, painted):
    assert painted_size(*asked, own) == painted


def test_sizes():
    given = granted(Wish(prompt="x", width=1024, height=512, **SEARCH), CARDS)
    assert (given.width, given.height) == (1024, 512)
    assert (given.recipe.width, given.recipe.height) == (176, 96)
    # one side alone is both
    assert granted(Wish(prompt="x", width=64, **SEARCH), CARDS)[1:3] == (64, 64)
    # what paints in one size alone is not asked for another
    fixed = granted(Wish(prompt="x", width=64, height=96, model="emoji-biggan"), CARDS)
    assert (fixed.recipe.width, fixed.recipe.height) == (None, None)
    assert fixed[1:3] == (64, 96)
    for wrong in ({"width": 8}, {"height": 5000}, {"width": 4000, "height": 4000}):
        with pytest.raises(RecipeError, match=r"(width|height): "):
            granted(Wish(prompt="x", **wrong), CARDS)


def test_what_only_denoising_knows_is_named():
    wish = Wish(prompt="x", steps=20, guidance=7.0, sampler="Euler a", negative="ugly", **SEARCH)
    recipe, *_, unheard = granted(wish, CARDS)
    assert unheard == ("steps", "guidance", "sampler")
    assert recipe.iterations is None
    assert recipe.prompt == "x | ugly:-0.5"  # a search can be pushed away by a phrase


def test_what_denoising_knows_is_done():
    wish = Wish(
        prompt="x", method="diffusion", steps=20, guidance=5.0, sampler="Euler", negative="ugly"
    )
    recipe, *_, unheard = granted(wish, CARDS)
    assert (recipe.iterations, recipe.guidance_scale, recipe.sampler) == (20, 5.0, "euler")
    assert (recipe.negative_prompt, recipe.prompt, unheard) == ("ugly", "x", ())
    strange = granted(Wish(prompt="x", method="diffusion", sampler="DPM++ 2M"), CARDS)
    assert (strange.recipe.sampler, strange.unheard) == (None, ("sampler",))
    guided = granted(Wish(prompt="x", method="guided-diffusion", sampler="euler", steps=9), CARDS)
    assert (guided.recipe.iterations, guided.unheard) == (9, ("sampler",))
    painted = Wish(prompt="x", method="diffusion", init=ID, strength=0.3, mask="b" * 64)
    recipe = granted(painted, CARDS).recipe
    assert (recipe.init_image, recipe.strength) == (f"artifact:{ID}", 0.3)
    assert recipe.mask == f"artifact:{'b' * 64}"


@pytest.mark.parametrize(("strength", "weight"), [(1, 0), (0.5, 1), (0.75, 1 / 3), (0, 1000)])
def test_how_much_of_a_picture_stays(strength, weight):
    recipe = granted(Wish(prompt="x", init=ID, strength=strength, **SEARCH), CARDS).recipe
    assert recipe.init_image == f"artifact:{ID}"
    assert recipe.init_weight == pytest.approx(weight)


def test_what_cannot_be_done_is_said():
    with pytest.raises(Unsupported, match="mask"):
        granted(Wish(prompt="x", init=ID, mask=ID, **SEARCH), CARDS)
    with pytest.raises(RecipeError, match="strength"):
        granted(Wish(prompt="x", init=ID, strength=2.0, **SEARCH), CARDS)
    with pytest.raises(RecipeError, match="paints no words"):
        granted(Wish(prompt="x", model="minilm"), CARDS)
    with pytest.raises(RecipeError, match="did you mean 'emoji-vqgan'"):
        granted(Wish(prompt="x", model="emoji-vqgam"), CARDS)
    for name in ("kind", "seed", "init_image"):
        with pytest.raises(RecipeError, match=name):
            granted(Wish(prompt="x", extra={name: 1}), CARDS)
    with pytest.raises(RecipeError, match="unknown key"):
        granted(Wish(prompt="x", extra={"x": 1}), CARDS)


def test_a_picture_to_resemble_is_searched_for():
    recipe = granted(Wish(prompt="-", like=ID), CARDS).recipe
    assert (recipe.prompt, recipe.method) == (f"artifact:{ID}", "vqgan-clip")
    film = granted(Wish(prompt="x", film="gif", **SEARCH), CARDS).recipe
    assert film.video == "gif"


def test_a_model_that_draws_tokens_is_asked_for_tokens():
    """Its family is that of the autoencoder, which a search paints with."""
    card = CARDS["emoji-vqgan"].model_copy(update={"name": "drawer", "arch": "transformer"})
    cards = {**CARDS, "drawer": card}
    assert card in painting_models(cards)
    asked = {"negative": "dull", "guidance": 2.0, "init": ID, "strength": 0.5, "mask": ID}
    wish = Wish(prompt="x", model="drawer", steps=30, sampler="Euler", **asked)
    recipe, *_, unheard = granted(wish, cards)
    assert (recipe.method, recipe.model) == ("tokens", "drawer")
    assert (recipe.negative_prompt, recipe.guidance_scale, recipe.strength) == ("dull", 2.0, 0.5)
    assert recipe.mask
    assert (recipe.iterations, recipe.sampler) == (None, None)
    assert set(unheard) == {"steps", "sampler"}
