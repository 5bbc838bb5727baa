"""A depthwise convolution whose second derivative costs as much as its first.

PyTorch takes the second derivative of a grouped convolution channel by channel. But it is made of
the same three products as the first: with y = w * x and g_x = w^T * g_y, what flows back into g_x
gives g_y a convolution by w, and w the weight gradient of a convolution that saw it as its input.
Values and first derivatives are those of `nn.Conv2d`, bit for bit.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Shape = tuple[list[int], list[int], list[int], int]  # stride, padding, dilation, groups


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with as many groups as channels; use it where gradients are differentiated."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # as in nn.Conv2d
        needed = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        if not needed or torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        shape = (list(self.stride), list(self.padding), list(self.dilation), self.groups)
        apply: Any = _Forward.apply
        painted: Tensor = apply(input, self.weight, self.bias, shape)
        return painted


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, shape: Shape, mask: tuple[bool, bool, bool]
) -> tuple[Any, Any, Any]:
    stride, padding, dilation, groups = shape
    bias = [weight.shape[0]] if mask[2] else None
    result: tuple[Any, Any, Any] = torch.ops.aten.convolution_backward(
        gradient, x, weight, bias, stride, padding, dilation, False, [0, 0], groups, mask
    )
    return result


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, shape: Shape) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.shape, ctx.has_bias = shape, bias is not None
        return torch.conv2d(x, weight, bias, *shape)

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad[:3]
        through: Any = _Backward.apply
        at_x = through(gradient, x, weight, ctx.shape) if to_x else None
        if not (to_weight or to_bias):
            return at_x, None, None, None
        aside: Any = _WeightBackward.apply
        at_weight, at_bias = aside(gradient, x, weight, ctx.shape)
        return at_x, at_weight, at_bias if ctx.has_bias else None, None


class _Backward(torch.autograd.Function):
    """The gradient at the input: linear in what comes back, and in the weight."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, shape: Shape) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        ctx.shape = shape
        at_x: Tensor = _backward(gradient, x, weight, shape, (True, False, False))[0]
        return at_x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, second: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        gradient, weight = ctx.saved_tensors
        to_gradient, _, to_weight = ctx.needs_input_grad[:3]
        at_gradient = torch.conv2d(second, weight, None, *ctx.shape) if to_gradient else None
        at_weight = None
        if to_weight:
            at_weight = _backward(gradient, second, weight, ctx.shape, (False, True, False))[1]
        return at_gradient, None, at_weight, None


class _WeightBackward(torch.autograd.Function):
    """The gradients at weight and bias, which nobody here differentiates again."""

    @staticmethod
    def forward(
        _ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, shape: Shape
    ) -> tuple[Tensor, Tensor]:
        _, at_weight, at_bias = _backward(gradient, x, weight, shape, (False, True, True))
        return at_weight, at_bias

    @staticmethod
    @once_differentiable
    def backward(_ctx: Any, *_: Tensor) -> tuple[None, None, None, None]:
        raise RuntimeError("the gradient of a depthwise weight is not differentiated again")
