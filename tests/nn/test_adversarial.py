"""Discriminators and hinge losses."""

import pytest
import torch
from torch import nn

from phosphene.nn.adversarial import PatchDiscriminator, hinge_d, hinge_g


@pytest.mark.parametrize(
    ("num_layers", "height", "width", "rows", "columns"),
    [(3, 64, 64, 7, 7), (3, 32, 48, 3, 5), (2, 32, 32, 7, 7), (1, 8, 8, 3, 3)],
)
def test_one_logit_a_patch(
    num_layers: int, height: int, width: int, rows: int, columns: int
) -> None:
    judge = PatchDiscriminator(8, num_layers)
    assert judge(torch.randn(2, 3, height, width)).shape == (2, 1, rows, columns)


def test_a_logit_sees_its_patch_alone() -> None:
    judge = PatchDiscriminator(8, 2).eval()
    picture = torch.randn(1, 3, 64, 64)
    changed = picture.clone()
    changed[:, :, 40:, 40:] = 0
    before, after = judge(picture), judge(changed)
    torch.testing.assert_close(after[:, :, :7, :7], before[:, :, :7, :7])
    assert not torch.equal(after, before)


def test_spectral_norm_bounds_every_layer() -> None:
    judge = PatchDiscriminator(8, 2)
    for _ in range(30):  # power iterations, one a pass
        judge(torch.randn(1, 3, 16, 16))
    for layer in judge.modules():
        if isinstance(layer, nn.Conv2d):
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
            torch.testing.assert_close(largest, torch.tensor(1.0), atol=0.05, rtol=0)


def test_gradient_reaches_the_picture() -> None:
    picture = torch.randn(1, 3, 32, 32, requires_grad=True)
    hinge_g(PatchDiscriminator(8)(picture)).backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_hinge_closed_forms() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 1.0])
    # relu(1 - real) = 0, 1; relu(1 + fake) = 0, 2
    assert hinge_d(real, fake) == 0.5 * (0.5 + 1.0)
    assert hinge_d(torch.ones(3), -torch.ones(3)) == 0
    assert hinge_d(torch.zeros(3), torch.zeros(3)) == 1
    assert hinge_g(torch.tensor([1.0, 3.0])) == -2


def test_hinge_stops_pushing_beyond_the_margin() -> None:
    real = torch.tensor([2.0, 0.5], requires_grad=True)
    fake = torch.tensor([-2.0, -0.5], requires_grad=True)
    hinge_d(real, fake).backward()
    assert torch.equal(real.grad, torch.tensor([0.0, -0.25]))  # type: ignore[arg-type]
    assert torch.equal(fake.grad, torch.tensor([0.0, 0.25]))  # type: ignore[arg-type]
