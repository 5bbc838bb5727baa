"""Changing a feature map's size by two through a smooth filter, without aliasing.

The filter is [1, 3, 3, 1] along each side, as in Karras et al. 2020, "Analyzing and Improving the
Image Quality of StyleGAN", appendix B (after Zhang 2019, "Making Convolutional Networks
Shift-Invariant Again"). Beyond the borders lie zeros. `halve` is the adjoint of `double`, up to a
factor of four, and each is the other's derivative: so derivatives of any order cost one filtering.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

TAPS = (1.0, 3.0, 3.0, 1.0)
_SUM = 8.0
_BORDER = 0.75  # what the outermost value keeps


def double(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 2*h 2*w"]:
    """Twice the height and width: zeros between the values, then the filter, of gain 4.

    A constant stays what it is, except at the borders.
    """
    out: Tensor = _Double.apply(x)  # type: ignore[no-untyped-call]
    return out


def halve(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h//2 w//2"]:
    """Half the height and width, which must be even: the filter, of gain 1, then every second."""
    out: Tensor = _Halve.apply(x)  # type: ignore[no-untyped-call]
    return out


def smooth(
    x: Float[Tensor, "b c h w"], padding: int, gain: float = 1.0
) -> Float[Tensor, "b c h+2*{padding}-3 w+2*{padding}-3"]:
    """Filter without a change of rate, over `padding` (0 to 3) rows of zeros on each side."""
    out: Tensor = _Smooth.apply(x, padding, gain)  # type: ignore[no-untyped-call]
    return out


def _kernel(x: Tensor, gain: float) -> Tensor:
    taps = torch.tensor(TAPS, dtype=torch.float32, device=x.device) / _SUM
    square = torch.outer(taps, taps) * gain
    return square.to(x.dtype).expand(x.shape[1], 1, len(TAPS), len(TAPS))


class _Smooth(Function):
    """A depthwise convolution: the fastest form on CPUs, by measurement."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int, gain: float) -> Tensor:
        ctx.padding, ctx.gain = padding, gain
        return F.conv2d(x, _kernel(x, gain), padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        # the filter is symmetric, so its adjoint is itself under the complementary padding
        return smooth(dy, len(TAPS) - 1 - ctx.padding, ctx.gain), None, None


class _Double(Function):
    """Between two values the filter has two taps each way, 1/4 and 3/4: that is bilinear.

    At a border, bilinear repeats the outermost value where the filter sees a zero.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        doubled = F.interpolate(x, scale_factor=2.0, mode="bilinear")
        for edge in (0, -1):
            doubled[:, :, edge].mul_(_BORDER)
            doubled[:, :, :, edge].mul_(_BORDER)
        return doubled

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return halve(dy).mul(4.0)


class _Halve(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.conv2d(x, _kernel(x, 1.0), stride=2, padding=1, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return double(dy).mul(0.25)
