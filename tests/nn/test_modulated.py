"""Modulated convolutions: both forms, against weights made one by one."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.nn.modulated import (
    cheaper_form,
    convolve,
    demodulation,
    energy_of,
    laid_out_to_go_up,
    modulated_conv2d,
)
from phosphene.nn.resample import double


def by_definition(x: Tensor, weight: Tensor, styles: Tensor, up: bool) -> Tensor:
    """Equations 1 and 3 of the paper, one sample and one kernel at a time."""
    made = []
    for sample, style in zip(x, styles, strict=True):
        scaled = weight * style[None, :, None, None]
        kernels = torch.stack([k / (k.square().sum() + 1e-8).sqrt() for k in scaled])
        if up:
            wide = double(F.pad(sample[None], (1, 1, 1, 1)))[:, :, 1:-1, 1:-1]
            made.append(F.conv2d(wide, kernels.flip(2, 3)))
        else:
            made.append(F.conv2d(sample[None], kernels, padding=1))
    return torch.cat(made)


@pytest.mark.parametrize("form", ["scaled", "grouped"])
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_agrees_with_the_equations(form, up: bool, count: int) -> None:
    x, weight, styles = torch.randn(count, 5, 4, 6), torch.randn(7, 5, 3, 3), torch.randn(count, 5)
    scale = demodulation(energy_of(weight), styles)
    found = modulated_conv2d(x, weight, styles, scale=scale, up=up, form=form)
    torch.testing.assert_close(found, by_definition(x, weight, styles, up), atol=1e-5, rtol=1e-4)
    last = x.contiguous(memory_format=torch.channels_last)
    again = modulated_conv2d(last, weight, styles, scale=scale, up=up, form=form)
    torch.testing.assert_close(again, found, atol=1e-5, rtol=1e-4)


def test_the_layout_changes_no_value() -> None:
    x, weight = torch.randn(1, 5, 4, 6), torch.randn(7, 5, 3, 3)
    laid = laid_out_to_go_up(weight)
    assert torch.equal(laid, weight)
    assert laid.transpose(0, 1).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(convolve(x, laid, up=True), convolve(x, weight, up=True))


def test_demodulation_gives_unit_deviation() -> None:
    weight, styles = torch.randn(16, 64, 3, 3), 5 * torch.rand(2, 64)
    x = torch.randn(2, 64, 32, 32)
    scale = demodulation(energy_of(weight), styles)
    found = modulated_conv2d(x, weight, styles, scale=scale)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(found.std((2, 3)), torch.ones(2, 16), atol=0.12, rtol=0)


@pytest.mark.parametrize("form", ["scaled", "grouped"])
def test_without_demodulation(form) -> None:
    x, weight, styles = torch.randn(2, 5, 4, 4), torch.randn(3, 5, 1, 1), torch.randn(2, 5)
    found = modulated_conv2d(x, weight, styles, form=form)
    torch.testing.assert_close(found, F.conv2d(x * styles[:, :, None, None], weight))


@pytest.mark.parametrize("up", [False, True])
def test_bf16_is_near(up: bool) -> None:
    x, weight, styles = torch.randn(2, 16, 4, 4), torch.randn(8, 16, 3, 3), torch.rand(2, 16)
    scale = demodulation(energy_of(weight), styles)
    exact = modulated_conv2d(x, weight, styles, scale=scale, up=up)
    for form in ("scaled", "grouped"):
        found = modulated_conv2d(x.bfloat16(), weight, styles, scale=scale, up=up, form=form)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("form", ["scaled", "grouped"])
@pytest.mark.parametrize("up", [False, True])
def test_second_derivatives(form, up: bool) -> None:
    def made(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    x, weight, styles = made(2, 2, 2, 2), made(2, 2, 3, 3), made(2, 2)

    def function(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
        scale = (styles.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()
        return modulated_conv2d(x, weight, styles, scale=scale, up=up, form=form)

    assert torch.autograd.gradcheck(function, (x, weight, styles))
    assert torch.autograd.gradgradcheck(function, (x, weight, styles), fast_mode=True)


def test_the_form_follows_the_work() -> None:
    wide, narrow = torch.zeros(64, 4, 3, 3), torch.zeros(4, 4, 3, 3)
    x = torch.zeros(1, 4, 16, 16)
    with torch.no_grad():
        assert cheaper_form(x, narrow) == "grouped"
        assert cheaper_form(x, wide) == "scaled"
    assert cheaper_form(x, narrow) == "scaled"


def test_only_kernels_of_three_go_up() -> None:
    with pytest.raises(ValueError, match="kernel of 1 does not go up"):
        convolve(torch.zeros(1, 2, 2, 2), torch.zeros(2, 2, 1, 1), up=True)
    biased = convolve(torch.zeros(1, 2, 2, 2), torch.zeros(3, 2, 3, 3), torch.ones(3), up=True)
    torch.testing.assert_close(biased, torch.ones(1, 3, 4, 4))
