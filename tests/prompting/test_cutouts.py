"""Cutouts: what every policy promises, and that the sampling is a faithful resize."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.images import resize
from phosphene.core.rng import Rng
from phosphene.prompting.cutouts import POLICIES, Cutouts

PLAIN = {"noise": 0.0, "rotation": 0.0, "shear": 0.0, "perspective": 0.0}


def smooth(count: int, height: int, width: int, knots: int = 6) -> Tensor:
    """Pictures without detail finer than a sixth of a side."""
    coarse = torch.rand(count, 3, knots, knots) * 2 - 1
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(-1, 1)


def ramps(height: int, width: int) -> Tensor:
    """A picture whose red and green are the x and y position in px, from the top left corner."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=30)
@given(
    count=st.integers(1, 5),
    size=st.integers(1, 40),
    shape=st.tuples(st.integers(1, 3), st.just(3), st.integers(1, 70), st.integers(1, 70)),
)
def test_shape_range_and_finiteness(
    policy: str, count: int, size: int, shape: tuple[int, ...]
) -> None:
    images, batch = torch.rand(shape) * 2 - 1, shape[0]
    look = Cutouts(policy=policy, count=count, size=size, noise=0.0, flip_prob=0.5)
    views = look(images, Rng.from_seed(7, batch))
    assert views.shape == (count * batch, 3, size, size)
    assert views.dtype == torch.float32
    assert views.min() >= images.min() - 1e-5
    assert views.max() <= images.max() + 1e-5


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [24, 48, 96])
def test_a_sample_depends_on_its_own_seed_only(policy: str, size: int) -> None:
    images = torch.rand(3, 3, 64, 80) * 2 - 1
    look = Cutouts(policy=policy, count=5, size=size, flip_prob=0.5, colour=0.2)
    together = look(images, Rng((4, 9, 2))).view(5, 3, 3, size, size)
    for i, seed in enumerate((4, 9, 2)):
        alone = look(images[i : i + 1], Rng((seed,)))
        torch.testing.assert_close(together[:, i], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        look(images.flip(0), Rng((2, 9, 4))).view_as(together).flip(1), together, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_stream_sees_the_same(policy: str) -> None:
    images, rng = smooth(2, 48, 48), Rng((1, 2)).fork("step")
    look = Cutouts(policy=policy, count=3, size=32)
    assert torch.equal(look(images, rng), look(images, rng))
    assert not torch.equal(look(images, rng), look(images, rng.fork(1)))


@pytest.mark.parametrize("size", [16, 45, 64, 96, 128, 200])
def test_whole_is_a_resize(size: int) -> None:
    images = smooth(2, 128, 128)
    views = Cutouts(policy="whole", count=2, size=size, noise=0.0)(images, Rng((1, 2)))
    wanted = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
    error = (views - wanted.repeat(2, 1, 1, 1)).abs()
    assert error.mean() < 0.01
    assert error.max() < 0.15
    if size == 128:
        torch.testing.assert_close(views[:2], images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [32, 37, 50, 64])
def test_fine_patterns_do_not_alias(size: int) -> None:
    """A checkerboard of single pixels is grey from afar, never a coarse pattern."""
    images = ((torch.arange(128)[:, None] + torch.arange(128)) % 2 * 2.0 - 1).expand(1, 3, -1, -1)
    views = Cutouts(policy="whole", count=1, size=size, noise=0.0)(images, Rng((0,)))
    naive = F.interpolate(images, (size, size), mode="bilinear", align_corners=False)
    assert views[..., 2:-2, 2:-2].abs().max() < 0.05
    if size not in {32, 64}:
        assert naive.abs().max() > 0.5


def test_whole_of_an_oblong_picture_is_reflected_to_a_square() -> None:
    images = ramps(40, 80)
    (view,) = Cutouts(policy="whole", count=1, size=80, noise=0.0)(images, Rng((0,)))
    rows = torch.arange(80) + 0.5 - 20
    wanted = torch.where(rows < 0, -rows, torch.where(rows > 40, 80 - rows, rows))
    inner = slice(1, -1)
    torch.testing.assert_close(view[0, 0, inner], (torch.arange(80) + 0.5)[inner])
    off_fold = (rows.abs() > 1) & ((rows - 40).abs() > 1)
    torch.testing.assert_close(view[1, :, 9][off_fold], wanted[off_fold], atol=1e-3, rtol=0)


def spans(views: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Side and top left corner in px of untilted views of `ramps`, as seen in their pixels."""
    size = views.shape[-1]
    pitch = (views[:, 0, 0, -1] - views[:, 0, 0, 0]) / (size - 1)
    x, y = (views[:, c, 0, 0] - pitch / 2 for c in (0, 1))
    return pitch * size, x, y


def test_classic_cutouts_lie_inside_with_sides_by_power_law() -> None:
    look = Cutouts(policy="random", count=2000, size=16, **PLAIN)
    # read at the finest level only, where a ramp is exact to its border
    sides, x, y = spans(look(ramps(16, 20), Rng((0,))))
    torch.testing.assert_close(sides, torch.full_like(sides, 16.0))
    torch.testing.assert_close(y, torch.zeros_like(y), atol=1e-3, rtol=0)
    assert x.min() >= -1e-3
    assert x.max() <= 4 + 1e-3
    assert abs(float(x.mean()) - 2) < 0.1  # uniform

    placed, sides = look._place(Rng((0,)).uniform(2000, 13), 64, 80)
    assert sides.min() >= 16
    assert sides.max() <= 64
    assert abs(float(sides.mean()) - 40) < 1
    steep = Cutouts(policy="random", count=2000, size=16, power=3.0, **PLAIN)
    _, sides = steep._place(Rng((0,)).uniform(2000, 13), 64, 80)
    assert abs(float(sides.mean()) - (16 + 48 / 4)) < 1  # E[u^3] = 1/4
    reach = placed[..., :2, 2].abs() + placed[..., 0, 0, None]
    assert (reach <= torch.tensor([40, 32]) + 1e-4).all()


def test_overviews_come_first_and_are_whole() -> None:
    look = Cutouts(policy="overview+inner", count=10, size=16, overview=0.25, **PLAIN)
    sides = look._place(Rng((0,)).uniform(10, 13), 64, 64)[1][0]
    assert (sides[:3] == 64).all()
    assert (sides[3:] < 64).all()
    assert sides.min() >= 0.4 * 64


def test_overviews_are_never_mirrored_and_cutouts_are() -> None:
    images = ramps(32, 32)
    for policy, mirrored in (("random", True), ("overview+inner", False)):
        look = Cutouts(policy=policy, count=1, size=32, flip_prob=1.0, **PLAIN)
        (view,) = look(images, Rng((0,)))
        assert (view[0, 5, 20] < view[0, 5, 10]) == mirrored


def test_turning_and_tilting() -> None:
    look = Cutouts(policy="random", count=500, size=32, **{**PLAIN, "rotation": 30.0})
    views = look(ramps(32, 32), Rng((0,)))
    across = views[:, :, 16, 17] - views[:, :, 16, 15]
    turned = torch.atan2(across[:, 1], across[:, 0]).rad2deg()
    assert turned.abs().max() <= 30 + 0.1
    assert turned.std() > 14  # uniform in +-30 has 17.3
    tilted = Cutouts(policy="random", count=4, size=32, **{**PLAIN, "perspective": 0.3})
    views = tilted(ramps(32, 32), Rng((0,)))
    near = views[:, 0, 16, 12] - views[:, 0, 16, 8]
    far = views[:, 0, 16, 24] - views[:, 0, 16, 20]
    assert ((near - far).abs() > 0.05).any()


def test_noise_is_uniform_in_deviation() -> None:
    look = Cutouts(policy="whole", count=200, size=32, noise=0.4)
    views = look(torch.zeros(1, 3, 32, 32), Rng((0,)))
    deviation = views.flatten(1).std(dim=1)
    assert deviation.max() < 0.42
    assert abs(float(deviation.mean()) - 0.2) < 0.03
    assert views.mean().abs() < 0.01


def test_colour_jitter_changes_tones_only() -> None:
    look = Cutouts(policy="whole", count=4, size=16, noise=0.0, colour=0.3)
    views = look(torch.full((1, 3, 16, 16), 0.5), Rng((0,)))
    assert views.flatten(1).std(dim=1).max() < 1e-5
    assert views.mean(dim=(1, 2, 3)).std() > 0.02


@pytest.mark.parametrize("policy", POLICIES)
def test_every_pixel_is_reached_over_some_steps(policy: str) -> None:
    images = torch.zeros(1, 3, 48, 64, requires_grad=True)
    look = Cutouts(policy=policy, count=4, size=24, noise=0.0)
    rng = Rng((3,))
    for step in range(100):  # the classic seldom sees the corners
        torch.autograd.backward(look(images, rng.fork(step)).sum())
    assert images.grad is not None
    assert (images.grad > 0).all()


def test_gradient_is_exact() -> None:
    images = (torch.rand(2, 3, 9, 7) * 2 - 1).double().requires_grad_()
    look = Cutouts(count=2, size=4, flip_prob=0.5, colour=0.2)

    def views(x: Tensor) -> Tensor:
        return look(x, Rng((1, 2)))

    direction = torch.randn_like(images)
    (gradient,) = torch.autograd.grad(views(images).sum(), images)
    # the views are linear in the pictures apart from noise, so differences are exact
    change = (views(images.detach() + direction) - views(images.detach())).sum()
    torch.testing.assert_close((gradient * direction).sum().float(), change, rtol=1e-3, atol=1e-3)


def test_pictures_smaller_than_the_views_are_magnified() -> None:
    images = smooth(1, 20, 20, knots=3)
    (view,) = Cutouts(policy="random", count=1, size=64, **PLAIN)(images, Rng((0,)))
    wanted = resize(images, 64, 64)[0]
    assert (view - wanted).abs().mean() < 0.02


@pytest.mark.parametrize(
    "values",
    [
        {"policy": "randon"},
        {"count": 0},
        {"size": 0},
        {"size": 10**9},
        {"power": 0.0},
        {"noise": -0.1},
        {"noise": math.nan},
        {"flip_prob": 1.5},
        {"smallest": 0.0},
    ],
)
def test_bad_settings(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        Cutouts(**values)
    assert "\n" not in str(caught.value)


def test_unknown_policy_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'random'"):
        Cutouts(policy="randon")


def test_a_seed_for_each_picture() -> None:
    with pytest.raises(RecipeError, match="3 pictures need as many seeds"):
        Cutouts()(torch.zeros(3, 3, 8, 8), Rng((1,)))
