"""Smooth resampling: against zeros between values and a plain sum over taps; derivatives."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.nn.resample import TAPS, double, halve, smooth

COUNTS = [(1, 1), (2, 3), (4, 6), (5, 2)]


def plain(x: Tensor, up: int, down: int, padding: tuple[int, int], gain: float) -> Tensor:
    """Zeros after each value, zeros around, the filter, then every `down`-th."""
    b, c, h, w = x.shape
    sparse = x.new_zeros(b, c, h * up, w * up)
    sparse[:, :, ::up, ::up] = x
    wide = F.pad(sparse, (*padding, *padding))
    rows, columns = wide.shape[2] - 3, wide.shape[3] - 3
    total = x.new_zeros(b, c, rows, columns)
    for i, a in enumerate(TAPS):
        for j, other in enumerate(TAPS):
            total += a * other / 64 * gain * wide[:, :, i : i + rows, j : j + columns]
    return total[:, :, ::down, ::down]


@pytest.mark.parametrize("size", COUNTS)
@pytest.mark.parametrize("last", [False, True])
def test_agrees_with_the_definition(size: tuple[int, int], last: bool) -> None:
    x = torch.randn(2, 3, *size)
    layout = torch.channels_last if last else torch.contiguous_format
    x = x.contiguous(memory_format=layout)
    torch.testing.assert_close(double(x), plain(x, 2, 1, (2, 1), 4.0))
    if size != (1, 1):  # of one value, the layout is not to be told
        assert double(x).is_contiguous(memory_format=layout)
    for padding in (2, 3):
        torch.testing.assert_close(smooth(x, padding, 2.0), plain(x, 1, 1, (padding, padding), 2.0))
    large = double(x)
    torch.testing.assert_close(halve(large), plain(large, 1, 2, (1, 1), 1.0))


def test_a_constant_is_kept_inside() -> None:
    flat = torch.ones(1, 1, 6, 6)
    torch.testing.assert_close(double(flat)[:, :, 2:-2, 2:-2], torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(halve(flat)[:, :, 1:-1, 1:-1], torch.ones(1, 1, 1, 1))
    torch.testing.assert_close(smooth(flat, 0), torch.ones(1, 1, 3, 3))
    assert double(flat)[0, 0, 0, 0] == 0.75**2


def test_halving_is_the_adjoint_of_doubling() -> None:
    x, y = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 8, 10)
    torch.testing.assert_close((double(x) * y).sum(), 4 * (x * halve(y)).sum())


@pytest.mark.parametrize(
    "function", [double, halve, lambda x: smooth(x, 1, 4.0), lambda x: smooth(x, 2)]
)
def test_derivatives_of_both_orders(function) -> None:
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(lambda x: function(x).pow(3), (x,))


def test_bf16_is_near() -> None:
    x = torch.rand(1, 4, 8, 8)
    for function in (double, halve, lambda x: smooth(x, 2)):
        rounded = function(x.bfloat16())
        assert rounded.dtype == torch.bfloat16
        torch.testing.assert_close(rounded.float(), function(x), atol=0.02, rtol=0.02)
