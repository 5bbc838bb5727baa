"""Following the gradient from a blank picture: where it leads, and that the seed fixes it."""

import pytest
import torch
from torch import Tensor

from phosphene.core.images import Images
from phosphene.core.protocols import Objective
from phosphene.core.rng import Rng
from phosphene.prompting import flow
from phosphene.prompting.flow import draw

RNG = Rng((7,), "/test")


def disc(size: int = 16) -> Tensor:
    """Red on white."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = ((x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 3) ** 2).float()
    red = torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    return inside * red + (1 - inside) * flow.PAPER


def near(target: Tensor) -> Objective:
    def objective(images: Images) -> Tensor:
        return (images - target).square().mean(dim=(1, 2, 3))

    return objective


def test_draws_what_the_gradient_points_to() -> None:
    """The objective's gradient is the way to the disc: what is drawn is closer than the paper."""
    target = disc()
    drawn = draw(near(target), 16, 16, RNG)
    assert drawn.shape == (1, 3, 16, 16)
    assert float((drawn - target).abs().mean()) < 0.5 * float((flow.PAPER - target).abs().mean())
    assert float(drawn.abs().max()) <= 1.0


def test_the_way_has_the_length_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linear objective has one direction: the steps add up to LENGTH, one (n + 1) / n over."""
    monkeypatch.setattr(flow, "LENGTH", 0.4)
    drawn = draw(lambda images: images.mean(dim=(1, 2, 3)), 8, 8, RNG, num_steps=10)
    torch.testing.assert_close(flow.PAPER - drawn, torch.full_like(drawn, 0.4 * 11 / 10))


def test_only_the_direction_counts() -> None:
    def loud(images: Images) -> Tensor:
        return 1000 * near(disc())(images)

    a, b = draw(near(disc()), 16, 16, RNG), draw(loud, 16, 16, RNG)
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_seeds_draw_their_own_noise_and_are_repeatable() -> None:
    seen: list[Tensor] = []

    def remember(images: Images) -> Tensor:
        seen.append(images.detach())
        return near(disc(8))(images)

    for seed in (1, 1, 2):
        draw(remember, 8, 8, Rng((seed,)), num_steps=1)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert len(seen[0]) == flow.NUM_COPIES


def test_no_gradient_leaves_the_paper() -> None:
    def nothing(images: Images) -> Tensor:
        return 0 * images.sum(dim=(1, 2, 3))

    assert torch.equal(draw(nothing, 9, 7, RNG, num_steps=3), torch.full((1, 3, 9, 7), flow.PAPER))
