"""FastGAN: a light generator whose fine layers are gated by coarse ones, for few pictures.

Source: Liu, Zhu, Song, Elgammal 2021, "Towards Faster and Stabilized GAN Training for High-fidelity
Few-shot Image Synthesis": skip-layer excitation (section 3.1, equation 1), and a discriminator that
must also be able to redraw what it sees (section 3.2). Classes enter through the norms, as in
"Projected GANs Converge Faster" (Sauer et al. 2021). The paper's noise layers are left out: the
same latent always gives the same picture.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.core.weights import Shelf, load_into
from phosphene.families.gan.config import (
    Resolution,
    config_from,
    demand_network,
    demand_whole,
    sides_of,
)
from phosphene.families.gan.generator import GANGenerator, generator_of
from phosphene.nn.adversarial import spectrally_normed

LEAST_BASE, MOST_BASE = 4, 8
EXCITED = 16  # a layer is gated by the one that is 16 times as coarse
# Width at 1, 2, 4 ... times the base map, as multiples of `width` (the paper's table).
MULTS = (16, 8, 4, 2, 2, 1, 0.5, 0.25, 0.125)
REDRAWN = 32  # px: most that the discriminator redraws


@dataclass(frozen=True, slots=True, kw_only=True)
class FastGANConfig:
    """Shape of a FastGAN; the defaults are the paper's widths.

    Args:
        resolution: Side in px, or (height, width): 4 to 8 px doubled at least three times.
        channels: 1 grey, 3 RGB, 4 RGBA.
        num_classes: 0 is unconditional.
        width: Channels that the multiples of each level count in.
        d_width: The same for the discriminator of its own.
        max_width: Most channels of a level.
    """

    resolution: Resolution = 256
    channels: int = 3
    z_dim: int = 256
    num_classes: int = 0
    width: int = 64
    d_width: int = 64
    max_width: int = 1024

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        demand_network("FastGAN", self.num_classes, self.channels)
        for name in ("z_dim", "width", "d_width", "max_width"):
            demand_whole("FastGAN", name, getattr(self, name), 4, 8192)
        _ = self.base

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, px."""
        return sides_of("FastGAN", self.resolution)

    @property
    def base(self) -> tuple[int, int, int]:
        """Height and width of the first feature map, and how often it is doubled.

        Raises:
            RecipeError: the resolution is not a small map doubled three to eight times.
        """
        height, width = self.sides
        doublings = 0
        while all(side % 2 == 0 and side // 2 >= LEAST_BASE for side in (height, width)):
            height, width, doublings = height // 2, width // 2, doublings + 1
        if not 3 <= doublings < len(MULTS) or max(height, width) > MOST_BASE:
            raise RecipeError(
                f"FastGAN resolution {self.sides[0]} x {self.sides[1]} is not a map of "
                f"{LEAST_BASE} to {MOST_BASE} px doubled 3 to {len(MULTS) - 1} times; 64, 96 or "
                "128 would do"
            )
        return height, width, doublings

    def widths(self, unit: int) -> list[int]:
        """Channels of each level from the base map on; even, for gated units."""
        levels = self.base[2] + 1
        return [min(self.max_width, max(4, int(unit * m) // 2 * 2)) for m in MULTS[:levels]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FastGANConfig":
        """Rebuild from JSON; see `config_from` for the errors."""
        return config_from(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class ClassNorm(nn.Module):
    """Batch norm; for a conditional network its gain and shift depend on the class weights."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=num_classes == 0)
        if num_classes:
            self.embedding = nn.Embedding(num_classes, 2 * channels)
            nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, x: Tensor, classes: Tensor | None) -> Tensor:
        y: Tensor = self.norm(x)
        if classes is None:
            return y
        gain, shift = (classes @ self.embedding.weight)[:, :, None, None].chunk(2, dim=1)
        return y * (1 + gain) + shift


class Level(nn.Module):
    """Double the map, then one or two gated convolutions."""

    def __init__(self, before: int, after: int, num_classes: int, depth: int) -> None:
        super().__init__()
        widths = [before] + [after] * depth
        self.convs = nn.ModuleList(
            nn.Conv2d(a, 2 * b, 3, padding=1, bias=False) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(ClassNorm(2 * after, num_classes) for _ in self.convs)

    def forward(self, x: Tensor, classes: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.glu(norm(conv(x), classes), dim=1)
        return x


class Excitation(nn.Module):
    """A coarse map gates the channels of a fine one: y = F(x_coarse) * x_fine (equation 1)."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.main = nn.Sequential(
            nn.Conv2d(coarse, fine, 4, bias=False),
            nn.SiLU(),
            nn.Conv2d(fine, fine, 1),
            nn.Sigmoid(),
        )

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        gate: Tensor = self.main(self.pool(coarse))
        return fine * gate


class Generator(nn.Module):
    """z, and the class weights, to pictures in [-1, 1]."""

    def __init__(self, config: FastGANConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim, self.num_classes = config.z_dim, config.num_classes
        self.resolution, self.channels = config.sides, config.channels
        height, width, doublings = config.base
        widths = config.widths(config.width)
        self.start = nn.ConvTranspose2d(config.z_dim, 2 * widths[0], (height, width), bias=False)
        self.start_norm = ClassNorm(2 * widths[0], config.num_classes)
        # the finest level and every other one have one convolution, as in the paper's figure 3
        self.levels = nn.ModuleList(
            Level(widths[i], widths[i + 1], config.num_classes, 2 if i % 2 == 0 else 1)
            for i in range(doublings)
        )
        steps = EXCITED.bit_length() - 1
        self.excitations = nn.ModuleDict(
            {
                str(level): Excitation(widths[level - steps], widths[level])
                for level in range(steps, doublings + 1)
            }
        )
        self.paint = nn.Conv2d(widths[-1], config.channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.orthogonal_(module.weight)

    def forward(
        self,
        z: Float[Tensor, "b z_dim"],
        classes: Float[Tensor, "b num_classes"] | None = None,
    ) -> Images:
        z = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        x = self.start_norm(self.start(z[:, :, None, None]), classes)
        maps = [F.glu(x, dim=1)]
        for number, level in enumerate(self.levels, start=1):
            x = level(maps[-1], classes)
            if str(number) in self.excitations:
                x = self.excitations[str(number)](maps[number - EXCITED.bit_length() + 1], x)
            maps.append(x)
        images: Tensor = torch.tanh(self.paint(maps[-1]))
        return images

    def latent_weights(self) -> list[Float[Tensor, "_ z_dim"]]:
        """The first layer, as a matrix that takes z."""
        return [self.start.weight.flatten(1).T]


class Halving(nn.Module):
    """Half the map along two ways, averaged: two convolutions, and pooling before one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(before, after, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(after, after, 3, 1, 1),
            nn.LeakyReLU(0.2),
        )
        self.direct = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = (self.main(x) + self.direct(x)) / 2
        return y


class Discriminator(nn.Module):
    """Pictures to one logit each; `aside` is how badly it redraws real pictures from its features.

    Spectral norms stand for the paper's batch norms, so that each picture is judged alone; by class
    it judges by projection (Miyato & Koyama 2018).
    """

    def __init__(self, config: FastGANConfig) -> None:
        super().__init__()
        height, width, doublings = config.base
        widths = config.widths(config.d_width)[::-1]
        self.look = nn.Conv2d(config.channels, widths[0], 3, padding=1)
        self.halvings = nn.Sequential(*(Halving(a, b) for a, b in pairwise(widths)))
        self.verdict = nn.Conv2d(widths[-1], 1, (height, width))
        if config.num_classes:
            self.embedding = nn.Embedding(config.num_classes, widths[-1])
        spectrally_normed(self)
        doubled, before = list[nn.Module](), widths[-1]
        for _ in range(min(doublings, (REDRAWN // max(height, width)).bit_length() - 1)):
            after = max(8, before // 4)
            doubled += [
                nn.Upsample(scale_factor=2.0, mode="nearest"),
                nn.Conv2d(before, 2 * after, 3, padding=1),
                nn.GLU(dim=1),
            ]
            before = after
        self.redraw = nn.Sequential(*doubled, nn.Conv2d(before, config.channels, 3, padding=1))

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, " b"]:
        features = self.halvings(self.look(images))
        logits: Tensor = self.verdict(features).flatten()
        if classes is not None:
            pooled = features.mean(dim=(2, 3))
            logits = logits + (pooled * (classes @ self.embedding.weight)).sum(dim=1)
        return logits

    def aside(self, images: Images) -> Float[Tensor, ""]:
        """Mean square error of redrawing real pictures, made small, from the features (equation 4).

        The paper compares perceptually, on crops.
        """
        drawn = torch.tanh(self.redraw(self.halvings(self.look(images))))
        return F.mse_loss(drawn, F.adaptive_avg_pool2d(images, (drawn.shape[2], drawn.shape[3])))


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> GANGenerator:
    """Build a FastGAN for the zoo, ready to paint.

    Raises:
        CheckpointError: not a FastGAN's config, or tensors of another one.
    """
    network = Generator(FastGANConfig.from_dict(config))
    load_into(network, tensors, "the weight file")
    return generator_of(network, config)
