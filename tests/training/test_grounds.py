import numpy as np
import pytest

from phosphene.core.rng import Rng
from phosphene.training import grounds


def dice(seed=0):
    return Rng((seed,)).dice()


@pytest.mark.parametrize("name", grounds.PLACES)
@pytest.mark.parametrize("size", [16, 128])
def test_places_fill_the_canvas_and_depend_on_dice_alone(name, size):
    paint, phrases = grounds.PLACES[name]
    image = paint(size, dice())
    assert image.size == (size, size)
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(paint(size, dice())))
    assert not np.array_equal(np.asarray(image), np.asarray(paint(size, dice(1))))
    assert all(phrases)


@pytest.mark.parametrize("name", grounds.COLOURS)
def test_plain_grounds_are_their_colour(name):
    pixels = np.asarray(grounds.plain(name, 8, dice())).astype(int)
    assert np.abs(pixels - grounds.COLOURS[name]).max() <= 6
    assert (pixels == pixels[0, 0]).all()


def test_white_is_exactly_white():
    assert (np.asarray(grounds.plain("white", 8, dice())) == 255).all()


def test_gradients_run_from_top_to_bottom():
    pixels = np.asarray(grounds.vertical(9, [(0, (0, 0, 0)), (1, (80, 160, 240))]))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[4, 3].tolist() == [40, 80, 120]
    assert pixels[8, 8].tolist() == [80, 160, 240]


def mean(name, part):
    pixels = np.asarray(grounds.PLACES[name][0](64, dice(3))).astype(float)
    return pixels[part].reshape(-1, 3).mean(axis=0)


def test_places_look_like_their_names():
    upper, lower = np.s_[:20], np.s_[44:]
    r, g, b = mean("grass", lower)
    assert g > max(r, b) + 30
    r, g, b = mean("sky", np.s_[:])
    assert b > r
    assert mean("night", np.s_[:]).max() < 110
    assert mean("space", np.s_[:]).max() < 90
    r, g, b = mean("sunset", lower)
    assert r > b + 60
    assert mean("sunset", upper)[2] > 60
    assert mean("snow", lower).min() > 200
    r, g, b = mean("water", lower)
    assert b > r + 60
    r, g, b = mean("desert", lower)
    assert r > g > b


def test_a_sun_does_not_shine_at_night():
    assert "night" not in grounds.places_for(frozenset({"sun", "behind", "cloud"}))
    assert set(grounds.places_for(frozenset({"dog"}))) == set(grounds.PLACES)


def test_mean_colour_looks_at_the_middle():
    image = grounds.plain("white", 20, dice())
    image.paste((10, 20, 30), (4, 4, 16, 16))
    assert grounds.mean_colour(image).tolist() == [10, 20, 30]
