"""StyleGAN2's discriminator: pictures to one logit each.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", figure 7c and
section 4.1 (residual is what is published); classes are judged by projection (Miyato & Koyama
2018, "cGANs with Projection Discriminator"), as in Karras et al. 2020 (ADA), appendix B.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.images import Images
from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.families.gan.stylegan2_layers import MappingNetwork, MinibatchStd
from phosphene.nn.equalised import EqualConv2d, EqualLinear
from phosphene.nn.layers import channels_last
from phosphene.nn.resample import halve

HALF = math.sqrt(0.5)  # so that the sum of two branches keeps unit variance


class DiscriminatorBlock(nn.Module):
    """One level: a convolution, and another one to half the size."""

    def __init__(self, config: StyleGAN2Config, level: int) -> None:
        super().__init__()
        widths = config.widths(discriminator=True)
        width, after = widths[level], widths[level - 1]
        active: dict[str, Any] = {"activate": True, "clamp": config.conv_clamp}
        self.architecture = config.d_architecture
        if level == len(widths) - 1 or self.architecture == "skip":
            self.fromrgb = EqualConv2d(config.channels, width, 1, **active)
        self.conv0 = EqualConv2d(width, width, 3, **active)
        self.conv1 = EqualConv2d(width, after, 3, down=True, **active)
        if self.architecture == "residual":
            self.skip = EqualConv2d(width, after, 1, bias=False, down=True)

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Features and picture of the level above to those of the next one below."""
        if image is not None:
            seen = self.fromrgb(image)
            x = seen if x is None else x + seen
            image = halve(image) if self.architecture == "skip" else None
        assert x is not None
        if self.architecture == "residual":
            beside = self.skip(x, HALF)
            x = beside.add_(self.conv1(self.conv0(x), HALF))
        else:
            x = self.conv1(self.conv0(x))
        assert x is not None
        return x, image


class Verdict(nn.Module):
    """The last level: minibatch deviation, a convolution, two dense layers.

    Args:
        out_features: 1, or as many as the class is projected on.
    """

    def __init__(self, config: StyleGAN2Config, out_features: int) -> None:
        super().__init__()
        width = config.widths(discriminator=True)[0]
        height, breadth = config.levels[0]
        clamp = config.conv_clamp
        if config.d_architecture == "skip":
            self.fromrgb = EqualConv2d(config.channels, width, 1, activate=True)
        self.spread = MinibatchStd(config.group_size)
        self.conv = EqualConv2d(width + 1, width, 3, activate=True, clamp=clamp)
        self.fc = EqualLinear(width * height * breadth, width, activate=True)
        self.out = EqualLinear(width, out_features)

    def forward(self, x: Tensor, image: Tensor | None) -> Float[Tensor, "b o"]:
        if image is not None:
            x = x + self.fromrgb(image)
        x = self.conv(self.spread(x))
        verdict: Tensor = self.out(self.fc(x.flatten(1)))
        return verdict


class Discriminator(nn.Module):
    """Pictures to one logit each, float32: high for real ones."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config, self.num_classes = config, config.num_classes
        self.blocks: list[str] = []
        for level in reversed(range(1, len(config.levels))):
            self.add_module(f"b{4 << level}", DiscriminatorBlock(config, level))
            self.blocks.append(f"b{4 << level}")
        projected = config.widths(discriminator=True)[0] if config.num_classes else 1
        if config.num_classes:
            self.mapping = MappingNetwork(
                0, config.num_classes, projected, config.d_mapping_layers, config.mapping_lr
            )
        self.b4 = Verdict(config, projected)
        channels_last(self)

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, " b"]:
        image: Tensor | None = images.to(self.dtype, memory_format=torch.channels_last)
        x: Tensor | None = None
        for name in self.blocks:
            x, image = self.get_submodule(name)(x, image)
        verdict: Tensor = self.b4(x, image)
        if self.num_classes:
            wanted = self.mapping(None, classes)
            verdict = (verdict * wanted).sum(1, keepdim=True) / math.sqrt(wanted.shape[1])
        return verdict[:, 0]

    @property
    def dtype(self) -> torch.dtype:
        return self.b4.conv.weight.dtype
