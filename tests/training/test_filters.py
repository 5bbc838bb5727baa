import numpy as np

from phosphene.core.rng import Rng
from phosphene.training import filters


def dice():
    return Rng((0,)).dice()


def scene():
    """A dark red square on white."""
    x = np.ones((64, 64, 3), dtype=np.float32)
    x[16:48, 16:48] = (0.6, 0.1, 0.1)
    return x


def spread(x):
    return np.ptp(x, axis=2).mean()


def test_drawings_have_no_colour():
    for draw in (filters.pencil, filters.line_art):
        assert spread(draw(scene(), dice())) < 0.06


def test_line_art_draws_the_rim_alone():
    lines = filters.line_art(scene(), dice())
    assert lines[32, 32].min() > 0.95
    assert lines[4, 4].min() > 0.95
    assert lines[14:18, 20:44].min(axis=0).max() < 0.3


def test_shade_gets_more_ink_than_light():
    for draw in (filters.pencil, filters.charcoal, filters.woodcut):
        drawn = draw(scene(), dice())
        assert drawn[20:44, 20:44].mean() < drawn[:10, :10].mean() - 0.1


def test_pixel_art_is_blocks_of_few_colours():
    art = filters.pixel_art(scene(), dice())
    assert len(np.unique(art.reshape(-1, 3), axis=0)) <= 12
    changes = (np.abs(np.diff(art, axis=1)).max(axis=(0, 2)) > 0).sum()
    assert changes < 28


def test_leads_are_dark_and_glass_is_not():
    glass = filters.stained_glass(scene(), dice())
    tone = glass.max(axis=2)
    assert (tone < 0.15).mean() > 0.02
    assert (tone > 0.4).mean() > 0.5


def test_blueprints_are_blue():
    drawn = filters.blueprint(scene(), dice())
    assert drawn[4:12, 4:12, 2].mean() > drawn[4:12, 4:12, 0].mean() + 0.2
