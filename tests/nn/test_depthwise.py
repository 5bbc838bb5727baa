"""Equal to `nn.Conv2d` in values, first and second derivatives."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from phosphene.nn.depthwise import DepthwiseConv2d

SHAPES = [(3, 1, 1), (5, 2, 0), (3, 2, 1)]  # kernel, stride, padding


def pair(kernel: int, stride: int, padding: int, *, bias: bool) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    made = [
        kind(4, 4, kernel, stride, padding=padding, groups=4, bias=bias).double()
        for kind in (nn.Conv2d, DepthwiseConv2d)
    ]
    made[1].load_state_dict(made[0].state_dict())
    return made[0], made[1]


def derivatives(conv: nn.Conv2d, x: Tensor) -> list[Tensor]:
    """Of a curved function: value, gradient, and gradients of the gradient's length."""
    x = x.clone().requires_grad_()
    y = conv(x)
    (gradient,) = torch.autograd.grad(y.sigmoid().square().sum(), x, create_graph=True)
    torch.autograd.backward(gradient.square().sum() + y.sin().sum())
    assert x.grad is not None
    grads = [p.grad for p in conv.parameters()]
    return [y.detach(), gradient.detach(), x.grad, *[g for g in grads if g is not None]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_derivatives_are_those_of_conv2d(shape: tuple[int, int, int], bias: bool) -> None:
    plain, ours = pair(*shape, bias=bias)
    x = torch.randn(2, 4, 9, 7, dtype=torch.float64)
    expected, got = derivatives(plain, x), derivatives(ours, x)
    assert len(expected) == len(got) == (5 if bias else 4)
    for a, b in zip(expected, got, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_values_are_bitwise_equal_with_and_without_gradients() -> None:
    plain, ours = pair(3, 1, 1, bias=True)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    assert torch.equal(plain(x), ours(x))
    with torch.no_grad():
        assert torch.equal(plain(x), ours(x))


def test_frozen_weights_get_no_gradient() -> None:
    _, ours = pair(3, 1, 1, bias=True)
    ours.requires_grad_(False)
    x = torch.randn(1, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    torch.autograd.backward(ours(x).sum())
    assert x.grad is not None
    assert all(p.grad is None for p in ours.parameters())


def test_autocast_goes_through_conv2d() -> None:
    conv = DepthwiseConv2d(4, 4, 3, groups=4)
    x = torch.randn(1, 4, 6, 6, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(x)
    assert y.dtype == torch.bfloat16
    torch.autograd.backward(y.float().sum())
    assert x.grad is not None


def test_third_order_is_refused() -> None:
    _, ours = pair(3, 1, 1, bias=True)
    x = torch.randn(1, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    grad: Callable[[Tensor], Tensor] = lambda y: torch.autograd.grad(  # noqa: E731
        y, x, create_graph=True
    )[0]
    second = grad(grad(ours(x).sigmoid().sum()).square().sum())
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(second.sum())
