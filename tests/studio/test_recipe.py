import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phosphene.core.rng import MAX_SEED as RNG_MAX_SEED
from phosphene.prompting.cutouts import POLICIES
from phosphene.prompting.optimise import OPTIMISERS
from phosphene.studio import recipe as module
from phosphene.studio.recipe import MAX_SEED, Imagine, Train, split_weight, with_seed
from phosphene.studio.start import STRATEGIES


def test_names_that_are_repeated_to_keep_torch_away_are_those_of_the_modules():
    assert set(module.Optimiser.__args__) == set(OPTIMISERS)
    assert set(module.CutPolicy.__args__) == set(POLICIES)
    assert set(module.Start.__args__) == set(STRATEGIES)
    assert MAX_SEED == RNG_MAX_SEED


def test_a_recipe_cannot_change():
    with pytest.raises(ValidationError, match="frozen"):
        Imagine(prompt="x").prompt = "y"


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_a_prompt(text):
    assert Imagine(prompt=text).prompt.encode()  # whatever came in can be written as UTF-8


def test_surrogates_are_mended():
    assert Imagine(prompt="a\ud83d\udc9ab").prompt == "a💚b"
    assert Imagine(prompt="a\udcffb").prompt == "a\ufffdb"


def test_with_seed_draws_once():
    recipe = with_seed(Imagine(prompt="x"))
    assert recipe.seed is not None
    assert 0 <= recipe.seed < 2**32
    assert with_seed(recipe) is recipe
    assert with_seed(Imagine(prompt="x", seed=0)).seed == 0


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


@pytest.mark.parametrize("bad", [{"a": math.inf}, {"a": [math.nan]}, {"a": {"b": "\udcff"}}])
def test_free_form_sections_hold_what_json_holds(bad):
    with pytest.raises(ValidationError):
        Train(learner="vqgan", steps=1, model=bad)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("emoji-clip", ("emoji-clip", 1.0)),
        ("emoji-clip:0.5", ("emoji-clip", 0.5)),
        ("a:b:-2", ("a:b", -2.0)),
        ("C:\\pictures\\cat.png", ("C:\\pictures\\cat.png", 1.0)),
        ("cat.png:nan", ("cat.png:nan", 1.0)),
        (":3", (":3", 1.0)),
        ("x:", ("x:", 1.0)),
    ],
)
def test_split_weight(entry, expected):
    assert split_weight(entry) == expected
