"""Augmentations: what they do to a known picture, by whom they are driven, gradients, identity."""

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.training.augment import (
    AdaptiveAugment,
    DiffAugment,
    NoAugment,
    _colour,
    _geometry,
    _warp,
)

RNG = Rng((5,), "/augment")


def pictures(b: int = 6, c: int = 3, h: int = 16, w: int = 16) -> Tensor:
    return torch.rand(b, c, h, w) * 2 - 1


def ada(strength: float) -> AdaptiveAugment:
    made = AdaptiveAugment()
    made.strength = strength
    return made


@pytest.mark.parametrize("kind", [DiffAugment(), ada(1.0), ada(0.4)])
@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 3, 8, 12), (4, 4, 16, 8)])
def test_shapes_draws_and_gradients(kind: NoAugment, shape: tuple[int, int, int, int]) -> None:
    images = pictures(*shape).requires_grad_()
    changed = kind(images, RNG)
    assert changed.shape == images.shape
    torch.testing.assert_close(kind(images, RNG), changed)
    assert not torch.equal(kind(images, RNG.fork("other")), changed)
    torch.autograd.backward(changed.square().sum())
    assert images.grad is not None
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()


def test_no_strength_is_identity() -> None:
    images = pictures()
    assert ada(0.0)(images, RNG) is images
    assert NoAugment()(images, RNG) is images
    # and a small one leaves those alone that no draw chose
    changed = ada(0.02)(images, RNG)
    same = changed.eq(images).flatten(1).all(1)
    assert same.sum() >= 4


@pytest.mark.parametrize("b", [1, 5])
def test_identity_maps_leave_pictures_as_they_are(b: int) -> None:
    images = pictures(b, 3, 8, 12)
    everyone = torch.ones(b, dtype=torch.bool)
    torch.testing.assert_close(
        _warp(images, torch.eye(3).repeat(b, 1, 1), everyone), images, atol=1e-5, rtol=0
    )
    matrix, touched = _geometry(images, 0.0, RNG)
    torch.testing.assert_close(matrix, torch.eye(3).repeat(b, 1, 1))
    assert not touched.any()
    colour, touched = _colour(b, 0.0, RNG)
    torch.testing.assert_close(colour, torch.eye(4).repeat(b, 1, 1))
    assert not touched.any()


def test_warps_are_what_their_matrices_say() -> None:
    images, one = pictures(1, 3, 8, 8), torch.ones(1, dtype=torch.bool)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))[None]
    torch.testing.assert_close(_warp(images, flip, one), images.flip(3), atol=1e-5, rtol=0)
    turn = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    torch.testing.assert_close(_warp(images, turn, one), images.rot90(1, (2, 3)), atol=1e-5, rtol=0)
    step = torch.tensor([[[1.0, 0, 2], [0, 1, 0], [0, 0, 1]]])
    moved = _warp(images, step, one)
    torch.testing.assert_close(moved[..., :6], images[..., 2:], atol=1e-5, rtol=0)


def test_geometry_keeps_its_distribution() -> None:
    """At p = 1: sizes are log-normal of deviation 0.2 octaves (times the stretch of det 1)."""
    matrix, touched = _geometry(pictures(2000, 1, 8, 8), 1.0, RNG)
    assert touched.all()
    octaves = torch.linalg.det(matrix).abs().log2() / 2
    assert abs(float(octaves.mean())) < 0.02
    assert abs(float(octaves.std()) - 0.2) < 0.02
    mirrored = (torch.linalg.det(matrix) < 0).float().mean()
    assert abs(float(mirrored) - 0.5) < 0.05


def test_colours_turn_around_grey() -> None:
    """Hue, saturation and negatives leave grey grey; light and contrast move it."""
    colour, touched = _colour(200, 1.0, RNG)
    assert touched.all()
    grey = torch.tensor([0.3, 0.3, 0.3, 1.0])
    moved = (colour @ grey)[:, :3]
    torch.testing.assert_close(moved, moved[:, :1].expand(-1, 3), atol=1e-4, rtol=1e-4)
    assert moved.std() > 0.1


def test_diffaugment_translates_by_whole_pixels_within_an_eighth() -> None:
    images = torch.zeros(200, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    moved = DiffAugment("translation")(images, RNG)
    assert moved.flatten(1).sum(1).eq(1).all()
    places = moved[:, 0].flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    for place in (rows, columns):
        assert set(place.tolist()) == {6, 7, 8, 9, 10}


def test_diffaugment_cuts_a_quarter_at_most() -> None:
    cut = DiffAugment("cutout")(torch.ones(100, 3, 16, 16), RNG)
    gone = cut.eq(0).all(1).flatten(1).float().mean(1)
    assert float(gone.max()) == 0.25
    assert float(gone.min()) >= 0.25 / 4


def test_diffaugment_colours() -> None:
    """Alpha stays; contrast and light act alike on all pixels, so flat pictures stay flat."""
    flat = torch.full((8, 4, 4, 4), 0.2)
    out = DiffAugment("color")(flat, RNG)
    torch.testing.assert_close(out[:, 3], flat[:, 3])
    torch.testing.assert_close(out[:, :3], out[:, :3, :1, :1].expand(-1, -1, 4, 4))
    shifts = out[:, 0, 0, 0] - 0.2
    assert shifts.abs().max() <= 0.5
    assert shifts.std() > 0.1


def test_unknown_policy() -> None:
    with pytest.raises(RecipeError, match="unknown augmentation 'colour'; use some of color"):
        DiffAugment("colour")


def test_the_strength_follows_the_overfitting() -> None:
    """Four batches of 50 at 10 kimg move p by 0.02, up above the target and down below it."""
    made = AdaptiveAugment(target=0.6, kimg=10)
    strengths = []
    for sign in [0.9] * 8 + [0.1] * 12:
        made.observe(sign, 50)
        strengths.append(round(made.strength, 6))
    assert strengths[3::4] == [0.02, 0.04, 0.02, 0.0, 0.0]
    assert strengths[:3] == [0, 0, 0]
    for _ in range(300):
        made.observe(1.0, 50)
    assert made.strength == 1.0


def test_the_state_goes_on() -> None:
    one, two = AdaptiveAugment(kimg=1), AdaptiveAugment(kimg=1)
    for _ in range(6):
        one.observe(1.0, 10)
    two.load_state(one.state())
    for made in (one, two):
        made.observe(1.0, 10)
        made.observe(1.0, 10)
    assert one.strength == two.strength > 0
    assert one.state() == two.state()
