"""Convolutions whose weights are scaled by a style, sample by sample.

    w'_oik = s_i w_oik          modulation
    w''_oik = w'_oik / sqrt(sum_ik w'_oik^2 + 1e-8)     demodulation

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2.2,
equations 1 and 3. Two forms give the same result: *scaled* multiplies the features before and
after one convolution of the whole batch, *grouped* makes weights for each sample.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.nn.equalised import wide
from phosphene.nn.resample import smooth

EPS = 1e-8
Form = Literal["scaled", "grouped"]


def demodulation(
    energy: Float[Tensor, "o i"], styles: Float[Tensor, "b i"]
) -> Float[Tensor, "b o"]:
    """Factors that give each output unit deviation: 1 / sqrt(sum_i s_i^2 energy_oi + 1e-8).

    Args:
        energy: Squared weights, summed over the kernel; see `energy_of`.
    """
    return (styles.square() @ energy.T + EPS).rsqrt()


def energy_of(weight: Float[Tensor, "o i k k"]) -> Float[Tensor, "o i"]:
    """Squared weights summed over the kernel, in float32 at least."""
    return wide(weight).square().sum((2, 3))


def laid_out_to_go_up(weight: Float[Tensor, "o i k k"]) -> Float[Tensor, "o i k k"]:
    """The same weights in the memory order that going up reads; else it is made at each call."""
    turned = weight.transpose(0, 1).contiguous(memory_format=torch.channels_last)
    return turned.transpose(0, 1)


def convolve(
    x: Float[Tensor, "b i h w"],
    weight: Float[Tensor, "o i k k"],
    bias: Float[Tensor, " o"] | None = None,
    *,
    up: bool = False,
) -> Float[Tensor, "b o h2 w2"]:
    """Convolve at the same size, or to twice the size through the smooth filter.

    Going up, the kernel is turned by half a turn, as published weights have it. The filter comes
    after the convolution, where it is cheap: zeros between the values are never multiplied.
    """
    if not up:
        return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
    if weight.shape[2] != 3:
        raise ValueError(f"a kernel of {weight.shape[2]} does not go up; use 3")
    y = smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, 4.0)
    return y if bias is None else y + bias[:, None, None]


def modulated_conv2d(
    x: Float[Tensor, "b i h w"],
    weight: Float[Tensor, "o i k k"],
    styles: Float[Tensor, "b i"],
    *,
    scale: Float[Tensor, "b o"] | None = None,
    up: bool = False,
    form: Form = "scaled",
) -> Float[Tensor, "b o h2 w2"]:
    """Convolve with weights `scale_o w_oik styles_i` of each sample.

    Args:
        scale: What demodulates, times any gain; None leaves the results as they are.
        up: Give twice the size; see `convolve`.
    """
    if form == "scaled":
        y = convolve(x * _map(styles, x), weight.to(x.dtype), up=up)
        return y if scale is None else y * _map(scale, y)
    own = weight[None] * styles[:, None, :, None, None]
    if scale is not None:
        own = own * scale[:, :, None, None, None]
    own = own.to(x.dtype)
    # one by one, not as groups: that keeps channels-last, and convolutions of one group are faster
    samples = zip(x.chunk(len(x)), own.unbind(), strict=True)
    made = [convolve(sample, kernel, up=up) for sample, kernel in samples]
    return made[0] if len(made) == 1 else torch.cat(made)


def cheaper_form(x: Float[Tensor, "b i h w"], weight: Float[Tensor, "o i k k"]) -> Form:
    """The form that takes less time without gradients: weights are few where features are many."""
    few = not torch.is_grad_enabled() and 2 * weight[:, 0].numel() <= x[0, 0].numel()
    return "grouped" if few else "scaled"


def _map(values: Tensor, like: Tensor) -> Tensor:
    return values[:, :, None, None].to(like.dtype)
