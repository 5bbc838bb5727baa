"""What a text-to-image model is asked for: words and weights, pictures, defaults."""

import pytest
import torch
from PIL import Image

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.prompting.prompt import parse
from phosphene.studio.easel import open_mask, set_easel, spans_of
from tests.studio.illustrators import token_wish, wish


def asked(zoo, prompt: str = "fox", **fields):
    return set_easel(wish(prompt, **fields), zoo).commissions[0]


@pytest.mark.parametrize(
    ("prompt", "spans", "away"),
    [
        ("a red fox", (("a red fox", 1.0),), ""),
        ("a red fox | flat", (("a red fox | flat", 1.0),), ""),
        ("a (red:1.5) fox", (("a ", 1.0), ("red ", 1.5), ("fox", 1.0)), ""),
        ("fox:2 | flat", (("fox ", 2.0), ("| flat", 1.0)), ""),
        ("fox:2 | flat:2", (("fox | flat", 1.0),), ""),
        ("(fox:1.5)", (("fox", 1.0),), ""),
        ("fox | blurry:-1 | dull:-0.5", (("fox", 1.0),), "blurry, dull"),
        ("fox | dog:0", (("fox", 1.0),), ""),
    ],
)
def test_a_prompt_is_read(prompt, spans, away):
    assert spans_of(parse(prompt).emphasised()) == (spans, away)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("fox ^ owl", "a story"),
        ("fox | seen.png", "is a picture, and diffusion and tokens follow words"),
        ("fox:1:0.5", "a stop is for searches"),
    ],
)
def test_what_only_a_search_can_do(zoo, prompt, said):
    with pytest.raises(Unsupported, match=said):
        asked(zoo, prompt)


def test_a_prompt_says_what_to_paint(zoo):
    with pytest.raises(RecipeError, match="only says what not to paint"):
        asked(zoo, "blurry:-1")


def test_phrases_below_nought_join_the_negative_prompt(zoo):
    got = asked(zoo, "fox | dull:-1", negative_prompt="blurry")
    assert got.prompt == "fox"
    assert got.negative_prompt == "blurry, dull"


def test_what_is_not_said_is_the_models(zoo):
    easel = set_easel(wish("fox", iterations=None), zoo)
    recipe, habits = easel.recipe, easel.illustrator.habits
    assert (recipe.width, recipe.height) == (16, 16)
    assert recipe.iterations == habits.steps
    assert recipe.guidance_scale == habits.guidance_scale
    assert recipe.sampler == habits.sampler
    assert set(easel.surroundings.models) == {"tiny-diffusion", "tiny-vqgan", "tiny-text"}


def test_guidance_of_nought_is_a_number(zoo):
    assert asked(zoo, guidance_scale=0).guidance_scale == 0


def test_a_start_and_a_mask_are_opened_and_fitted(zoo, tmp_path):
    save_png(torch.zeros(3, 20, 40), tmp_path / "a.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "mask.png")
    easel = set_easel(
        wish(init_image=str(tmp_path / "a.png"), mask=str(tmp_path / "mask.png"), strength=0.3), zoo
    )
    got = easel.commissions[0]
    assert got.init.shape == (1, 3, 16, 16)
    assert got.mask.shape == (1, 1, 16, 16)
    assert got.mask.min() == pytest.approx(1)
    assert got.strength == 0.3
    assert len(easel.surroundings.inputs) == 2


def test_white_and_opaque_are_painted(tmp_path):
    grey = Image.new("L", (2, 1))
    grey.putdata([0, 255])
    grey.save(tmp_path / "grey.png")
    clear = Image.new("RGBA", (2, 1))
    clear.putdata([(255, 255, 255, 0), (0, 0, 0, 255)])
    clear.save(tmp_path / "clear.png")
    for name in ("grey", "clear"):
        assert open_mask(tmp_path / f"{name}.png").flatten().tolist() == [0, 1]


def test_a_mask_needs_a_picture(zoo, tmp_path):
    Image.new("L", (8, 8), 255).save(tmp_path / "mask.png")
    with pytest.raises(RecipeError, match="mask needs an init_image"):
        asked(zoo, mask=str(tmp_path / "mask.png"))


@pytest.mark.parametrize(
    "fields",
    [
        {"num_cutouts": 4},
        {"tv_weight": 1.0},
        {"zoom": {}},
        {"start": "clouds"},
        {"image_prompts": ("a.png",)},
        {"perceptors": ("other",)},
    ],
)
def test_fields_of_searches_are_refused(zoo, fields):
    with pytest.raises(RecipeError, match=f"{next(iter(fields))}: diffusion has none"):
        asked(zoo, **fields)


def test_a_model_that_does_not_denoise(zoo):
    with pytest.raises(Unsupported, match="'tiny-vqgan' cannot paint by diffusion"):
        asked(zoo, model="tiny-vqgan")


def test_a_size_that_it_does_not_paint(zoo):
    with pytest.raises(RecipeError, match="this model paints 16 x 16"):
        asked(zoo, width=32)


@pytest.mark.parametrize("fields", [{"push": 0.3}, {"look_every": 1}, {"symmetry": "sides"}])
def test_who_asks_for_pushes_is_sent_to_guided_diffusion(zoo, fields):
    said = f"{next(iter(fields))}: diffusion alone has none.*--method guided-diffusion"
    with pytest.raises(RecipeError, match=said):
        asked(zoo, **fields)
    with pytest.raises(RecipeError, match="--method guided-diffusion"):
        set_easel(token_wish(**fields), zoo)


def test_fields_of_tokens_are_refused_by_denoisers(zoo):
    with pytest.raises(RecipeError, match="top_k: diffusion draws no tokens"):
        asked(zoo, top_k=5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_cutouts": 4}, "num_cutouts: tokens have none"),
        ({"tv_weight": 1.0}, "tv_weight: tokens have none"),
        ({"iterations": 4}, "iterations: tokens come one by one"),
        ({"sampler": "euler"}, "sampler: tokens come one by one"),
    ],
)
def test_fields_that_tokens_do_not_have_are_refused(zoo, fields, said):
    with pytest.raises(RecipeError, match=said):
        set_easel(token_wish(**fields), zoo)


