"""Layers against PyTorch's own and against closed forms."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.nn.layers import (
    AttentionBlock,
    Downsample,
    GroupNorm,
    ResBlock,
    Upsample,
    channels_last,
    norm,
)

FORMATS = {"nchw": torch.contiguous_format, "channels last": torch.channels_last}


def grouped(dtype: torch.dtype) -> tuple[GroupNorm, Tensor, Tensor]:
    """A norm with drawn weights, an input far from zero mean, and an output gradient."""
    layer = GroupNorm(4, 16, eps=1e-6).to(dtype)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    x = (torch.randn(3, 16, 5, 7) * 2 + torch.randn(16, 1, 1)).to(dtype)
    return layer, x, torch.randn(3, 16, 5, 7).to(dtype)


def gradients(layer: nn.GroupNorm, x: Tensor, dy: Tensor, ours: bool) -> list[Tensor]:
    """Output, and gradients of input, weight and bias."""
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    weight, bias = (p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias))
    if ours:
        copy = GroupNorm(layer.num_groups, layer.num_channels, layer.eps).to(x.dtype)
        copy.weight, copy.bias = nn.Parameter(weight), nn.Parameter(bias)
        y = copy(leaf)
        return [y, *torch.autograd.grad(y, (leaf, copy.weight, copy.bias), dy)]
    y = F.group_norm(leaf, layer.num_groups, weight, bias, layer.eps)
    return [y, *torch.autograd.grad(y, (leaf, weight, bias), dy)]


@pytest.mark.parametrize("form", FORMATS)
def test_group_norm_is_pytorchs_in_full_precision(form: str) -> None:
    layer, x, dy = grouped(torch.float32)
    x = x.contiguous(memory_format=FORMATS[form])
    for found, wanted in zip(
        gradients(layer, x, dy, ours=True), gradients(layer, x, dy, ours=False), strict=True
    ):
        torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_group_norm_is_as_exact_as_pytorchs_in_bf16(form: str) -> None:
    layer, x, dy = grouped(torch.bfloat16)
    x = x.contiguous(memory_format=FORMATS[form])
    truth = gradients(layer.double(), x.double(), dy.double(), ours=False)
    layer.bfloat16()
    ours, theirs = gradients(layer, x, dy, ours=True), gradients(layer, x, dy, ours=False)
    for found, reference, exact in zip(ours, theirs, truth, strict=True):
        assert found.dtype == torch.bfloat16
        error = (found.double() - exact).norm() / exact.norm()
        allowed = (reference.double() - exact).norm() / exact.norm()
        assert error < max(2 * allowed, 0.005)


def test_group_norm_gradient_is_the_derivative() -> None:
    layer, x, _ = grouped(torch.float64)
    assert torch.autograd.gradcheck(layer, x[:1, :, :2, :3].clone().requires_grad_())


def test_group_norm_of_bf16_features_with_fp32_weights() -> None:
    layer, x, dy = grouped(torch.float32)
    x, dy = x.bfloat16().requires_grad_(), dy.bfloat16()
    y = layer(x)
    y.backward(dy)
    assert y.dtype == x.grad.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


def test_group_norm_keeps_channels_last_and_both_ways_agree() -> None:
    layer, x, dy = grouped(torch.float32)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    y = layer(x)
    (dx,) = torch.autograd.grad(y, x, dy)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert dx.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x.detach()), y.detach())
    layer(x.detach()).sum().backward()
    assert layer.weight.grad is not None, "weights learn when the input is a picture"


def test_group_norm_of_one_pixel_and_one_channel_a_group() -> None:
    layer = GroupNorm(3, 3)
    x = torch.randn(2, 3, 1, 1, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    torch.testing.assert_close(y, torch.zeros_like(y), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.grad, torch.zeros_like(x), atol=1e-3, rtol=0)


def test_second_derivatives_are_refused_not_wrong() -> None:
    layer, x, _ = grouped(torch.float32)
    x.requires_grad_()
    (dx,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        dx.sum().backward()


@pytest.mark.parametrize(
    ("channels", "groups", "wanted"), [(8, None, 2), (64, None, 16), (256, None, 32), (64, 32, 32)]
)
def test_norm_groups(channels: int, groups: int | None, wanted: int) -> None:
    layer = norm(channels, groups)
    assert (layer.num_groups, layer.eps) == (wanted, 1e-6)


def silence(*layers: nn.Module) -> None:
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


def test_res_block_without_its_branch_is_the_skip() -> None:
    x = torch.randn(2, 8, 4, 6)
    same, wider = ResBlock(8, 8), ResBlock(8, 12)
    silence(same.conv2, wider.conv2)
    assert torch.equal(same(x), x)
    torch.testing.assert_close(wider(x), wider.nin_shortcut(x))
    assert "nin_shortcut.weight" not in same.state_dict()


def test_attention_with_equal_scores_is_the_mean() -> None:
    block = AttentionBlock(8)
    silence(block.q)
    nn.init.dirac_(block.v.weight)
    nn.init.dirac_(block.proj_out.weight)
    silence_biases(block)
    x = torch.randn(2, 8, 3, 5)
    y = block.norm(x)
    wanted = x + y.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(block(x), wanted.expand_as(x))


def silence_biases(block: AttentionBlock) -> None:
    for layer in (block.q, block.k, block.v, block.proj_out):
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


def test_attention_does_not_know_where_a_position_is() -> None:
    block = AttentionBlock(8)
    x = torch.randn(1, 8, 3, 5)
    order = torch.randperm(15)

    def shuffled(z: Tensor) -> Tensor:
        return z.flatten(2)[:, :, order].view_as(z)

    torch.testing.assert_close(block(shuffled(x)), shuffled(block(x)))


def test_attention_is_the_fused_kernels() -> None:
    block = AttentionBlock(8)
    x = torch.randn(2, 8, 3, 5)
    y = block.norm(x)
    q, k, v = (f(y).flatten(2).transpose(1, 2) for f in (block.q, block.k, block.v))
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(block(x), x + block.proj_out(mixed))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 2), (1, 0)])
def test_downsample_pads_right_and_below(row: int, column: int) -> None:
    layer = Downsample(1)
    silence(layer)
    with torch.no_grad():
        layer.conv.weight[0, 0, row, column] = 1
    x = torch.randn(1, 1, 6, 8)
    padded = F.pad(x, (0, 1, 0, 1))
    wanted = padded[:, :, row : row + 5 : 2, column : column + 7 : 2]
    torch.testing.assert_close(layer(x), wanted)


def test_upsample_repeats_pixels() -> None:
    layer = Upsample(2)
    silence(layer)
    with torch.no_grad():
        nn.init.dirac_(layer.conv.weight)
    x = torch.randn(1, 2, 3, 4)
    wanted = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(layer(x), wanted)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_frozen_upsample_is_the_learning_one(dtype: torch.dtype, bias: bool) -> None:
    layer = Upsample(6).double()
    if not bias:
        layer.conv.bias = None
    x = torch.randn(2, 6, 3, 4).double()
    dy = torch.randn(2, 6, 6, 8).double()
    found = []
    for frozen in (False, True):
        layer.requires_grad_(not frozen).to(dtype if frozen else torch.float64)
        leaf = x.to(layer.conv.weight.dtype).requires_grad_()
        y = layer(leaf)
        found.append((y.detach(), *torch.autograd.grad(y, leaf, dy.to(y.dtype))))
    for learning, ours in zip(*found, strict=True):
        assert ours.is_contiguous(memory_format=torch.channels_last)
        error = (ours.double() - learning).norm() / learning.norm()
        assert error < (1e-14 if dtype == torch.float64 else 0.01)


def test_frozen_upsample_of_a_single_pixel() -> None:
    layer = Upsample(2)
    x = torch.randn(1, 2, 1, 1)
    learning = layer(x)
    torch.testing.assert_close(layer.requires_grad_(False)(x), learning)


def test_channels_last_changes_the_layout_alone() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(8, 4, 3))
    x = torch.randn(2, 4, 6, 6)
    before = network(x)
    assert channels_last(network) is network
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(x), before)
