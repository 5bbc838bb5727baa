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
        wide = torch.promote_types(x.dtype, torch.float32)
        mean, rstd = (v.to(wide).repeat_interleave(c // g, dim=1) for v in (mean, rstd))  # b c
        dweight, dbias = _affine_gradients(dy, x, mean, rstd)
        # with y' = (x - mean) rstd: dx = rstd (w dy - mean over group of w dy
        #                                        - y' mean over group of w dy y')
        scale = weight.to(wide)
        by_group = torch.stack([dbias, dweight]).mul(scale).view(2, b, g, -1).sum(3)
        shift, tilt = by_group.div(h * w * (c // g)).repeat_interleave(c // g, dim=2)
        by_x = -tilt * rstd * rstd
        offset = -by_x * mean - shift * rstd
        by_x, offset, by_dy = (v[:, None].to(x.dtype) for v in (by_x, offset, rstd * scale))
        x, dy = (v.permute(0, 2, 3, 1).reshape(b, h * w, c) for v in (x, dy))
        dx = torch.addcmul(offset, x, by_x).addcmul_(dy, by_dy)
        dx = dx.view(b, h, w, c).permute(0, 3, 1, 2)
        return dx, dweight.sum(0).to(weight.dtype), dbias.sum(0).to(weight.dtype), None, None


def _affine_gradients(dy: Tensor, x: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over pixels of dy (x - mean) rstd and of dy, b c each, in mean's dtype.

    They are what batch norm's backward gives a sample: its kernel adds bf16 up in fp32 in one pass,
    where `sum(dtype=float32)` first writes a copy.
    """
    one = torch.ones_like(mean[0])
    sums = [
        torch.ops.aten.native_batch_norm_backward(
            dy[i : i + 1], x[i : i + 1], one, None, None, mean[i], rstd[i], True, 0.0,
            [False, True, True],
        )[1:]
        for i in range(len(x))
    ]  # fmt: skip
    by_weight, by_bias = zip(*sums, strict=True)
    return torch.stack(by_weight), torch.stack(by_bias)


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
    """Double the resolution by nearest neighbour, then a 3x3 convolution.

    A 3x3 kernel on doubled pixels sees each small pixel once or twice, so it is a 2x2 kernel on the
    small map, another for each of the four places within a doubled pixel: 4/9 of the products (Shi
    et al. 2016, "Is the deconvolution layer the same as a convolutional layer?"). Frozen weights
    are used that way; the same up to the rounding of their sums.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 2*h 2*w"]:
        if self.conv.weight.requires_grad:
            y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            return y
        bias = None if self.conv.bias is None else self.conv.bias.repeat(4)
        x = x.contiguous(memory_format=torch.channels_last)
        places = F.conv2d(x, _kernels_by_place(self.conv.weight), bias, padding=1)
        out: Tensor = _Interleave.apply(places)  # type: ignore[no-untyped-call]
        return out


# Which sum of a kernel's three taps each of the two taps is, above (0) and below (1) in the pixel
_TAPS = (((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1)))


def _kernels_by_place(weight: Float[Tensor, "d c 3 3"]) -> Float[Tensor, "4*d c 2 2"]:
    """The 2x2 kernels of the upper left, upper right, lower left and lower right place."""
    d, c, _, _ = weight.shape
    wide = torch.promote_types(weight.dtype, torch.float32)
    taps = torch.tensor(_TAPS, dtype=wide, device=weight.device)  # place tap 3
    sums = torch.einsum("ayr,bxs->abyxrs", taps, taps).reshape(16, 9)
    kernels = sums @ weight.detach().to(wide).permute(0, 2, 3, 1).reshape(d, 9, c)
    kernels = kernels.view(d, 2, 2, 2, 2, c).permute(1, 2, 0, 3, 4, 5).to(weight.dtype)
    return kernels.reshape(4 * d, 2, 2, c).permute(0, 3, 1, 2)


class _Interleave(Function):
    """(b 4c h+1 w+1), a map for each place, to b c 2h 2w; the outermost rows and columns that a
    place has no use for are left out."""

    @staticmethod
    def forward(ctx: FunctionCtx, places: Tensor) -> Tensor:
        b, c4, h, w = places.shape
        maps = places.permute(0, 2, 3, 1).reshape(b, h, w, 2, 2, c4 // 4)
        y = places.new_empty(b, h - 1, 2, w - 1, 2, c4 // 4)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            y[:, :, i, :, j] = maps[:, i : i + h - 1, j : j + w - 1, i, j]
        return y.view(b, 2 * h - 2, 2 * w - 2, c4 // 4).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> Tensor:
        b, c, h, w = dy.shape
        h, w = h // 2, w // 2
        dy = dy.permute(0, 2, 3, 1).reshape(b, h, 2, w, 2, c)
        dmaps = dy.new_zeros(b, h + 1, w + 1, 2, 2, c)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            dmaps[:, i : i + h, j : j + w, i, j] = dy[:, :, i, :, j]
        return dmaps.view(b, h + 1, w + 1, 4 * c).permute(0, 3, 1, 2)