def test_one_method_does_not_paint_with_the_models_of_the_other(zoo):
    with pytest.raises(Unsupported, match="'tiny-diffusion' cannot paint by tokens: it does not"):
        set_easel(token_wish(model="tiny-diffusion"), zoo)
    with pytest.raises(Unsupported, match="'tiny-tokens' cannot paint by diffusion"):
        set_easel(wish(model="tiny-tokens"), zoo)


def test_what_is_not_said_of_tokens_is_the_models(zoo):
    fields = {"num_candidates": None, "perceptors": ("tiny-judge",)}
    easel = set_easel(token_wish("fox", **fields), zoo)
    recipe, choice = easel.recipe, easel.illustrator.habits.choice
    said = (recipe.temperature, recipe.top_k, recipe.top_p, recipe.num_candidates)
    assert said == (choice.temperature, choice.top_k, choice.top_p, choice.num_candidates)
    assert (recipe.iterations, recipe.sampler) == (None, None)
    assert easel.commissions[0].choice == choice
    assert set_easel(recipe, zoo).recipe == recipe  # complete: nothing more to fill in
    parts = {"tiny-tokens", "tiny-vqgan", "tiny-text", "tiny-judge"}
    assert set(easel.surroundings.models) == parts


def test_nought_is_a_number(zoo):
    got = set_easel(token_wish(temperature=0, top_k=0), zoo).commissions[0].choice
    assert (got.temperature, got.top_k) == (0, 0)


def test_a_judge_of_candidates_hears_the_words(zoo):
    fields = {"num_candidates": 2, "perceptors": ("tiny-judge:2",)}
    judge = set_easel(token_wish("a (red:1.5) fox | dull:-1", **fields), zoo).commissions[0].judge
    assert judge.text == "a red fox"
    ((perceptor, weight),) = judge.judges
    assert weight == 2
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    assert judge(images).shape == (3,)
    assert perceptor.input_size == 8


def test_a_sole_candidate_needs_no_judge(zoo):
    easel = set_easel(token_wish(), zoo)
    assert easel.commissions[0].judge is None
    assert "tiny-judge" not in easel.surroundings.models


def test_a_judge_that_is_none(zoo):
    with pytest.raises(Unsupported, match="'tiny-vqgan' is no perceptor"):
        set_easel(token_wish(num_candidates=2, perceptors=("tiny-vqgan",)), zoo)


def test_a_picture_is_painted_after_the_drawing_of_its_seed_or_of_another(zoo) -> None:
    easel = set_easel(wish("fox", seed=4, count=2), zoo)
    assert [c.drawing for c in easel.commissions] == [Rng((4,), "/imagine"), Rng((5,), "/imagine")]
    easel = set_easel(wish("fox", seed=4, count=2, drawing_seed=9), zoo)
    assert {c.drawing for c in easel.commissions} == {Rng((9,), "/imagine")}
