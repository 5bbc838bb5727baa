import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phosphene.core.protocols import Choice
from phosphene.prompting.cutouts import POLICIES
from phosphene.prompting.optimise import OPTIMISERS
from phosphene.studio.easel import FOREIGN, LACKS
from phosphene.studio.methods import METHODS
from phosphene.studio.recipes import imagine as module
from phosphene.studio.recipes.fields import MAX_SEED
from phosphene.studio.recipes.imagine import Imagine
from phosphene.studio.start import STRATEGIES


def test_each_field_is_everybodys_or_of_one_kind_of_method():
    """And those of denoisers are not looked at by searches: see `test_stage`."""
    fields = set(module.Imagine.model_fields)
    assert set(module.OF_SEARCHES) <= fields
    assert set(module.OF_DENOISERS) <= fields
    assert set(module.OF_TOKENS) <= fields
    kinds = [*module.OF_SEARCHES, *module.OF_DENOISERS, *module.OF_TOKENS]
    assert len(set(kinds)) == len(kinds)
    assert set(module.OWN_MODELS) == set(module.Method.__args__)


def test_names_that_are_repeated_to_keep_torch_away_are_those_of_the_modules():
    assert set(module.Optimiser.__args__) == set(OPTIMISERS)
    assert set(module.CutPolicy.__args__) == set(POLICIES)
    searches = set(module.Method.__args__) - set(FOREIGN)
    assert set(FOREIGN) == set(LACKS)
    assert tuple(field.name for field in dataclasses.fields(Choice)) == module.OF_TOKENS
    assert searches == set(METHODS)
    assert set(STRATEGIES) == searches - {"guided-diffusion"}
    assert set(module.Start.__args__) == set().union(*STRATEGIES.values())


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_a_prompt(text):
    assert Imagine(prompt=text).prompt.encode()  # whatever came in can be written as UTF-8


def test_surrogates_are_mended():
    assert Imagine(prompt="a\ud83d\udc9ab").prompt == "a💚b"
    assert Imagine(prompt="a\udcffb").prompt == "a\ufffdb"


def test_with_seed_draws_once():
    recipe = Imagine(prompt="x").with_seed()
    assert recipe.seed is not None
    assert 0 <= recipe.seed < 2**32
    assert recipe.with_seed() is recipe
    assert Imagine(prompt="x", seed=0).with_seed().seed == 0


def test_the_last_picture_needs_a_seed_too():
    Imagine(prompt="x", seed=MAX_SEED)
    with pytest.raises(ValidationError, match="room for 2"):
        Imagine(prompt="x", seed=MAX_SEED, count=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("prompt", v) for v in ("", "x" * 20_001, 5)],
        *[(side, v) for side in ("width", "height") for v in (0, 15, 4097, 10**9, -1, 1.5)],
        *[("iterations", v) for v in (0, -1, 10**6)],
        *[("seed", v) for v in (-1, MAX_SEED + 1)],
        *[("count", v) for v in (0, 65)],
        *[("fps", v) for v in (0, 61)],
        *[("learning_rate", v) for v in (0, -1, math.nan, math.inf)],
        *[("perceptors", v) for v in ((), ("",))],
        *[("zoom", v) for v in ({"scale": 0}, {"scale": 3}, {"every": 0}, {"angle": math.nan})],
        ("video", "avi"),
        ("optimiser", "sdg"),
        ("unknown", 1),
    ],
)
def test_what_is_out_of_range_is_refused(field, value):
    with pytest.raises(ValidationError):
        Imagine(**{"prompt": "x", field: value})


def test_its_files_are_named_after_the_words_and_seeds():
    recipe = Imagine(prompt="a fox", seed=7, count=2)
    assert (recipe.title, recipe.labels(), recipe.all_seeds()) == ("a fox", ["7", "8"], (7, 8))


def test_too_many_combinations_are_refused_in_a_line():
    assert len(Imagine(prompt="{a|b}" * 6, alternatives="all").all_seeds()) == 64
    for prompt, count, said in (
        ("{a|b}" * 7, 1, "128 combinations; all of them"),
        ("{a|b}" * 5, 3, "32 combinations for each of 3 seeds"),
        ("{a|b}" * 2000, 1, "more than a billion combinations"),
    ):
        with pytest.raises(ValidationError, match=said):
            Imagine(prompt=prompt, count=count, alternatives="all")
        assert len(Imagine(prompt=prompt, count=count).all_seeds()) == count


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({}, "diffusion"),
        ({"iterations": 9, "seed": 3, "negative_prompt": "owl"}, "diffusion"),
        ({"init_image": "a.png", "strength": 0.4}, "diffusion"),
        ({"model": "emoji-diffusion"}, "diffusion"),
        ({"model": "emoji-biggan"}, "gan-clip"),
        ({"model": "emoji-tokens"}, "tokens"),
        ({"model": "emoji-vqgan"}, "vqgan-clip"),
        ({"model": "runs/mine.safetensors"}, "vqgan-clip"),
        ({"perceptors": ["emoji-clip", "other"]}, "vqgan-clip"),
        ({"width": 256}, "vqgan-clip"),
        ({"start": "flow"}, "vqgan-clip"),
        ({"prompt": "sunrise ^ moon"}, "vqgan-clip"),
        ({"push": 0.2}, "guided-diffusion"),
        ({"method": "gan-clip", "width": 256}, "gan-clip"),
    ],
)
def test_a_method_that_is_not_said_is_that_of_what_is(fields, method):
    recipe = Imagine(**{"prompt": "fox", **fields})
    assert recipe.chosen_method == method
    assert recipe.method == fields.get("method")
