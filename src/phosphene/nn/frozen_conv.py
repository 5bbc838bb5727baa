"""A frozen convolution with its ReLU6, for gradients of pictures alone.

PyTorch keeps what came before the ReLU6, takes the gradient of a 1x1 convolution on small maps in
NCHW, and copies between the layouts. Here the output is kept in its place, which says where the
ReLU6 let through; all stays in channels-last, where a 1x1 convolution is one product. Values and
gradients are those of the plain operations up to rounding.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

Pads = tuple[int, int, int, int]  # left, right, top, bottom, as F.pad has them


def frozen_conv(x: Tensor, conv: nn.Conv2d, pads: Pads, active: bool) -> Tensor:
    """Convolve with frozen weights, after padding by zeros; then ReLU6 where `active`."""
    out: Tensor = _FrozenConv.apply(x, conv, pads, active)  # type: ignore[no-untyped-call]
    return out


def is_frozen(x: Tensor, conv: nn.Conv2d) -> bool:
    """Whether a gradient is wanted, and at the pictures alone."""
    return (
        torch.is_grad_enabled()
        and x.requires_grad
        and not any(p.requires_grad for p in conv.parameters())
        and not torch.is_autocast_enabled(x.device.type)
    )


class _FrozenConv(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: nn.Conv2d, pads: Pads, active: bool) -> Tensor:
        y = _convolved(x, conv, pads)
        if active:
            y.clamp_(0, 6)
        ctx.save_for_backward(x, y)
        ctx.conv, ctx.pads, ctx.active = conv, pads, active
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        x, y = ctx.saved_tensors
        if torch.is_grad_enabled():  # it is differentiated again
            plain: Tensor = ctx.conv(F.pad(x, ctx.pads))
            plain = F.relu6(plain) if ctx.active else plain
            (at_x,) = torch.autograd.grad(plain, x, gradient, create_graph=True)
        else:
            if ctx.active:
                gradient = torch.ops.aten.hardtanh_backward(gradient, y, 0.0, 6.0)
            at_x = _back(gradient, x, ctx.conv, ctx.pads)
        return at_x, None, None, None


def _convolved(x: Tensor, conv: nn.Conv2d, pads: Pads) -> Tensor:
    if _is_product(conv, pads):
        return F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias).permute(
            0, 3, 1, 2
        )
    return torch.conv2d(
        F.pad(x, pads) if any(pads) else x,
        conv.weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups,
    )  # fmt: skip


def _back(gradient: Tensor, x: Tensor, conv: nn.Conv2d, pads: Pads) -> Tensor:
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    if _is_product(conv, pads):
        b, _, h, w = gradient.shape
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        return (rows @ conv.weight.flatten(1)).view(b, h, w, -1).permute(0, 3, 1, 2)
    left, right, top, bottom = pads
    b, c, h, w = x.shape
    # only its shape is asked for
    like = x.new_empty(b, h + top + bottom, w + left + right, c).permute(0, 3, 1, 2)
    convolution_backward: Callable[..., tuple[Tensor, ...]] = torch.ops.aten.convolution_backward
    at_padded = convolution_backward(
        gradient, like, conv.weight, None, conv.stride, conv.padding, conv.dilation,
        False, [0, 0], conv.groups, [True, False, False],
    )[0]  # fmt: skip
    return at_padded[:, :, top : top + h, left : left + w]


def _is_product(conv: nn.Conv2d, pads: Pads) -> bool:
    plain = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1
    return plain and conv.padding == (0, 0) and not any(pads)
