"""Discriminators, losses and penalties, each against its closed form."""

import math

import pytest
import torch
from torch import Tensor, nn

from phosphene.nn.adversarial import (
    LOSSES,
    LossName,
    PatchDiscriminator,
    gradient_penalty,
    hinge_d,
    hinge_g,
    path_lengths,
    r1_penalty,
    spectrally_normed,
)


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


REAL, FAKE = torch.tensor([2.0, -0.5]), torch.tensor([[0.25], [-3.0]])


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        (
            "non-saturating",
            (math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5))) / 2
            + (math.log1p(math.exp(0.25)) + math.log1p(math.exp(-3))) / 2,
            (math.log1p(math.exp(-0.25)) + math.log1p(math.exp(3))) / 2,
        ),
        ("hinge", 0.5 * (1.5 / 2 + 1.25 / 2), -(0.25 - 3) / 2),
        ("wasserstein", (0.25 - 3) / 2 - (2 - 0.5) / 2, -(0.25 - 3) / 2),
        (
            "least-squares",
            0.5 * ((1 + 2.25) / 2 + (0.0625 + 9) / 2),
            0.5 * (0.5625 + 16) / 2,
        ),
    ],
)
def test_losses_in_closed_form(name: LossName, d: float, g: float) -> None:
    loss = LOSSES[name]
    assert float(loss.d(REAL, FAKE)) == pytest.approx(d, rel=1e-6)
    assert float(loss.g(FAKE)) == pytest.approx(g, rel=1e-6)


def test_accuracy() -> None:
    assert LOSSES["hinge"].accuracy(REAL, FAKE) == (0.5, 0.5)
    assert LOSSES["least-squares"].accuracy(REAL, FAKE) == (0.5, 1.0)
    # means 0.75 and -1.375: the middle is -0.3125
    assert LOSSES["wasserstein"].accuracy(REAL, FAKE) == (0.5, 0.5)


def test_r1_of_a_quadratic_judge() -> None:
    """D(x) = a |x|^2 / 2 has the gradient a x: R1 = a^2 |x|^2 / 2, its derivative a |x|^2."""
    a = torch.tensor(3.0, requires_grad=True)
    images = torch.rand(4, 3, 5, 6)
    penalty = r1_penalty(lambda x: a * x.square().flatten(1).sum(1) / 2, images)
    square = float(images.square().flatten(1).sum(1).mean())
    assert float(penalty.detach()) == pytest.approx(9 * square / 2, rel=1e-5)
    torch.autograd.backward(penalty)
    assert a.grad is not None
    assert float(a.grad) == pytest.approx(3 * square, rel=1e-5)


def test_gradient_penalty_of_a_linear_judge() -> None:
    """D(x) = <v, x> has the slope |v| everywhere: the penalty is (|v| - 1)^2."""
    v = torch.rand(3, 4, 4)
    slope = float(v.norm())
    real, fake = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    penalty = gradient_penalty(lambda x: (x * v).flatten(1).sum(1), real, fake, torch.rand(2))
    assert float(penalty) == pytest.approx((slope - 1) ** 2, rel=1e-4)


def test_gradient_penalty_looks_between_the_two() -> None:
    """At share s the judge sees s real + (1 - s) fake."""
    seen = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).square().sum(1)

    real, fake = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    gradient_penalty(judge, real, fake, torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(seen[0][:, 0, 0, 0], torch.tensor([0.0, 0.25, 1.0]))


def test_path_length_of_a_linear_painter() -> None:
    """For images = J w, the length is |J^T y| / sqrt(h w)."""
    jacobian = torch.rand(3 * 4 * 4, 5)
    ws = torch.rand(2, 1, 5, requires_grad=True)
    noise = torch.randn(2, 3, 4, 4)
    images = (ws[:, 0] @ jacobian.T).view(2, 3, 4, 4)
    expected = (noise.flatten(1) @ jacobian).norm(dim=1) / 4
    torch.testing.assert_close(path_lengths(images, ws, noise).detach(), expected)


def test_spectral_norm_is_the_largest_singular_value() -> None:
    network = spectrally_normed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2)))
    for _ in range(60):
        network(torch.rand(1, 3, 3, 3))
    for module in (network[0], network[2]):
        raw = module.parametrizations.weight.original.detach()
        sigma = torch.linalg.matrix_norm(raw.flatten(1), 2)
        torch.testing.assert_close(module.weight.detach(), raw / sigma, atol=1e-4, rtol=1e-3)
