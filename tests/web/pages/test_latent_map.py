"""The map's mathematics in closed form, and its state through an address."""

import math

import pytest

from phosphene.core.errors import RecipeError
from phosphene.explore.path_text import parse_path
from phosphene.web.pages.latent_map import (
    MAX_KEYS,
    Place,
    Route,
    mixture_at,
    place_from,
    route_from,
    seed_at,
    shift_of,
    told_at,
    weights_at,
)

MODELS = {"emoji-stylegan2": True, "faces-dcgan": False}


def test_weights_have_unit_norm_everywhere():
    for x, y in ((0.5, 0.5), (-0.3, 2.9), (7.001, -4.999), (1234.25, 0.75)):
        weights = weights_at(x, y)
        assert math.fsum(w * w for w in weights.values()) == pytest.approx(1, abs=1e-12)
        assert len(weights) == 4
    assert set(weights_at(0.5, 0.5).values()) == {0.5}
    # on an edge two seeds remain, in the shares of the distance
    a, b = weights_at(0.25, 3).items()
    assert (a[0], b[0]) == ((0, 3), (1, 3))
    assert a[1] / b[1] == pytest.approx(3)


def test_a_crossing_is_exactly_one_seed():
    for column, row in ((0, 0), (3, 2), (-1, 0), (0, -5)):
        assert weights_at(column, row) == {(column, row): 1.0}
        assert mixture_at(7, column, row) == str(seed_at(7, column, row))
    assert (seed_at(7, 3, 2), seed_at(0, -1, 0), seed_at(2**32 - 1, 1, 0)) == (2010, 2**32 - 1, 0)


def test_the_path_reads_back_as_its_weights():
    x, y = 0.3, 1.00001
    (stop,) = parse_path(f"z = {mixture_at(7, x, y)}").tracks["z"].stops
    read = {int(term.name): term.weight for term in stop.value.terms}
    wanted = {seed_at(7, *crossing): w for crossing, w in weights_at(x, y).items()}
    assert read == pytest.approx(wanted, abs=1e-8)
    assert shift_of((2.0, 0.0, -0.5, 0.0)) == "2*pc0 - 0.5*pc2"
    assert shift_of((-1.0, 1.0)) == "-1*pc0 + 1*pc1"
    assert shift_of((0.0, 0.0)) == "0*pc0"


def test_a_place_for_people():
    assert told_at(7, 1, 0) == "seed 8"
    assert told_at(7, 0.75, 0) == "8 (90%), 7 (10%)"


def test_a_film_goes_through_its_keyframes():
    route = Route("emoji-stylegan2", True, 7, styles={"fine": 5}, of_class="fox", loop=True)
    with pytest.raises(RecipeError, match="two or more"):
        route.film()
    route.keys = [Place(), Place(1, 0, 0.5).moved(1, -2)]
    film = route.film()
    assert len(parse_path(film.path).tracks) == 5
    assert film.path == (
        "z = 7 ~ 8; class = fox; w[fine] = 5; psi = 1 ~ 0.5; move = 0*pc0 ~ -2*pc1; loop"
    )
    assert (film.num_frames, film.video, film.seed) == (60, "mp4", 7)
    plain = Route("faces-dcgan", False, 7, styles={"fine": 5}, keys=route.keys)
    assert plain.film().path == "z = 7 ~ 8; move = 0*pc0 ~ -2*pc1"  # it has no styles
    for seconds in (None, 0.5, 121):
        plain.seconds = seconds
        with pytest.raises(RecipeError, match="seconds"):
            plain.film()
    plain.of_class = "fox; z = 3"
    with pytest.raises(RecipeError, match="class"):
        plain.picture()


def test_a_picture_is_a_walk_of_one_frame():
    recipe = Route("faces-dcgan", False, 7, here=Place(2, 1)).picture()
    assert (recipe.path, recipe.num_frames, recipe.times, recipe.seed) == ("z = 1009", 1, (0.0,), 7)
    assert Route("emoji-stylegan2", True, 0, here=Place(0, 0, 0.5)).base(1, 0).path == "z = 1"


def test_keyframes_are_added_and_moved():
    route = Route("faces-dcgan", here=Place(1, 0))
    route.add()
    route.here = route.here.at(2, 0)
    route.add()
    route.swap(0, 1)
    route.swap(0, -1)
    route.swap(1, 2)
    assert [key.x for key in route.keys] == [2, 1]
    route.keys *= MAX_KEYS // 2
    with pytest.raises(RecipeError, match="enough"):
        route.add()


def test_the_address_holds_everything():
    here = Place(psi=0.7).at(1.25, -0.5).moved(3, 1.5)
    route = Route(
        "emoji-stylegan2", True, 9, "fox", {"coarse": 3}, here, [Place(), here], 2.5, True, "ab"
    )
    query = route.query()
    assert (query["at"], query["keys"]) == (
        "1.25,-0.5,0.7,0,0,0,1.5",
        "0,0~1.25,-0.5,0.7,0,0,0,1.5",
    )
    assert route_from(query, MODELS) == route
    plain = route_from({}, MODELS)
    assert plain == Route("emoji-stylegan2", True)
    assert route_from(plain.query(), MODELS) == plain
    assert "coarse" not in route_from({**query, "model": "faces-dcgan"}, MODELS).query()
    assert str(Place().at(-0.00001, 1e9)) == "0,10000"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "nobody"}, "model"),
        ({"origin": "-1"}, "origin"),
        ({"origin": str(2**32)}, "origin"),
        ({"coarse": "x"}, "coarse"),
        ({"at": "1"}, "no place"),
        ({"at": "nan,0"}, "no place"),
        ({"at": "1,2,-1"}, "psi"),
        ({"at": "1,2,1,9"}, "directions"),
        ({"keys": "0,0~fox"}, "no place"),
        ({"keys": "~".join(["0,0"] * (MAX_KEYS + 1))}, "keyframes"),
        ({"seconds": "0"}, "seconds"),
        ({"seconds": "x"}, "seconds"),
    ],
)
def test_what_an_address_cannot_say(query, said):
    with pytest.raises(RecipeError, match=said):
        route_from(query, MODELS)


def test_a_place_is_spelled_and_read():
    for text in ("0,0", "1.5,-2", "0,0,0.5", "0,0,1,0,0,-1.25"):
        assert str(place_from(text)) == text
