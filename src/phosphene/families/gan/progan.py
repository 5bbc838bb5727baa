"""ProGAN: it learns small pictures first, and grows while it learns.

Source: Karras, Aila, Laine, Lehtinen 2018, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation": growth and fade-in (section 2, figure 2), minibatch standard deviation
(section 3), equalised learning rate and pixel norm (section 4). By class: an embedding beside z,
and a projecting discriminator (Miyato & Koyama 2018) for the paper's AC-GAN.

Pictures always have the full size: while the network is small, they are enlarged. So data, sheets
and discriminator need not know how far it has grown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import isfinite
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.core.team import ALONE, Team
from phosphene.core.weights import Shelf, load_into
from phosphene.families.gan.config import (
    Resolution,
    config_from,
    demand_network,
    demand_whole,
    sides_of,
)
from phosphene.families.gan.generator import GANGenerator, generator_of

LEAST_BASE, MOST_BASE = 4, 8
FADE_SHARE = 0.5  # of the time at a resolution, in which it is faded in
GROUP = 4  # pictures whose deviation is seen together
EPS = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProGANConfig:
    """Shape and growth of a ProGAN.

    Args:
        resolution: Side in px, or (height, width): 4 to 8 px doubled at least once.
        channels: 1 grey, 3 RGB, 4 RGBA.
        num_classes: 0 is unconditional.
        class_dim: Numbers beside z that tell the class.
        width: Most channels of a level.
        base_width: Channels at the base map, were there no limit; halved with each doubling.
        shares: Share of the run spent at each resolution, from the base on, relative to each other;
            empty gives the last one as much as two others.
    """

    resolution: Resolution = 128
    channels: int = 3
    z_dim: int = 512
    num_classes: int = 0
    class_dim: int = 32
    width: int = 512
    base_width: int = 4096
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        demand_network("ProGAN", self.num_classes, self.channels)
        for name in ("z_dim", "class_dim", "width", "base_width"):
            demand_whole("ProGAN", name, getattr(self, name), 1, 65_536)
        levels = self.base[2] + 1
        usable = all(isfinite(share) and share > 0 for share in self.shares)
        if self.shares and (len(self.shares) != levels or not usable):
            raise RecipeError(
                f"ProGAN shares are {str(self.shares)[:60]}; give one above 0 for each of the "
                f"{levels} resolutions, or none"
            )

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, px."""
        return sides_of("ProGAN", self.resolution)

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
                f"ProGAN resolution {self.sides[0]} x {self.sides[1]} is not a map of {LEAST_BASE} "
                f"to {MOST_BASE} px doubled a few times; 64, 96 or 128 would do"
            )
        return height, width, doublings

    def widths(self) -> list[int]:
        """Channels of each level from the base map on."""
        return [max(1, min(self.width, self.base_width >> i)) for i in range(self.base[2] + 1)]

    def stage(self, progress: float) -> tuple[int, float]:
        """Level, and how far it is faded in, after a share of the run."""
        levels = self.base[2] + 1
        shares = self.shares or (1.0,) * (levels - 1) + (2.0,)
        ends = [end / sum(shares) for end in accumulate(shares)]
        level = next((i for i, end in enumerate(ends) if progress < end), levels - 1)
        begin, length = ends[level] - shares[level] / sum(shares), shares[level] / sum(shares)
        fade = (progress - begin) / (FADE_SHARE * length)
        return level, 1.0 if level == 0 else min(1.0, max(0.0, fade))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ProGANConfig":
        """Rebuild from JSON; see `config_from` for the errors."""
        return config_from(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class EvenConv(nn.Module):
    """A convolution whose weights are standard normal, and scaled when they are used.

    So Adam changes all layers at the same pace (section 4.1): w = w' gain / sqrt(fan-in).
    """

    def __init__(self, before: int, after: int, size: int, gain: float = 2.0**0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(after, before, size, size))
        nn.init.normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = gain / (before * size * size) ** 0.5
        self.padding = size // 2 if size % 2 else 0

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class Pair(nn.Module):
    """Two convolutions of a level, each followed by a leaky ReLU; normed in the generator."""

    def __init__(self, before: int, inner: int, after: int, normed: bool) -> None:
        super().__init__()
        self.one, self.two = EvenConv(before, inner, 3), EvenConv(inner, after, 3)
        self.normed = normed

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.one, self.two):
            x = F.leaky_relu(conv(x), 0.2)
            x = pixel_norm(x) if self.normed else x
        return x


