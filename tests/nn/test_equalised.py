"""Equalised layers: unit variance at the start, gains where they belong, clamps."""

import math

import pytest
import torch
import torch.nn.functional as F

from phosphene.nn.equalised import EqualConv2d, EqualLinear, clamped, leaky
from phosphene.nn.resample import halve, smooth


def test_a_dense_layer_by_its_definition() -> None:
    layer = EqualLinear(6, 4, lr_multiplier=0.01, bias=1.0, activate=True)
    x = torch.randn(3, 6)
    assert float(layer.weight.detach().std()) > 30  # stored at 1 / multiplier
    torch.testing.assert_close(layer.bias.detach(), torch.full((4,), 100.0))
    plain = x @ (layer.weight * 0.01 / math.sqrt(6)).T + layer.bias * 0.01
    torch.testing.assert_close(layer(x), F.leaky_relu(plain, 0.2) * math.sqrt(2))
    assert EqualLinear(6, 4, bias=None).bias is None


def test_the_rate_multiplier_slows_learning() -> None:
    moved = []
    for multiplier in (1.0, 0.01):
        layer = EqualLinear(3, 1, lr_multiplier=multiplier)
        before = layer(torch.ones(1, 3)).item()
        torch.autograd.backward(layer(torch.ones(1, 3)).sum())
        with torch.no_grad():  # a step of equal length, as Adam takes it
            layer.bias.add_(layer.bias.grad.sign(), alpha=0.1)
        moved.append(layer(torch.ones(1, 3)).item() - before)
    assert moved == pytest.approx([0.1, 0.001], rel=1e-2)


def test_a_convolution_by_its_definition() -> None:
    layer = EqualConv2d(5, 4, 3, activate=True)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 5, 6, 8)
    plain = F.conv2d(x, layer.weight / math.sqrt(45), layer.bias, padding=1)
    torch.testing.assert_close(layer(x), F.leaky_relu(plain, 0.2) * math.sqrt(2))
    torch.testing.assert_close(layer(x, 0.5), layer(x) * 0.5)


def test_going_down() -> None:
    x = torch.randn(2, 5, 6, 8)
    layer = EqualConv2d(5, 4, 3, down=True)
    plain = F.conv2d(smooth(x, 2), layer.weight / math.sqrt(45), stride=2)
    torch.testing.assert_close(layer(x), plain)
    assert layer(x).shape == (2, 4, 3, 4)
    thin = EqualConv2d(5, 4, 1, bias=False, down=True)
    torch.testing.assert_close(thin(x), F.conv2d(halve(x), thin.weight / math.sqrt(5)))


def test_variance_is_kept() -> None:
    x = torch.randn(4, 32, 16, 16)
    with torch.no_grad():
        out = EqualConv2d(32, 64, 3, activate=True)(x)[:, :, 2:-2, 2:-2]
        wide = EqualLinear(512, 512, activate=True)(torch.randn(8, 512))
    assert 0.8 < float(out.pow(2).mean()) < 1.2
    assert 0.7 < float(wide.pow(2).mean()) < 1.3


def test_clamps_scale_with_the_gain() -> None:
    layer = EqualConv2d(4, 4, 1, activate=True, clamp=0.5)
    x = 10 * torch.randn(2, 4, 3, 3)
    for gain in (1.0, 0.5):
        with torch.no_grad():
            assert float(layer(x, gain).abs().max()) == pytest.approx(0.5 * gain)
    torch.testing.assert_close(leaky(torch.tensor([-5.0, 5.0]), 2.0), torch.tensor([-1.0, 2.0]))
    assert clamped(x, None) is x


def test_dense_layers_compute_in_float32() -> None:
    layer = EqualLinear(64, 8).to(torch.bfloat16)
    x = torch.randn(2, 64)
    assert layer(x.bfloat16()).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.float32


def test_second_derivatives() -> None:
    layer = EqualConv2d(2, 3, 3, activate=True, down=True, clamp=50.0).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).pow(2), (x,))
