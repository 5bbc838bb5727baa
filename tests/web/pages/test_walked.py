"""A walk of the map leads back to where it was made; others do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.pages.latent_map import FARTHEST, NUM_SEEDS, Place, Route
from phosphene.web.pages.walked import is_still, route_of

NEAR = st.integers(-4_000_000, 4_000_000)  # ten thousandths of a crossing
PLACES = st.tuples(NEAR, NEAR, st.integers(0, 150), st.integers(-40, 40))


def place(x, y, psi, move):
    return Place(psi=psi / 100).at(x / 10_000, y / 10_000).moved(2, move / 10)


def asked(recipe):
    """The recipe as it comes out of the queue."""
    return parse_recipe(recipe.model_dump(mode="json"))


@given(PLACES, st.integers(0, NUM_SEEDS - 1), st.sampled_from(["", "fox"]))
def test_a_picture_leads_back_to_its_place(where, origin, of_class):
    route = Route("emoji-stylegan2", True, origin, of_class, {"fine": 5}, place(*where))
    found = route_of(asked(route.picture()))
    assert found is not None
    assert found.query() == route.query()


@given(st.lists(PLACES, min_size=2, max_size=5, unique=True), st.booleans())
def test_a_film_leads_back_to_its_keyframes(stops, loop):
    places = [place(*stop) for stop in stops]
    route = Route("m", True, 7, here=places[0], keys=places, seconds=3.0, loop=loop)
    found = route_of(asked(route.film()))
    assert found is not None
    assert found.query() == route.query()
    assert not is_still(route.film())


def test_far_away_the_same_seeds_are_found():
    route = Route("m", origin=0, here=Place().at(FARTHEST, -FARTHEST + 0.25))
    found = route_of(route.picture())
    assert found is not None
    assert found.picture() == route.picture()
    assert is_still(route.picture())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"path": "z = 7 ~ 8; even"},
        {"path": "z = fox.png ~ 7", "seed": 7},
        {"path": "z = 0.6*7 + 0.8*9", "seed": 7},
        {"path": "w = 7", "seed": 7, "num_frames": 1, "times": [0.0]},
        {"path": "z = 7", "seed": 7, "num_frames": 1, "times": [0.5]},
        {"path": "z = 7 ~ 8", "seed": 2**40},
        {"path": "z = 7 ~ 8", "seed": 7, "num_frames": 60, "side": 100, "video": "mp4"},
        {"path": "z = 1*7; psi = x", "seed": 7, "num_frames": 1, "times": [0.0]},
        {"path": {"z": [7, 8]}, "seed": 7},
    ],
)
def test_other_walks_are_not_of_the_map(fields):
    assert route_of(parse_recipe({"kind": "walk", "model": "m", **fields})) is None
