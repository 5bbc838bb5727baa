"""Layers whose learning rate is equalised: weights are stored at unit variance and scaled in use.

An optimiser that normalises its steps then moves all layers alike. Source: Karras et al. 2018,
"Progressive Growing of GANs", section 4.1; the learning-rate multiplier is Karras et al. 2019, "A
Style-Based Generator Architecture", appendix C; filters and gains as Karras et al. 2020.

Since max(x, 0.2 x) is homogeneous, all gains are folded into weights and biases: they cost no pass
over a feature map.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.nn.resample import halve, smooth

SLOPE = 0.2
LEAKY_GAIN = math.sqrt(2)  # keeps the variance of half-rectified values


def leaky(x: Tensor, clamp: float | None = None) -> Tensor:
    """Leaky ReLU in place, without a gain; then, if asked, values are kept within +-clamp.

    Call it on tensors that nobody else needs: what a convolution just gave, for example.
    """
    x = F.leaky_relu_(x, SLOPE)
    return clamped(x, clamp)


def clamped(x: Tensor, clamp: float | None) -> Tensor:
    """Keep values within +-clamp; None leaves them."""
    if clamp is None:
        return x
    return x.clamp(-clamp, clamp) if x.requires_grad else x.clamp_(-clamp, clamp)


def wide(x: Tensor) -> Tensor:
    """The same values in float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _no_autocast(device: str) -> AbstractContextManager[None]:
    if not torch.amp.is_autocast_available(device):  # such as "meta"
        return nullcontext()
    return torch.autocast(device, enabled=False)


class EqualLinear(nn.Module):
    """A dense layer; computes in float32 at least, also where its weights are stored in less.

    Args:
        lr_multiplier: How much slower than others it learns.
        bias: What its biases begin as; None for no bias.
        activate: Follow it by a leaky ReLU of gain sqrt(2).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        lr_multiplier: float = 1.0,
        bias: float | None = 0.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.normal_(self.weight, std=1 / lr_multiplier)
        start = None if bias is None else torch.full((out_features,), bias / lr_multiplier)
        self.bias = None if start is None else nn.Parameter(start)
        self.gain = lr_multiplier * (LEAKY_GAIN if activate else 1.0)
        self.scale = self.gain / math.sqrt(in_features)
        self.activate = activate

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b o"]:
        with _no_autocast(x.device.type):
            bias = None if self.bias is None else wide(self.bias) * self.gain
            weight = wide(self.weight)
            y = F.linear(x.to(weight.dtype) * self.scale, weight, bias)
            return leaky(y) if self.activate else y


class EqualConv2d(nn.Module):
    """A convolution with padding that keeps the size, or halves it after the smooth filter.

    Args:
        down: Halve height and width.
        activate: Follow it by a leaky ReLU of gain sqrt(2).
        clamp: Keep results within +-clamp; None lets them be.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activate: bool = False,
        down: bool = False,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        nn.init.normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.gain = LEAKY_GAIN if activate else 1.0
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.activate, self.down, self.clamp = activate, down, clamp

    def forward(self, x: Float[Tensor, "b i h w"], gain: float = 1.0) -> Float[Tensor, "b o h2 w2"]:
        """Convolve; `gain` scales the result, and the clamp with it."""
        padding = self.weight.shape[2] // 2
        stride = 1
        if self.down and padding == 0:
            x = halve(x)
        elif self.down:
            x, padding, stride = smooth(x, padding + 1), 0, 2
        gain_here = self.gain * gain
        weight = (self.weight * (self.scale * gain_here)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * gain_here).to(x.dtype)
        y = F.conv2d(x, weight, bias, stride=stride, padding=padding)
        limit = None if self.clamp is None else self.clamp * gain
        return leaky(y, limit) if self.activate else clamped(y, limit)
