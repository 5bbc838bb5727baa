"""DCGAN: strided convolutions up from z, and down to a verdict; unconditional or by class.

Source: Radford, Metz, Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", section 3 and figure 1. By class: Mirza & Osindero 2014,
"Conditional Generative Adversarial Nets" (the generator is given the class beside z); the
discriminator judges by projection (Miyato & Koyama 2018, "cGANs with Projection Discriminator").
Module names follow the published PyTorch example, so that its weights fit as they are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.core.weights import Shelf, load_into
from phosphene.families.gan.config import (
    Resolution,
    config_from,
    demand_choice,
    demand_network,
    demand_whole,
    sides_of,
)
from phosphene.families.gan.generator import GANGenerator, generator_of
from phosphene.nn.adversarial import spectrally_normed

Norm = Literal["batch", "spectral", "none"]

LEAST_BASE, MOST_BASE = 4, 16  # px: sides of the first feature map


@dataclass(frozen=True, slots=True, kw_only=True)
class DCGANConfig:
    """Shape of a DCGAN; the defaults are the paper's in the widths of the PyTorch example.

    Args:
        resolution: Side in px, or (height, width); the sides are 4 to 16 times the same power of 2.
        channels: 1 grey, 3 RGB, 4 RGBA.
        num_classes: 0 is unconditional.
        class_dim: Numbers beside z that tell the class.
        width: Channels of the generator's last hidden layer; each one before has twice as many.
        d_width: Channels of the discriminator's first layer; each further one has twice as many.
        max_mult: Largest multiple of both widths.
        d_norm: The discriminator's: "batch" is the paper's, "spectral" is calmer.
    """

    resolution: Resolution = 64
    channels: int = 3
    z_dim: int = 100
    num_classes: int = 0
    class_dim: int = 32
    width: int = 64
    d_width: int = 64
    max_mult: int = 8
    d_norm: Norm = "batch"

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        demand_network("DCGAN", self.num_classes, self.channels)
        for name in ("z_dim", "class_dim", "width", "d_width"):
            demand_whole("DCGAN", name, getattr(self, name), 1, 4096)
        demand_whole("DCGAN", "max_mult", self.max_mult, 1, 64)
        demand_choice("DCGAN", "d_norm", self.d_norm, get_args(Norm))
        _ = self.base

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, px."""
        return sides_of("DCGAN", self.resolution)

    @property
    def base(self) -> tuple[int, int, int]:
        """Height and width of the first feature map, and how often it is doubled.

        Raises:
            RecipeError: the resolution is not a small map doubled a few times.
        """
        height, width = self.sides
        doublings = 0
        while all(side % 2 == 0 and side // 2 >= LEAST_BASE for side in (height, width)):
            height, width, doublings = height // 2, width // 2, doublings + 1
        if doublings == 0 or max(height, width) > MOST_BASE:
            raise RecipeError(
                f"DCGAN resolution {self.sides[0]} x {self.sides[1]} is not a map of {LEAST_BASE} "
                f"to {MOST_BASE} px doubled a few times; 28, 64, 96 or 64 x 96 would do"
            )
        return height, width, doublings

    def mults(self) -> list[int]:
        """Multiples of the width, from the layer nearest to the picture inwards."""
        return [min(2**i, self.max_mult) for i in range(self.base[2])]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DCGANConfig":
        """Rebuild from JSON; see `config_from` for the errors."""
        return config_from(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Generator(nn.Module):
    """z, and the class weights, to pictures in [-1, 1]."""

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.num_classes = config.z_dim, config.num_classes
        self.resolution, self.channels = config.sides, config.channels
        before = config.z_dim
        if config.num_classes:
            self.embedding = nn.Embedding(config.num_classes, config.class_dim)
            before += config.class_dim
        height, width, _ = config.base
        layers: list[nn.Module] = []
        for i, mult in enumerate(reversed(config.mults())):
            after = config.width * mult
            grow = (
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
                if i
                else nn.ConvTranspose2d(before, after, (height, width), bias=False)
            )
            layers += [
                grow,
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
            before = after
        layers += [nn.ConvTranspose2d(before, config.channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(_paper_init)

    def forward(
        self,
        z: Float[Tensor, "b z_dim"],
        classes: Float[Tensor, "b num_classes"] | None = None,
    ) -> Images:
        if classes is not None:
            z = torch.cat([z, classes @ self.embedding.weight], dim=1)
        images: Tensor = self.main(z[:, :, None, None])
        return images

    def latent_weights(self) -> list[Float[Tensor, "_ z_dim"]]:
        """The first layer, as a matrix that takes z."""
        weight = self.main[0].weight
        assert isinstance(weight, Tensor)
        return [weight[: self.z_dim].flatten(1).T]


class Discriminator(nn.Module):
    """Pictures to one logit each; for a conditional one, plus how well the class fits."""

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        height, width, _ = config.base
        before, layers = config.channels, list[nn.Module]()
        for i, mult in enumerate(config.mults()):
            after = config.d_width * mult
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=config.d_norm != "batch")
            layers.append(conv)
            if i and config.d_norm == "batch":  # not on the first layer: section 3
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.main = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(before, 1, (height, width))
        self.apply(_paper_init)
        if config.num_classes:
            self.embedding = nn.Embedding(config.num_classes, before)
            nn.init.normal_(self.embedding.weight, std=0.02)
        if config.d_norm == "spectral":
            spectrally_normed(self)

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, " b"]:
        features = self.main(images)
        logits: Tensor = self.verdict(features).flatten()
        if classes is not None:
            # the mean, not the paper's sum: its scale then does not grow with the base map
            pooled = features.mean(dim=(2, 3))
            logits = logits + (pooled * (classes @ self.embedding.weight)).sum(dim=1)
        return logits


def _paper_init(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 (section 4); norms around one."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> GANGenerator:
    """Build a DCGAN for the zoo, ready to paint.

    Raises:
        CheckpointError: not a DCGAN's config, or tensors of another one.
    """
    network = Generator(DCGANConfig.from_dict(config))
    load_into(network, tensors, "the weight file")
    return generator_of(network, config)
