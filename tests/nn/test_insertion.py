"""A drawing in a hole: the rest stays, the hole is closed, white ground is not laid over it."""

import torch

from phosphene.core.rng import Rng
from phosphene.nn.insertion import closed, ground, inserted


def mask_of(top: int, left: int, height: int, width: int, side: int = 32) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., top : top + height, left : left + width] = 1
    return mask


def disc(side: int = 32) -> torch.Tensor:
    """Black, with a white eye, on white."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    far = ((y - side / 2 + 0.5) ** 2 + (x - side / 2 + 0.5) ** 2).sqrt()
    black = (far < 12) & (far > 4)
    return torch.where(black, -1.0, 1.0).expand(1, 3, side, side).clone()


def test_outside_the_hole_nothing_changes() -> None:
    images = Rng((1,)).uniform(3, 32, 32, low=-1.0)
    mask = mask_of(4, 10, 20, 12)
    got = inserted(images, mask, disc())
    assert torch.equal(got * (1 - mask), images * (1 - mask))
    assert not torch.equal(got, images)


def test_without_a_hole_the_picture_stays() -> None:
    images = Rng((1,)).uniform(3, 32, 32, low=-1.0)
    assert torch.equal(inserted(images, torch.zeros(1, 1, 32, 32), disc()), images)


def test_a_hole_in_one_colour_is_closed_by_it() -> None:
    colour = torch.tensor([0.5, -0.25, 0.75]).view(1, 3, 1, 1)
    images = colour.expand(1, 3, 32, 32)
    for mask in (mask_of(0, 0, 32, 20), mask_of(7, 3, 11, 15), mask_of(31, 31, 1, 1)):
        torch.testing.assert_close(closed(images * (1 - mask), mask), images)


def test_each_side_of_a_hole_has_the_colours_beside_it() -> None:
    images = torch.full((1, 3, 32, 32), -1.0)
    images[..., 16:] = 1
    filled = closed(images, mask_of(8, 4, 16, 24))[0, 0, 16]
    assert filled[5] < -0.6
    assert filled[26] > 0.6
    assert (filled.diff() >= -1e-5).all()


def test_a_picture_that_is_all_hole_is_grey() -> None:
    assert (closed(torch.ones(1, 3, 8, 8), torch.ones(1, 1, 8, 8)) == 0).all()


def test_white_within_a_thing_is_no_ground() -> None:
    free = ground(disc())[0, 0]
    assert free[0, 0] == 1
    assert free[16, 16] == 0


def test_the_drawing_fills_the_shorter_side_in_the_middle() -> None:
    images = torch.zeros(1, 3, 32, 32)
    got = inserted(images, mask_of(0, 0, 16, 32), disc())[0, 0]
    dark = got < -0.5
    rows, columns = (dark.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    assert 1 <= int(rows[0]) < int(rows[-1]) <= 14
    assert abs(int(columns[0]) + int(columns[-1]) - 31) <= 1
    # what is around the disc is not white: the ground is not laid over the picture
    assert got[0, 9] == 0
    assert got[7, 15] > 0.5
