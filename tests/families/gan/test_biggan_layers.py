"""BigGAN's layers against their formulas."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from phosphene.families.gan.biggan_layers import (
    ConditionalNorm,
    DBlock,
    DeepDBlock,
    DeepGBlock,
    GBlock,
    OutputNorm,
    PointConv,
    SelfAttention,
    StandingNorm,
    UpsamplingConv,
    prepare,
    twice,
)

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# --- averages by truncation


def test_a_row_of_averages_and_between_two() -> None:
    norm = StandingNorm(2, 11, 1e-5)
    norm.mean.copy_(torch.arange(11.0)[:, None].expand(-1, 2))
    norm.var.copy_(1 + norm.mean)
    for truncation, row in ((0.5, 5), (0.2, 2), (1.0, 10)):
        mean, var = norm.averages(truncation)
        assert torch.equal(mean, torch.full((2,), float(row)))
        assert torch.equal(var, mean + 1)
    # a quarter of the way from 5 to 6: the published package gives 5 a quarter, 6 three quarters
    mean, _ = norm.averages(0.525)
    assert float(mean[0]) == pytest.approx(5 * 0.25 + 6 * 0.75)


def test_one_row_serves_all_truncations() -> None:
    norm = StandingNorm(2, 1, 1e-5)
    norm.mean.fill_(3)
    assert torch.equal(norm.averages(0.3)[0], norm.averages(1.0)[0])


def test_keeping_one_row() -> None:
    norm = StandingNorm(3, 51, 1e-5)
    norm.mean.normal_()
    norm.var.uniform_(1, 2)
    wanted = [values.clone() for values in norm.averages(0.43)]
    norm.keep_only(0.43)
    assert norm.mean.shape == norm.var.shape == (1, 3)
    for found, value in zip(norm.averages(0.9), wanted, strict=True):
        assert torch.equal(found, value)


def test_the_norm_is_its_formula() -> None:
    norm = ConditionalNorm(4, 3, 1, 1e-2).eval()
    norm.mean.normal_()
    norm.var.uniform_(0.5, 2)
    x, condition = torch.randn(2, 4, 5, 6), torch.randn(2, 3)
    gain = 1 + condition @ norm.gain.weight.T
    bias = condition @ norm.bias.weight.T
    wanted = torch.zeros_like(x)
    for b in range(2):
        for c in range(4):
            unit = (x[b, c] - norm.mean[0, c]) / math.sqrt(float(norm.var[0, c]) + 1e-2)
            wanted[b, c] = (unit * gain[b, c] + bias[b, c]).clamp(min=0)
    torch.testing.assert_close(norm(x, condition, 1.0), wanted, **CLOSE)


def test_training_uses_the_batch_and_keeps_averages() -> None:
    norm = OutputNorm(2, 3, 1e-5)
    x = torch.randn(64, 2, 4, 4) * 3 + 5
    y = norm(x, 0.3)
    wanted = F.relu((x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True))
    torch.testing.assert_close(y, wanted, atol=1e-3, rtol=1e-3)
    assert torch.equal(norm.mean[:2], torch.zeros(2, 2)), "only the last row is trained"
    torch.testing.assert_close(norm.mean[2], 0.1 * x.mean((0, 2, 3)), **CLOSE)


# --- convolutions


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_four_kernels_are_the_doubled_convolution(
    before: int, after: int, height: int, width: int
) -> None:
    conv = UpsamplingConv(before, after).eval()
    x = torch.randn(2, before, height, width)
    with torch.no_grad():
        wanted = F.conv2d(twice(x), conv.weight, conv.bias, padding=1)
        assert torch.equal(conv(x), wanted)
        conv.prepare()
        assert conv.phases is not None
        torch.testing.assert_close(conv(x), wanted, **CLOSE)


def test_prepared_kernels_pass_gradients_to_the_input() -> None:
    conv = UpsamplingConv(2, 3).eval().requires_grad_(False)
    grads = []
    for _ in range(2):
        x = torch.ones(1, 2, 3, 4, requires_grad=True)
        torch.autograd.backward(conv(x).pow(2).sum())
        assert x.grad is not None
        grads.append(x.grad)
        prepare(conv)
    torch.testing.assert_close(grads[0], grads[1], **CLOSE)


def test_kernels_are_forgotten_by_training_and_by_loading() -> None:
    conv = UpsamplingConv(2, 3).eval()
    assert "phases" not in conv.state_dict()
    conv.prepare()
    assert conv.train().phases is None
    conv.eval().prepare()
    conv.load_state_dict({name: value + 1 for name, value in conv.state_dict().items()})
    assert conv.phases is None


@pytest.mark.parametrize("side", [3, 40])
@pytest.mark.parametrize("bias", [True, False])
def test_a_point_convolution_is_a_convolution(side: int, bias: bool) -> None:
    conv = PointConv(5, 7, bias=bias)
    x = torch.randn(2, 5, side, side)
    wanted = nn.Conv2d.forward(conv, x)
    torch.testing.assert_close(conv(x), wanted, **CLOSE)
    laid = conv.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    torch.testing.assert_close(laid, wanted, **CLOSE)


# --- attention


def test_attention_starts_as_the_identity_and_is_its_formula() -> None:
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 4, 6)
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(0.5)
    convs = {"theta": layer.theta, "phi": layer.phi, "g": layer.g, "o": layer.o}
    matrices = {name: conv.weight.flatten(1) for name, conv in convs.items()}
    for b in range(2):
        query = matrices["theta"] @ x[b].flatten(1)  # 2 24
        key, value = (
            F.max_pool2d((matrices[name] @ x[b].flatten(1)).view(-1, 4, 6), 2).flatten(1)
            for name in ("phi", "g")
        )
        weights = torch.exp(query.T @ key)  # 24 6
        weights = weights / weights.sum(1, keepdim=True)
        wanted = x[b] + 0.5 * (matrices["o"] @ (value @ weights.T)).view(16, 4, 6)
        torch.testing.assert_close(layer(x)[b], wanted, **CLOSE)


# --- blocks


@pytest.mark.parametrize("kind", [GBlock, DeepGBlock])
@pytest.mark.parametrize(("after", "up"), [(8, False), (8, True), (4, True)])
def test_generating_blocks(kind: type[GBlock | DeepGBlock], after: int, up: bool) -> None:
    block = kind(8, after, up, condition_dim=3, rows=1, eps=1e-5).eval()
    x, condition = torch.randn(2, 8, 4, 6), torch.randn(2, 3)
    y = block(x, condition, 1.0)
    assert y.shape == (2, after, 8 if up else 4, 12 if up else 6)
    assert not torch.allclose(y[0], block(x, condition.flip(0), 1.0)[0])
    for name, parameter in block.named_parameters():
        if "conv4" in name or "conv2" in name:
            parameter.data.zero_()
    if kind is DeepGBlock:  # nothing but the shortcut, which has no weights
        assert torch.equal(block(x, condition, 1.0), twice(x[:, :after]) if up else x[:, :after])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("after", "down"), [(8, False), (8, True), (12, True), (12, False)])
def test_judging_blocks(after: int, down: bool, first: bool) -> None:
    x = torch.randn(2, 8, 4, 6)
    block = DBlock(8, after, down, first)
    h = block.conv2(F.relu(block.conv1(x if first else F.relu(x))))
    side = x if after == 8 and not down else block.conv_sc(x)
    wanted = F.avg_pool2d(h + side, 2) if down else h + side
    torch.testing.assert_close(block(x), wanted, **CLOSE)
    deep = DeepDBlock(8, after, down)
    assert deep(x).shape == wanted.shape
    deep.conv4.weight.data.zero_()
    deep.conv4.bias.data.zero_()  # type: ignore[union-attr]
    kept = deep(x)[:, :8]
    assert torch.equal(kept, F.avg_pool2d(x, 2) if down else x)
