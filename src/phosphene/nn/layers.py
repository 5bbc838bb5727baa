"""Building blocks that several families share. Knows no model.

Everything keeps the channels-last memory format, in which bf16 convolutions are fastest on CPUs.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable

FeatureMap = Float[Tensor, "_b _c _h _w"]  # layers change widths and sides: names are not bound
Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """Lay a network's weights out as its feature maps are; changes nothing but speed."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class _GroupNormChannelsLast(Function):
    """Group norm whose backward stays in channels-last; PyTorch's own is 5x slower there."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        b, c, h, w = x.shape
        y, mean, rstd = torch.native_group_norm(x, weight, bias, b, c, h * w, groups, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, rstd = ctx.saved_tensors  # type: ignore[attr-defined]
        b, c, h, w = x.shape
        g = mean.shape[1]
        x = x.permute(0, 2, 3, 1).reshape(b, h * w, c)
        dy = dy.permute(0, 2, 3, 1).reshape(b, h * w, c)
        wide = torch.promote_types(x.dtype, torch.float32)
        mean, rstd, scale = mean.to(wide), rstd.to(wide), weight.to(wide)
        sum_dy = dy.sum(1, dtype=wide)  # b c
        sum_dy_x = (dy * x).sum(1, dtype=wide)
        group_dy = (sum_dy * scale).view(b, g, -1).sum(2)
        group_dy_x = (sum_dy_x * scale).view(b, g, -1).sum(2)
        by_x = (group_dy * mean - group_dy_x) * rstd**3 / (h * w * (c // g))
        offset = -by_x * mean - group_dy * rstd / (h * w * (c // g))
        by_dy = (rstd[:, :, None] * scale.view(1, g, -1)).reshape(b, 1, c).to(x.dtype)

        def per_channel(values: Tensor) -> Tensor:
            return values.repeat_interleave(c // g, dim=1)[:, None].to(x.dtype)

        dx = torch.addcmul(torch.addcmul(per_channel(offset), x, per_channel(by_x)), dy, by_dy)
        centred = sum_dy_x.view(b, g, -1) - sum_dy.view(b, g, -1) * mean[:, :, None]
        dweight = (centred * rstd[:, :, None]).sum(0).view(c).to(weight.dtype)
        dx = dx.view(b, h, w, c).permute(0, 3, 1, 2)
        return dx, dweight, sum_dy.sum(0).to(weight.dtype), None, None


class GroupNorm(nn.GroupNorm):
    """Group norm, exact and fast in channels-last; first derivatives only."""

    def forward(self, x: Tensor) -> Tensor:
        # Not "if x.requires_grad" alone: where only the weights learn, PyTorch's own backward of
        # channels-last features crashes the process (2.13).
        learns = x.requires_grad or self.weight.requires_grad or self.bias.requires_grad
        if not (learns and torch.is_grad_enabled()):
            return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        out: Tensor = _GroupNormChannelsLast.apply(  # type: ignore[no-untyped-call]
            x.contiguous(memory_format=torch.channels_last),
            self.weight,
            self.bias,
            self.num_groups,
            self.eps,
        )
        return out


def norm(channels: int, groups: int | None = None) -> GroupNorm:
    """Group norm as VQGAN uses it, eps 1e-6; by default 32 groups, fewer for narrow layers."""
    return GroupNorm(groups or min(32, channels // 4), channels, eps=1e-6)


class ResBlock(nn.Module):
    """Pre-activation residual block: (norm, SiLU, 3x3) twice; a 1x1 skip where widths differ."""

    def __init__(self, in_channels: int, out_channels: int, groups: int | None = None) -> None:
        super().__init__()
        self.norm1 = norm(in_channels, groups)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = norm(out_channels, groups)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: FeatureMap) -> Float[Tensor, "b d h w"]:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        if hasattr(self, "nin_shortcut"):
            x = self.nin_shortcut(x)
        out: Tensor = x + h
        return out


class AttentionBlock(nn.Module):
    """Single-head self-attention over all positions of a feature map, with a residual."""

    def __init__(self, channels: int, groups: int | None = None) -> None:
        super().__init__()
        self.norm = norm(channels, groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: FeatureMap) -> FeatureMap:
        b, c, h, w = x.shape
        y = self.norm(x)
        q, k, v = (f(y).permute(0, 2, 3, 1).reshape(b, h * w, c) for f in (self.q, self.k, self.v))
        # bmm-softmax-bmm: the fused CPU kernel is slower in bf16 at these lengths
        attention = torch.softmax(q @ k.transpose(1, 2) * c**-0.5, dim=-1)  # b n n
        y = (attention @ v).view(b, h, w, c).permute(0, 3, 1, 2)
        out: Tensor = x + self.proj_out(y)
        return out


class Downsample(nn.Module):
    """Halve the resolution by a strided 3x3 convolution, padded right and below."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: FeatureMap) -> Float[Tensor, "b c half_h half_w"]:
        y: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return y


class Upsample(nn.Module):
    """Double the resolution by nearest neighbour, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 2*h 2*w"]:
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y
