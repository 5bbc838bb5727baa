"""Shapes of BigGAN and BigGAN-deep, the published ones among them.

Source: Brock, Donahue, Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image
Synthesis" (arXiv:1809.11096), appendix B, tables 4 to 9.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from phosphene.core.errors import RecipeError
from phosphene.families.gan.config import (
    Resolution,
    config_from,
    demand_choice,
    demand_network,
    demand_whole,
    sides_of,
)

_HIGHEST = {"width": 2048, "embed_dim": 65_536, "z_dim": 65_536, "depth": 16, "norm_rows": 1024}
_MAX_STAGES = 10
_MAX_WIDTH = 65_536
# appendix B, tables 4 to 9: multiples of the width, and the length of z of BigGAN
_MULTS = {
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
_Z_DIM = {128: 120, 256: 140, 512: 160}


@dataclass(frozen=True, slots=True, kw_only=True)
class BigGANConfig:
    """Shape of a BigGAN; the defaults are the paper's for 128 px. `published` gives all of its.

    Args:
        resolution: One side in px, or height and width; doubles with each stage.
        channels: Of the pictures: 1 grey, 3 RGB, 4 RGBA.
        num_classes: 0 is unconditional.
        z_dim: Length of z. A hierarchical BigGAN splits it into one piece for the first layer and
            one for each block.
        embed_dim: Length of the class embedding that all norms share; 0 gives the class weights
            to each norm, without a shared embedding.
        width: Channels that the multiples count in.
        channel_mults: Width at the first layer, and after each stage.
        attention_resolutions: Heights in px after whose stage there is self-attention.
        deep: BigGAN-deep: bottleneck blocks, and the whole of z and embedding given to each.
        depth: Blocks in a stage; the last one doubles. The paper has 1, and 2 for BigGAN-deep.
        hierarchical: z reaches the blocks, and not just the first layer.
        norm_rows: Truncations that averages of the norms are kept for; 1 is ordinary batch norm.
        norm_eps: Added to variances.
    """

    resolution: Resolution = 128
    channels: int = 3
    num_classes: int = 1000
    z_dim: int = 120
    embed_dim: int = 128
    width: int = 96
    channel_mults: tuple[int, ...] = (16, 16, 8, 4, 2, 1)
    attention_resolutions: tuple[int, ...] = (64,)
    deep: bool = False
    depth: int = 1
    hierarchical: bool = True
    norm_rows: int = 1
    norm_eps: float = 1e-5

    @classmethod
    def published(cls, resolution: int, deep: bool = False) -> "BigGANConfig":
        """The paper's network for ImageNet at 128, 256 or 512 px.

        Raises:
            RecipeError: another resolution.
        """
        demand_choice("BigGAN", "resolution", resolution, tuple(_MULTS))
        shape = cls(
            resolution=resolution,
            z_dim=_Z_DIM[resolution],
            channel_mults=_MULTS[resolution],
        )
        if not deep:
            return shape
        return replace(shape, z_dim=128, width=128, deep=True, depth=2, norm_rows=51, norm_eps=1e-4)

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        sides_of("BigGAN", self.resolution)
        demand_network("BigGAN", self.num_classes, self.channels)
        for name, highest in _HIGHEST.items():
            lowest = 0 if name == "embed_dim" else 1
            demand_whole("BigGAN", name, getattr(self, name), lowest, highest)
        for name in ("deep", "hierarchical"):
            demand_choice("BigGAN", name, getattr(self, name), (False, True))
        if not isinstance(self.norm_eps, float) or not 0 < self.norm_eps <= 1:
            raise RecipeError(f"BigGAN norm_eps is {str(self.norm_eps)[:20]}; give 0 < eps <= 1")
        self._check_stages()
        self._check_condition()

    def _check_stages(self) -> None:
        for name in ("channel_mults", "attention_resolutions"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) > _MAX_STAGES + 1:
                raise RecipeError(f"BigGAN {name} is not a list of at most {_MAX_STAGES + 1}")
            for value in values:
                demand_whole("BigGAN", name, value, 1, 4096)
        if len(self.channel_mults) < 2:
            raise RecipeError("BigGAN channel_mults is too short; it needs two numbers at least")
        factor = 1 << (len(self.channel_mults) - 1)
        if any(side % factor for side in self.sides):
            raise RecipeError(
                f"BigGAN resolution {self.resolution} is not a multiple of {factor}, which "
                f"{len(self.channel_mults)} channel_mults make; change either"
            )
        if max(self.channel_mults) * self.width > _MAX_WIDTH:
            raise RecipeError(f"BigGAN has layers beyond {_MAX_WIDTH:,} channels")
        missing = set(self.attention_resolutions) - set(self.stage_heights)
        if missing:
            raise RecipeError(
                f"BigGAN attention_resolutions has {min(missing)}; stages end at heights "
                f"{', '.join(map(str, self.stage_heights))}"
            )
        narrow = [w for w, h in zip(self.widths[1:], self.stage_heights, strict=True)
                  if h in self.attention_resolutions and w % 8]  # fmt: skip
        if narrow:
            raise RecipeError(
                f"BigGAN attention over {narrow[0]} channels; they must be a multiple of 8"
            )
        if self.deep and any(before < after for before, after in pairwise(self.channel_mults)):
            raise RecipeError(
                "BigGAN-deep channel_mults must not rise, for shortcuts drop channels"
            )
        if self.deep and any(width % 4 for width in self.widths):
            raise RecipeError("BigGAN-deep needs widths that are multiples of 4")

    def _check_condition(self) -> None:
        if self.deep and not self.hierarchical:
            raise RecipeError("BigGAN-deep is always hierarchical; leave hierarchical at true")
        if self.hierarchical and not self.deep and self.z_dim % self.num_pieces:
            raise RecipeError(
                f"BigGAN z_dim is {self.z_dim}; {self.num_pieces} equal pieces of z need a "
                "multiple of that"
            )
        if not self.condition_dim:
            raise RecipeError(
                "BigGAN without classes must be hierarchical: its norms need an input"
            )

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, px."""
        return sides_of("BigGAN", self.resolution)

    @property
    def bottom(self) -> tuple[int, int]:
        """Height and width of the first feature map."""
        stages = len(self.channel_mults) - 1
        height, width = self.sides
        return height >> stages, width >> stages

    @property
    def stage_heights(self) -> list[int]:
        """Height in px after each stage."""
        return [self.bottom[0] << (i + 1) for i in range(len(self.channel_mults) - 1)]

    @property
    def widths(self) -> list[int]:
        """Channels at the first layer and after each stage."""
        return [self.width * mult for mult in self.channel_mults]

    @property
    def label_dim(self) -> int:
        """Length of what stands for the class."""
        return (self.embed_dim or self.num_classes) if self.num_classes else 0

    @property
    def num_pieces(self) -> int:
        """Pieces of z: the first layer's, and one for each block."""
        return 1 + (len(self.channel_mults) - 1) * self.depth

    @property
    def piece_dim(self) -> int:
        """Length of a block's piece of z."""
        return self.z_dim // self.num_pieces

    @property
    def first_dim(self) -> int:
        """Length of the first layer's input."""
        if self.deep:
            return self.condition_dim
        return self.piece_dim if self.hierarchical else self.z_dim

    @property
    def condition_dim(self) -> int:
        """Length of the input of the norms."""
        if self.deep:
            return self.z_dim + self.label_dim
        return self.label_dim + (self.piece_dim if self.hierarchical else 0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BigGANConfig":
        """Rebuild from JSON, where tuples became lists.

        Raises:
            CheckpointError: an unknown field, or a value out of range.
        """
        return config_from(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
