import pytest
import torch
from torch import Tensor

from phosphene.prompting.descent import Descent
from phosphene.prompting.novograd import NovoGrad
from phosphene.prompting.pyramid import PyramidAdam


class Plain(Descent):
    """Goes down the gradient."""

    def direction(self, x: Tensor, group: dict[str, object]) -> Tensor:
        assert x.grad is not None
        return x.grad


def test_a_step_is_the_direction_by_the_rate() -> None:
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.tensor([1.0, -2.0])
    Plain([x], {"lr": 0.5}).step()
    assert torch.equal(x.detach(), torch.tensor([0.5, 2.0]))


@pytest.mark.parametrize("kind", [NovoGrad, PyramidAdam])
def test_closures_are_called_and_missing_gradients_passed_over(kind: type[NovoGrad]) -> None:
    x, idle = torch.ones(1, 2, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    optimizer = kind([x, idle], lr=0.1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = x.square().sum()
        torch.autograd.backward(loss)
        return float(loss.detach())

    assert optimizer.step(closure) == 2.0
    assert float(x.detach().max()) < 1
    assert torch.equal(idle.detach(), torch.ones(1, 2))
