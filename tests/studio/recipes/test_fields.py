import pytest

from phosphene.core.rng import MAX_SEED as RNG_MAX_SEED
from phosphene.studio.recipes.fields import (
    MAX_SEED,
    demand_room,
    drawn_seed,
    model_title,
    seed_list,
    split_weight,
)


def test_seeds_are_those_of_rng():
    assert MAX_SEED == RNG_MAX_SEED


def test_seed_lists():
    assert seed_list("3,5, 10-12") == (3, 5, 10, 11, 12)
    for bad in ("", "x", "3-", "-3", "5-3", "0-5000", "3.5"):
        with pytest.raises(ValueError, match="should"):
            seed_list(bad)


def test_a_drawn_seed_is_short_enough_to_type():
    seeds = {drawn_seed() for _ in range(9)}
    assert len(seeds) > 1
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_the_last_of_many_needs_a_seed():
    demand_room(None, 10**9)
    demand_room(MAX_SEED, 1)
    with pytest.raises(ValueError, match="room for 2"):
        demand_room(MAX_SEED, 2)


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("faces-dcgan", "faces-dcgan"),
        ("runs/digits/digits-cgan.safetensors", "digits-cgan"),
        ("openai/clip@abc", "openai/clip@abc"),
    ],
)
def test_titles_of_models(model, title):
    assert model_title(model) == title


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
