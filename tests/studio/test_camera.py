import math

import torch

from phosphene.studio.camera import move
from phosphene.studio.recipe import Zoom


def blob(x: float, y: float, height: int = 40, width: int = 60) -> torch.Tensor:
    """A soft spot at px (x, y) from the centre."""
    rows = torch.arange(height) - (height - 1) / 2
    columns = torch.arange(width) - (width - 1) / 2
    square = (rows[:, None] - y) ** 2 + (columns[None] - x) ** 2
    return torch.exp(-square / 8).expand(1, 3, height, width)


def centre(images: torch.Tensor) -> tuple[float, float]:
    """Where the spot is now."""
    weights = images[0, 0].clamp_min(0)
    height, width = weights.shape
    x = (weights.sum(0) * (torch.arange(width) - (width - 1) / 2)).sum() / weights.sum()
    y = (weights.sum(1) * (torch.arange(height) - (height - 1) / 2)).sum() / weights.sum()
    return float(x), float(y)


def assert_near(found, wanted, tolerance=0.15):
    assert math.dist(found, wanted) < tolerance, (found, wanted)


def test_standing_still_changes_nothing():
    image = blob(3, 4)
    assert torch.allclose(move(image, Zoom(scale=1)), image, atol=1e-5)


def test_shift_is_in_px():
    assert_near(centre(move(blob(0, 0), Zoom(scale=1, shift_x=5, shift_y=-3))), (5, -3))


def test_scale_is_about_the_centre():
    assert_near(centre(move(blob(8, -4), Zoom(scale=1.5))), (12, -6))


def test_angle_turns_clockwise_also_in_oblong_pictures():
    assert_near(centre(move(blob(10, 0), Zoom(scale=1, angle=90))), (0, 10))
    assert_near(centre(move(blob(0, 5), Zoom(scale=1, angle=90))), (-5, 0))


def test_all_together_follow_the_formula():
    zoom = Zoom(scale=1.2, angle=30, shift_x=2, shift_y=1)
    cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
    x, y = 6.0, -4.0
    wanted = (1.2 * (cos * x - sin * y) + 2, 1.2 * (sin * x + cos * y) + 1)
    assert_near(centre(move(blob(x, y), zoom)), wanted)


def test_what_comes_in_is_a_reflection():
    image = torch.full((2, 3, 8, 8), 0.7)
    assert torch.allclose(move(image, Zoom(scale=0.5, angle=45, shift_x=9)), image, atol=1e-4)
