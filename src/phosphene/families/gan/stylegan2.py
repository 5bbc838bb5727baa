"""StyleGAN2's generator: a mapping network from z to styles, a synthesis network they modulate.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", figures 2d and
7; the configurations are those of ADA, see `stylegan2_config`. Names of tensors follow the
published PyTorch weights. Derivatives of any order work, as path length regularisation and R1 need
them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.images import Images
from phosphene.core.weights import Shelf, load_into
from phosphene.families.gan.generator import GANGenerator, generator_of
from phosphene.families.gan.stylegan2_config import Architecture, StyleGAN2Config
from phosphene.families.gan.stylegan2_layers import MappingNetwork, StyledConv, ToRGB
from phosphene.nn.equalised import EqualConv2d, EqualLinear
from phosphene.nn.layers import channels_last
from phosphene.nn.resample import double

HALF = math.sqrt(0.5)  # so that the sum of two branches keeps unit variance


class SynthesisBlock(nn.Module):
    """One level: to twice the size, a second convolution, and a picture where one is asked for.

    The first block has no input but a constant.
    """

    def __init__(self, config: StyleGAN2Config, level: int) -> None:
        super().__init__()
        c, side, widths = config, config.levels[level], config.widths()
        width = widths[level]
        self.architecture: Architecture = c.architecture
        self.first, last = level == 0, level == len(widths) - 1
        styled: dict[str, Any] = {"layer_noise": c.layer_noise, "clamp": c.conv_clamp}
        if self.first:
            self.const = nn.Parameter(torch.empty(width, *side))
            nn.init.normal_(self.const)
        else:
            before = widths[level - 1]
            self.conv0 = StyledConv(before, width, c.w_dim, side, up=True, **styled)
            if c.architecture == "residual":
                self.skip = EqualConv2d(before, width, 1, bias=False)
        self.conv1 = StyledConv(width, width, c.w_dim, side, **styled)
        self.paints = last or c.architecture == "skip"
        if self.paints:
            self.torgb = ToRGB(width, c.channels, c.w_dim, c.conv_clamp)

    @property
    def num_convs(self) -> int:
        return 1 if self.first else 2

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        ws: Float[Tensor, "b num w_dim"],
        noise: Iterator[Tensor | None],
    ) -> tuple[Tensor, Tensor | None]:
        """Features and picture of the level before to those of this one.

        Args:
            ws: The block's own styles, and one more for the picture.
        """
        styles = iter(ws.unbind(1))
        if x is None:
            x = self.const[None].expand(len(ws), -1, -1, -1)
            x = x.contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, next(styles), next(noise))
        elif self.architecture == "residual":
            beside = double(self.skip(x, HALF))
            x = self.conv0(x, next(styles), next(noise))
            x = beside + self.conv1(x, next(styles), next(noise), HALF)
        else:
            x = self.conv0(x, next(styles), next(noise))
            x = self.conv1(x, next(styles), next(noise))
        assert x is not None
        if self.paints:
            painted = self.torgb(x, next(styles))
            image = painted if image is None else double(image) + painted
        return x, image


class Synthesis(nn.Module):
    """Styles to a picture."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.blocks: list[str] = []
        for level in range(len(config.levels)):
            name = f"b{4 << level}"  # as published; of square pictures, the side
            self.add_module(name, SynthesisBlock(config, level))
            self.blocks.append(name)

    def forward(
        self, ws: Float[Tensor, "b num_ws w_dim"], noise: Sequence[Tensor] | None = None
    ) -> Images:
        """Paint, in about [-1, 1], float32, not clipped.

        Args:
            noise: One b 1 h w for each convolution, see `Generator.noise_shapes`; None adds the
                constant noise, so that the same styles give the same picture.
        """
        grains: Iterator[Tensor | None] = iter(noise) if noise is not None else _none()
        x: Tensor | None = None
        image: Tensor | None = None
        start = 0
        for name in self.blocks:
            block = self.get_submodule(name)
            assert isinstance(block, SynthesisBlock)
            count = block.num_convs
            x, image = block(x, image, ws[:, start : start + count + 1], grains)
            start += count
        assert image is not None
        return image


class Generator(nn.Module):
    """A styled network: `forward` is `synthesis` of `mapping`, the same w for each layer.

    `w_avg` is the running mean of w, which training keeps through `track`.
    """

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        c = self.config = config
        self.z_dim, self.w_dim, self.num_ws = c.z_dim, c.w_dim, c.num_ws
        self.num_classes, self.channels, self.resolution = c.num_classes, c.channels, c.sides
        self.mapping = MappingNetwork(
            c.z_dim, c.num_classes, c.w_dim, c.mapping_layers, c.mapping_lr
        )
        self.synthesis = Synthesis(c)
        self.register_buffer("w_avg", torch.zeros(c.w_dim))
        channels_last(self)

    def forward(
        self,
        z: Float[Tensor, "b z_dim"],
        classes: Float[Tensor, "b num_classes"] | None = None,
    ) -> Images:
        w = self.mapping(z, classes)
        images: Tensor = self.synthesis(w[:, None].expand(-1, self.num_ws, -1))
        return images

    def noise_shapes(self) -> list[tuple[int, int]]:
        """Height and width of each layer's noise, in the order `synthesis` takes them."""
        first, *rest = self.config.levels
        return [first, *(side for side in rest for _ in range(2))]

    def latent_weights(self) -> list[Float[Tensor, "_ w_dim"]]:
        """What takes w: the style of each convolution, and of the last picture."""
        affine: list[EqualLinear] = []
        last: ToRGB | None = None
        for name in self.synthesis.blocks:
            block = self.synthesis.get_submodule(name)
            for layer in block.children():
                if isinstance(layer, StyledConv):
                    affine.append(layer.affine)
                elif isinstance(layer, ToRGB):
                    last = layer
        assert last is not None
        return [layer.weight * layer.scale for layer in (*affine, last.affine)]

    @torch.no_grad()
    def track(self, w: Float[Tensor, "b w_dim"]) -> None:
        """Move the running mean towards the mean of a training batch's w."""
        mean = w.detach().mean(0).to(self.w_avg.dtype)
        self.w_avg.lerp_(mean, 1 - self.config.w_avg_beta)


def _none() -> Iterator[None]:
    while True:
        yield None


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> GANGenerator:
    """Build a StyleGAN2 for the zoo, ready to paint.

    Raises:
        CheckpointError: not a StyleGAN2's config, or tensors of another one.
    """
    network = Generator(StyleGAN2Config.from_dict(config))
    load_into(network, tensors, "the weight file")
    return generator_of(network, config)
