"""What StyleGAN2's networks are made of: mapping, styled convolution, to-RGB, minibatch deviation.

Source: Karras, Laine, Aila 2019, "A Style-Based Generator Architecture for Generative Adversarial
Networks"; Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"; minibatch
deviation is Karras et al. 2018, "Progressive Growing of GANs", section 3.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.team import ALONE, Team
from phosphene.nn.equalised import LEAKY_GAIN, EqualLinear, clamped, leaky, wide
from phosphene.nn.modulated import (
    cheaper_form,
    demodulation,
    energy_of,
    laid_out_to_go_up,
    modulated_conv2d,
)

FIRST_STROKES = 0.25


def unit_scale(x: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Scale each row so that the mean of its squares is one; in float32 at least."""
    x = wide(x)
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MappingNetwork(nn.Module):
    """z, and the class weights, to a style w.

    Args:
        z_dim: 0 for a network of the classes alone, as the discriminator has it.
        lr_multiplier: How much slower than the rest it learns.
    """

    def __init__(
        self, z_dim: int, num_classes: int, w_dim: int, num_layers: int, lr_multiplier: float
    ) -> None:
        super().__init__()
        self.z_dim, self.num_classes = z_dim, num_classes
        if num_classes:
            self.embed = EqualLinear(num_classes, w_dim)
        before = z_dim + (w_dim if num_classes else 0)
        self.layers: list[str] = []
        for i in range(num_layers):
            layer = EqualLinear(before, w_dim, lr_multiplier=lr_multiplier, activate=True)
            self.add_module(f"fc{i}", layer)
            self.layers.append(f"fc{i}")
            before = w_dim

    def forward(
        self,
        z: Float[Tensor, "b z_dim"] | None,
        classes: Float[Tensor, "b num_classes"] | None = None,
    ) -> Float[Tensor, "b w_dim"]:
        """Map; both inputs are brought to unit scale first, so the length of z does not matter."""
        parts = []
        if self.z_dim and z is not None:
            parts.append(unit_scale(z))
        if self.num_classes and classes is not None:
            parts.append(unit_scale(self.embed(classes)))
        x = torch.cat(parts, dim=1)
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return x


class StyledConv(nn.Module):
    """A 3x3 convolution modulated by a style, then noise, bias, and a leaky ReLU.

    Args:
        side: Height and width of what it gives, px.
        up: It doubles the size.
        layer_noise: Add noise, by a strength that it learns; the constant one lies in a buffer.
    """

    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        side: tuple[int, int],
        *,
        up: bool = False,
        layer_noise: bool = True,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.side, self.up, self.clamp = side, up, clamp
        self.affine = EqualLinear(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        nn.init.normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.layer_noise = layer_noise
        if layer_noise:
            self.register_buffer("noise_const", nn.init.normal_(torch.empty(side)))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self._kept: dict[str, tuple[object, Tensor]] = {}

    def forward(
        self,
        x: Float[Tensor, "b i h w"],
        w: Float[Tensor, "b w_dim"],
        noise: Float[Tensor, "b 1 h2 w2"] | None = None,
        gain: float = 1.0,
    ) -> Float[Tensor, "b o h2 w2"]:
        """Convolve.

        Args:
            noise: Fresh noise; None adds the constant one.
            gain: Scales the result, and the clamp with it.
        """
        total = LEAKY_GAIN * gain
        styles = self.affine(w)
        energy = self._frozen("energy", energy_of)
        scale = demodulation(energy, styles) * total
        weight = self._frozen("laid out", laid_out_to_go_up) if self.up else self.weight
        form = cheaper_form(x, weight)
        y = modulated_conv2d(x, weight, styles, scale=scale, up=self.up, form=form)
        # not first added to one another: that map would lie across channels-last, and cost 10x
        if self.layer_noise:
            grain = wide(self.noise_const if noise is None else noise)
            y = y.add_((grain * (wide(self.noise_strength) * total)).to(y.dtype))
        y = y.add_((wide(self.bias) * total).to(y.dtype)[:, None, None])
        return leaky(y, None if self.clamp is None else self.clamp * gain)

    def _frozen(self, name: str, make: Callable[[Tensor], Tensor]) -> Tensor:
        """What `make` gives for the weight; kept for as long as nothing learns or changes it.

        Never while training, not even without gradients: fused optimisers change weights and leave
        their `_version` as it was, and a discriminator would be shown pictures of long ago.
        """
        weight = self.weight
        learning = self.training or (torch.is_grad_enabled() and weight.requires_grad)
        if learning or weight.is_inference():
            return make(weight)
        key = (weight.data_ptr(), weight._version, weight.dtype, weight.device)
        kept = self._kept.get(name)
        if kept is None or kept[0] != key:
            self._kept[name] = kept = (key, make(weight.detach()))
        return kept[1]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "StyledConv":
        self._kept.clear()  # moved or cast: an address may come again
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


class ToRGB(nn.Module):
    """Features to a picture: a 1x1 convolution modulated by a style, not demodulated.

    Its weights start at `FIRST_STROKES`, not at 1: the sum over five levels then starts within
    [-1, 1], where frozen features (see `projected`) still have gradients.
    """

    def __init__(
        self, in_channels: int, channels: int, w_dim: int, clamp: float | None = None
    ) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(torch.empty(channels, in_channels, 1, 1))
        nn.init.normal_(self.weight, std=FIRST_STROKES)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = 1 / math.sqrt(in_channels)
        self.clamp = clamp

    def forward(
        self, x: Float[Tensor, "b i h w"], w: Float[Tensor, "b w_dim"]
    ) -> Float[Tensor, "b c h w"]:
        """Project; in float32 at least."""
        b, i, height, width = x.shape
        styles = self.affine(w) * self.scale
        own = (self.weight.flatten(1) * styles[:, None]).to(x.dtype)  # b c i
        # a product in channels-last: no pass over the features for the style
        flat = x.permute(0, 2, 3, 1).reshape(b, height * width, i)
        y = wide(flat @ own.transpose(1, 2)) + wide(self.bias)
        return clamped(y.view(b, height, width, -1).permute(0, 3, 1, 2), self.clamp)


class MinibatchStd(nn.Module):
    """Append how much the pictures of a group differ, as one more feature map.

    The discriminator so sees a lack of variety. A batch that does not split into groups of
    `group_size` is split into the largest smaller ones that fit. Of a team of processes, the batch
    is that of all.
    """

    team: Team = ALONE

    def __init__(self, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c+1 h w"]:
        whole = self.team.gather(wide(x))
        b, c, h, w = whole.shape
        size = next(n for n in range(min(self.group_size, b), 0, -1) if b % n == 0)
        groups = whole.reshape(size, b // size, c, h, w)
        spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        own = self.team.rows(spread.repeat(size))[:, None, None, None].expand(len(x), 1, h, w)
        return torch.cat([x, own.to(x.dtype)], dim=1)
