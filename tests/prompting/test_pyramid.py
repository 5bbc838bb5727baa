"""Adam over a pyramid: what it is without one, and that large shapes move as small ones do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.prompting.optimise import Optimising
from phosphene.prompting.pyramid import PyramidAdam, level_weight


def moved(gradients: list[Tensor], progress: float = 0.0, lr: float = 0.1) -> Tensor:
    """How far zeros go along gradients."""
    x = torch.zeros_like(gradients[0]).requires_grad_()
    optimizer = PyramidAdam([x], lr=lr)
    for gradient in gradients:
        x.grad = gradient.clone()
        optimizer.param_groups[0]["progress"] = progress
        optimizer.step()
    return -x.detach()


def test_at_the_end_it_is_adam() -> None:
    gradients = [Rng((0, 1), f"/{i}").normal(3, 8, 8) for i in range(5)]
    x = torch.zeros_like(gradients[0]).requires_grad_()
    adam = torch.optim.Adam([x], lr=0.1, eps=1e-12)
    for gradient in gradients:
        x.grad = gradient.clone()
        adam.step()
    torch.testing.assert_close(moved(gradients, progress=1.0), -x.detach())


def test_latents_that_are_no_grid_have_one_level() -> None:
    gradients = [Rng((0,), f"/{i}").normal(12) for i in range(3)]
    assert torch.allclose(moved(gradients, progress=0.8), moved(gradients, progress=1.0))


@given(st.floats(0, 1))
def test_coarse_levels_rule_first_and_the_fine_one_last(progress: float) -> None:
    assert 0.2 <= level_weight(0, progress) <= 1
    assert level_weight(2, progress) >= level_weight(1, progress)
    assert level_weight(1, 1.0) == 0
    assert level_weight(3, 0.0) == pytest.approx(2)


def test_what_neighbours_agree_on_goes_further_than_what_they_do_not() -> None:
    noise = [Rng((0,), f"/{i}").normal(1, 16, 16) for i in range(8)]
    shape = torch.zeros(1, 1, 16, 16)
    shape[..., 4:12, 4:12] = 0.2  # far below the noise of each number
    ours = moved([n + shape for n in noise])
    inside, outside = ours[..., 4:12, 4:12], ours[..., :3, :]
    assert float(inside.mean()) > float(outside.mean()) + 2 * float(outside.std())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20))
def test_any_grid_will_do(height: int, width: int) -> None:
    ours = moved([torch.ones(2, 3, height, width)] * 2)
    assert ours.shape == (2, 3, height, width)
    assert torch.isfinite(ours).all()
    torch.testing.assert_close(ours, ours[..., :1, :1].expand_as(ours))


def test_samples_do_not_see_one_another() -> None:
    gradients = [Rng((0, 1), f"/{i}").normal(3, 8, 8) for i in range(4)]
    loud = [g * torch.tensor([1.0, 1000.0])[:, None, None, None] for g in gradients]
    assert torch.allclose(moved(loud)[0], moved(gradients)[0])


def test_the_run_says_how_far_it_is() -> None:
    run = Optimising(iterations=5)
    assert [run.progress(i) for i in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
