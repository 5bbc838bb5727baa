import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.training.renderings import RENDERINGS, render


def picture(size=96, ground="white"):
    """A red disc, a green box and a blue bar."""
    image = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(image)
    s = size / 96
    draw.ellipse((10 * s, 10 * s, 60 * s, 60 * s), fill=(220, 40, 40))
    draw.rectangle((40 * s, 45 * s, 80 * s, 85 * s), fill=(40, 170, 70))
    draw.line((5 * s, 80 * s, 90 * s, 20 * s), fill=(30, 60, 200), width=round(6 * s))
    return np.array(image)


def dice(seed=0):
    return Rng((seed,)).dice()


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("size", [8, 64, 96])
def test_shape_and_range_stay(name, size):
    before = picture(size)
    copy = before.copy()
    after = render(name, before, dice())
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert np.array_equal(before, copy), "the input is not touched"


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("ground", ["white", (60, 110, 200), "black"])
def test_each_changes_the_picture(name, ground):
    before = picture(ground=ground).astype(int)
    after = render(name, before.astype(np.uint8), dice()).astype(int)
    assert np.abs(after - before).mean() > 3


def test_each_looks_unlike_the_others():
    rendered = {name: render(name, picture(), dice()).astype(int) for name in RENDERINGS}
    for a, b in itertools.combinations(rendered, 2):
        assert np.abs(rendered[a] - rendered[b]).mean() > 5, (a, b)


@pytest.mark.parametrize("name", RENDERINGS)
def test_depends_on_its_dice_alone(name):
    assert np.array_equal(render(name, picture(), dice(4)), render(name, picture(), dice(4)))


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_are_no_trouble(name, level):
    flat = np.full((32, 32, 3), level, dtype=np.uint8)
    assert render(name, flat, dice()).shape == flat.shape


@pytest.mark.parametrize("name", [n for n, r in RENDERINGS.items() if r.keeps == "colours"])
def test_what_keeps_colours_keeps_them(name):
    after = render(name, picture(), dice()).astype(float)
    red, green = after[22:34, 20:30].mean(axis=(0, 1)), after[62:80, 50:74].mean(axis=(0, 1))
    assert red[0] > red[1:].max() + 40
    assert green[1] > green[[0, 2]].max() + 20
    ground = after[84:94, 2:12].mean(axis=(0, 1))
    assert ground.min() > 150, "white ground stays light"


@pytest.mark.parametrize("name", [n for n, r in RENDERINGS.items() if r.keeps == "objects"])
def test_what_keeps_objects_keeps_their_colours(name):
    after = render(name, picture(), dice()).astype(float)
    red = after[22:34, 20:30].mean(axis=(0, 1))
    assert red[0] > red[1:].max() + 25


def test_unknown_names_and_shapes_are_one_line():
    with pytest.raises(RecipeError, match="did you mean 'mosaic'"):
        render("mosaik", picture(), dice())
    with pytest.raises(RecipeError, match="square RGB"):
        render("mosaic", np.zeros((8, 9, 3), np.uint8), dice())
    with pytest.raises(RecipeError, match="square RGB"):
        render("mosaic", np.zeros((8, 8, 4), np.uint8), dice())
