"""A frozen convolution with its ReLU6 is that of plain operations, in all that is asked of it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.nn.frozen_conv import Pads, frozen_conv, is_frozen

CASES = {  # kernel, stride, padding, groups, pads
    "product": (1, 1, 0, 1, (0, 0, 0, 0)),
    "padded product": (1, 1, 1, 1, (1, 0, 0, 2)),
    "strided stem": (3, 2, 0, 1, (0, 1, 0, 1)),
    "depthwise": (3, 1, 1, 4, (0, 0, 0, 0)),
    "strided depthwise": (5, 2, 0, 4, (1, 2, 2, 1)),
}


def made(case: str) -> tuple[nn.Conv2d, Pads, Tensor]:
    kernel, stride, padding, groups, pads = CASES[case]
    conv = nn.Conv2d(4, 8, kernel, stride, padding=padding, groups=groups).double()
    x = 4 * torch.randn(2, 4, 9, 7).double()
    return conv.requires_grad_(False), pads, x.contiguous(memory_format=torch.channels_last)


def plain(x: Tensor, conv: nn.Conv2d, pads: Pads, active: bool) -> Tensor:
    y: Tensor = conv(F.pad(x, pads))
    return F.relu6(y) if active else y


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("active", [True, False])
def test_values_and_both_derivatives(case: str, active: bool) -> None:
    conv, pads, x = made(case)
    found = []
    for way in (plain, frozen_conv):
        leaf = x.clone().requires_grad_()
        y = way(leaf, conv, pads, active)
        (first,) = torch.autograd.grad(y.sin().sum(), leaf, retain_graph=True)
        (again,) = torch.autograd.grad(y.sin().sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(again.square().sum(), leaf)
        found.append((y, first, again, second))
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("case", CASES)
def test_values_in_single_precision(case: str) -> None:
    conv, pads, x = made(case)
    conv, x = conv.float(), x.float().requires_grad_()
    y = frozen_conv(x, conv, pads, True)
    torch.testing.assert_close(y, plain(x, conv, pads, True))


def test_it_stays_in_channels_last() -> None:
    for case in CASES:
        conv, pads, x = made(case)
        y = frozen_conv(x.requires_grad_(), conv, pads, True)
        assert y.is_contiguous(memory_format=torch.channels_last), case


def test_it_is_for_frozen_weights_and_wanted_gradients() -> None:
    conv, _, x = made("product")
    assert not is_frozen(x, conv)
    x.requires_grad_()
    assert is_frozen(x, conv)
    with torch.no_grad():
        assert not is_frozen(x, conv)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not is_frozen(x, conv)
    conv.bias.requires_grad_(True)
    assert not is_frozen(x, conv)