def pixel_norm(x: Tensor) -> Tensor:
    """Scale each position's channels to a mean square of one (section 4.2)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPS)


def spread_channel(x: Float[Tensor, "b c h w"], team: Team = ALONE) -> Float[Tensor, "b c+1 h w"]:
    """Append how much features differ within groups of pictures, as one constant channel.

    The discriminator so sees when pictures are alike (section 3). Groups are of 4, or of the whole
    batch (that of all processes) where that does not divide.
    """
    whole = team.gather(x.float())
    b, c, h, w = whole.shape
    group = GROUP if b % GROUP == 0 else b
    grouped = whole.view(group, b // group, c, h, w)
    deviation = (grouped.var(dim=0, unbiased=False) + EPS).sqrt().mean(dim=(1, 2, 3))
    channel = team.rows(deviation.repeat(group)).view(-1, 1, 1, 1).expand(len(x), 1, h, w)
    return torch.cat([x, channel.to(x.dtype)], dim=1)


class _Growing(nn.Module):
    """What both networks share: how far they have grown. Fully, until told otherwise."""

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__()
        self.config = config
        self.level, self.fade = config.base[2], 1.0

    def grow(self, progress: float) -> None:
        """Go to where the network is after a share of the run."""
        self.level, self.fade = self.config.stage(progress)


class Generator(_Growing):
    """z, and the class weights, to pictures in about [-1, 1], always of the full size."""

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__(config)
        self.z_dim, self.num_classes = config.z_dim, config.num_classes
        self.resolution, self.channels = config.sides, config.channels
        height, width, doublings = config.base
        before = config.z_dim
        if config.num_classes:
            self.embedding = nn.Embedding(config.num_classes, config.class_dim)
            before += config.class_dim
        widths = config.widths()
        self.start = EvenConv(before, widths[0] * height * width, 1, gain=2.0**0.5 / 4)
        self.first = EvenConv(widths[0], widths[0], 3)
        self.levels = nn.ModuleList(
            Pair(widths[i], widths[i + 1], widths[i + 1], normed=True) for i in range(doublings)
        )
        self.paint = nn.ModuleList(EvenConv(w, config.channels, 1, gain=1.0) for w in widths)

    def forward(
        self,
        z: Float[Tensor, "b z_dim"],
        classes: Float[Tensor, "b num_classes"] | None = None,
    ) -> Images:
        if classes is not None:
            z = torch.cat([z, classes @ self.embedding.weight], dim=1)
        height, width, doublings = self.config.base
        x = self.start(pixel_norm(z)[:, :, None, None]).view(len(z), -1, height, width)
        x = _active(self.first(_active(x)))
        before = x
        for pair in self.levels[: self.level]:
            before, x = x, F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = pair(x)
        images = self.paint[self.level](x)
        if self.fade < 1:
            small = self.paint[self.level - 1](before)
            images = torch.lerp(_doubled(small, 1), images, self.fade)
        return _doubled(images, doublings - self.level)

    def latent_weights(self) -> list[Float[Tensor, "_ z_dim"]]:
        """The first layer, as a matrix that takes z."""
        return [self.start.weight[:, : self.z_dim, 0, 0] * self.start.scale]


class Discriminator(_Growing):
    """Pictures of the full size to one logit each; it looks at them as small as it has grown."""

    team: Team = ALONE

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__(config)
        height, width, doublings = config.base
        widths = config.widths()
        self.look = nn.ModuleList(EvenConv(config.channels, w, 1) for w in widths)
        self.levels = nn.ModuleList(
            Pair(widths[i + 1], widths[i + 1], widths[i], normed=False) for i in range(doublings)
        )
        self.last = EvenConv(widths[0] + 1, widths[0], 3)
        self.whole = EvenConv(widths[0] * height * width, widths[0], 1)
        self.verdict = EvenConv(widths[0], 1, 1, gain=1.0)
        if config.num_classes:
            self.embedding = nn.Embedding(config.num_classes, widths[0])
            self.embedding_scale = widths[0] ** -0.5

    def match(self, images: Images) -> Images:
        """Real pictures as coarse as those painted now, so that detail does not give them away."""
        halvings = self.config.base[2] - self.level
        seen = _halved(images, halvings)
        if self.fade < 1:
            seen = torch.lerp(_doubled(_halved(seen, 1), 1), seen, self.fade)
        return _doubled(seen, halvings)

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, " b"]:
        seen = _halved(images, self.config.base[2] - self.level)
        x = F.leaky_relu(self.look[self.level](seen), 0.2)
        for number in reversed(range(self.level)):
            x = F.avg_pool2d(self.levels[number](x), 2)
            if self.fade < 1 and number == self.level - 1:
                small = F.leaky_relu(self.look[number](_halved(seen, 1)), 0.2)
                x = torch.lerp(small, x, self.fade)
        x = F.leaky_relu(self.last(spread_channel(x, self.team)), 0.2)
        x = F.leaky_relu(self.whole(x.flatten(1)[:, :, None, None]), 0.2)
        logits: Tensor = self.verdict(x).flatten()
        if classes is not None:
            fit = classes @ self.embedding.weight
            logits = logits + (x[:, :, 0, 0] * fit).sum(dim=1) * self.embedding_scale
        return logits


def _active(x: Tensor) -> Tensor:
    return pixel_norm(F.leaky_relu(x, 0.2))


def _doubled(images: Tensor, times: int) -> Tensor:
    return F.interpolate(images, scale_factor=2.0**times, mode="nearest") if times else images


def _halved(images: Tensor, times: int) -> Tensor:
    return F.avg_pool2d(images, 2**times) if times else images


def build(tensors: Mapping[str, Tensor], config: Mapping[str, Any], _shelf: Shelf) -> GANGenerator:
    """Build a ProGAN for the zoo, ready to paint.

    Raises:
        CheckpointError: not a ProGAN's config, or tensors of another one.
    """
    network = Generator(ProGANConfig.from_dict(config))
    load_into(network, tensors, "the weight file")
    return generator_of(network, config)
