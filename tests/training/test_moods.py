import numpy as np

from phosphene.core.rng import Rng
from phosphene.training import moods


def dice():
    return Rng((0,)).dice()


def scene():
    """A red square on white."""
    x = np.ones((64, 64, 3), dtype=np.float32)
    x[16:48, 16:48] = (0.85, 0.15, 0.15)
    return x


def test_neon_glows_on_the_rim_in_the_dark():
    lit = moods.neon(scene(), dice())
    assert lit[3, 3].max() < 0.35
    assert lit[15:18, 24:40].max(axis=(0, 2)).min() > 0.8


def test_cyberpunk_is_magenta_and_cyan():
    night = moods.cyberpunk(np.full((64, 64, 3), 0.8, np.float32), dice())
    left, right = night[:, :12].mean(axis=(0, 1)), night[:, -12:].mean(axis=(0, 1))
    assert (left[0] - left[1]) * (right[0] - right[1]) < 0


def test_vintage_photos_are_brown_with_a_pale_border():
    old = moods.vintage_photo(scene(), dice())
    inner = old[20:44, 20:44].mean(axis=(0, 1))
    assert inner[0] > inner[1] > inner[2]
    assert old[0].min() > 0.8
    assert old[32, 32].mean() < old[10, 10].mean()


def test_a_white_ground_becomes_a_hall():
    lit = moods.unreal_engine(scene(), dice())
    assert lit[:6, :6].mean() < 0.35
    red = lit[24:40, 24:40].mean(axis=(0, 1))
    assert red[0] > red[1] + 0.3


def test_concept_art_lies_between_teal_and_orange():
    art = moods.artstation(scene(), dice())
    corners = np.concatenate([art[:4, :4], art[-4:, -4:], art[:4, -4:], art[-4:, :4]]).mean((0, 1))
    assert corners.max() < 0.8


def test_vaporwave_has_a_grid_below():
    wave = moods.vaporwave(np.ones((64, 64, 3), np.float32), dice())
    above, below = wave[4:30], wave[48:]
    assert np.abs(np.diff(below, axis=1)).mean() > 3 * np.abs(np.diff(above, axis=1)).mean()
