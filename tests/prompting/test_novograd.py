import pytest
import torch
from torch import Tensor

from phosphene.core.rng import Rng
from phosphene.prompting.novograd import NovoGrad


def moved(gradients: list[Tensor], lr: float = 0.1) -> Tensor:
    """How far zeros go along gradients."""
    x = torch.zeros_like(gradients[0]).requires_grad_()
    optimizer = NovoGrad([x], lr=lr)
    for gradient in gradients:
        x.grad = gradient.clone()
        optimizer.step()
    return -x.detach()


def test_a_steady_gradient_moves_by_the_rate_whatever_its_size() -> None:
    gradient = Rng((0,)).normal(3, 4, 4)
    wanted = gradient / gradient.square().mean().sqrt() * 0.1 * 5
    for scale in (1e-4, 1.0, 1e4):
        torch.testing.assert_close(moved([gradient * scale] * 5), wanted)


def test_numbers_move_in_proportion_to_their_gradients() -> None:
    gradient = torch.tensor([[1.0, 0.01]])
    ours = moved([gradient] * 3)
    assert float(ours[0, 1] / ours[0, 0]) == pytest.approx(0.01, rel=1e-4)


def test_samples_do_not_see_one_another() -> None:
    gradients = [Rng((0, 1), f"/{i}").normal(3, 4) for i in range(4)]
    loud = [g * torch.tensor([1.0, 1000.0])[:, None, None] for g in gradients]
    assert torch.allclose(moved(loud)[0], moved(gradients)[0])
