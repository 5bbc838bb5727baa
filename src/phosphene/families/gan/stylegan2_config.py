"""Shapes of StyleGAN2, and the configurations that were published.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", and Karras et
al. 2020, "Training Generative Adversarial Networks with Limited Data" (ADA), appendix D.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, get_args

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.families.gan.config import (
    Resolution,
    config_from,
    demand_choice,
    demand_network,
    demand_whole,
    sides_of,
)

Architecture = Literal["skip", "residual", "plain"]

FAMILY = "StyleGAN2"
LEAST_BASE = 4  # px: the shorter side of the constant the picture grows from
MOST_BASE = 16
WIDE_FROM = 512  # px: from here on "auto" takes the paper's full width


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleGAN2Config:
    """Shape of a StyleGAN2; the defaults are configuration F of the paper, at 256 px.

    A level whose feature map is 2^k times the first one has
    `min(channel_base / (4 * 2^k), channel_max)` channels.

    Args:
        resolution: Side in px, or (height, width); both the same power of 2 times 4 to 16.
        channels: 1 grey, 3 RGB, 4 RGBA.
        num_classes: 0 is unconditional.
        mapping_layers: Dense layers from z to w: 8 in the paper, 2 in ADA's smaller ones.
        mapping_lr: How much slower than the rest they learn.
        w_avg_beta: Decay of the running mean of w, per tracked batch.
        architecture: Of the generator: "skip" adds up an RGB picture from all levels, "residual"
            adds up features, "plain" does neither.
        d_architecture: Of the discriminator, likewise.
        d_channel_base: Of the discriminator; None is as the generator's.
        d_mapping_layers: Layers that prepare the class for the discriminator's projection.
        layer_noise: Add noise in each layer.
        conv_clamp: Bound of features, which keeps half precision finite; None for no bound. It is
            part of the function that a published network computes.
        group_size: Pictures whose deviation the discriminator sees together; see `MinibatchStd`.
    """

    resolution: Resolution = 256
    channels: int = 3
    z_dim: int = 512
    w_dim: int = 512
    num_classes: int = 0
    mapping_layers: int = 8
    mapping_lr: float = 0.01
    w_avg_beta: float = 0.995
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Architecture = "skip"
    layer_noise: bool = True
    conv_clamp: float | None = None
    d_architecture: Architecture = "residual"
    d_channel_base: int | None = None
    d_mapping_layers: int = 8
    group_size: int = 4

    def __post_init__(self) -> None:
        """Check the ranges, since configs come from files.

        Raises:
            RecipeError: names the field, its value and the range.
        """
        demand_network(FAMILY, self.num_classes, self.channels)
        for name in ("z_dim", "w_dim", "channel_max"):
            demand_whole(FAMILY, name, getattr(self, name), 1, 4096)
        for name in ("mapping_layers", "d_mapping_layers"):
            demand_whole(FAMILY, name, getattr(self, name), 1, 64)
        for name in ("channel_base", "d_channel_base"):
            if getattr(self, name) is not None or name == "channel_base":
                demand_whole(FAMILY, name, getattr(self, name), 1, 2**24)
        demand_whole(FAMILY, "group_size", self.group_size, 1, 4096)
        for name in ("architecture", "d_architecture"):
            demand_choice(FAMILY, name, getattr(self, name), get_args(Architecture))
        demand_choice(FAMILY, "layer_noise", self.layer_noise, (True, False))
        _demand_between("mapping_lr", self.mapping_lr, 1e-6, 1.0)
        _demand_between("w_avg_beta", self.w_avg_beta, 0.0, 1.0)
        if self.conv_clamp is not None:
            _demand_between("conv_clamp", self.conv_clamp, 1e-3, 1e6)
        for d in (False, True):
            if min(self.widths(d)) < 1:
                raise RecipeError(
                    f"{FAMILY} channel_base {self._base_of(d)} leaves no channels at "
                    f"{max(self.sides)} px; use at least {4 << (len(self.levels) - 1)}"
                )

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the pictures, px."""
        return sides_of(FAMILY, self.resolution)

    @property
    def levels(self) -> list[tuple[int, int]]:
        """Height and width of the feature maps, from the constant to the picture.

        Raises:
            RecipeError: the resolution is not a small map doubled a few times.
        """
        found = [self.sides]
        while all(side % 2 == 0 and side >= 2 * LEAST_BASE for side in found[0]):
            height, width = found[0]
            found.insert(0, (height // 2, width // 2))
        if len(found) == 1 or max(found[0]) > MOST_BASE:
            raise RecipeError(
                f"{FAMILY} resolution {self.sides[0]} x {self.sides[1]} is not a map of "
                f"{LEAST_BASE} to {MOST_BASE} px doubled a few times; "
                "64, 96, 256 or 64 x 96 would do"
            )
        return found

    def widths(self, discriminator: bool = False) -> list[int]:
        """Channels of each level, from the constant to the picture."""
        base = self._base_of(discriminator)
        return [min(base // (4 << i), self.channel_max) for i in range(len(self.levels))]

    def _base_of(self, discriminator: bool) -> int:
        own = self.d_channel_base if discriminator else None
        return self.channel_base if own is None else own

    @property
    def num_ws(self) -> int:
        """Styles a picture takes: one for each convolution, one for the last to-RGB."""
        return 2 * len(self.levels)

    @classmethod
    def named(cls, name: str, **changes: Any) -> "StyleGAN2Config":
        """A published configuration, with changes.

        Args:
            name: "stylegan2" (the paper's F), "paper256", "paper512", "paper1024", "cifar",
                "auto" (all from ADA), or "small", our own for 64 to 128 px on a CPU.
        Raises:
            RecipeError: no such configuration, or changes out of range.
        """
        if name not in NAMED:
            raise RecipeError(
                f"no StyleGAN2 configuration {name[:40]!r}{did_you_mean(name, NAMED)}; "
                f"known: {', '.join(NAMED)}"
            )
        values = {**NAMED[name], **changes}
        if name == "auto" and "channel_base" not in changes:
            side = max(sides_of(FAMILY, values.get("resolution", 256)))
            values["channel_base"] = 32768 if side >= WIDE_FROM else 16384
        try:
            return cls(**values)
        except TypeError as error:
            reason = " ".join(str(error).split())[:300]
            raise RecipeError(f"not a StyleGAN2 configuration: {reason}") from None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StyleGAN2Config":
        """Rebuild from JSON; see `config_from` for the errors."""
        return config_from(cls, values)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _demand_between(name: str, value: object, lowest: float, highest: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isfinite(value) or not lowest <= value <= highest:  # type: ignore[operator,arg-type]
        raise RecipeError(
            f"{FAMILY} {name} is {str(value)[:40]}; it must be a number from {lowest} to {highest}"
        )


_ADA: Mapping[str, Any] = {"conv_clamp": 256.0}
NAMED: Mapping[str, Mapping[str, Any]] = {
    "stylegan2": {**_ADA},
    "paper256": {**_ADA, "channel_base": 16384, "group_size": 8},
    "paper512": {**_ADA, "resolution": 512, "group_size": 8},
    "paper1024": {**_ADA, "resolution": 1024},
    "cifar": {
        **_ADA,
        "resolution": 32,
        "mapping_layers": 2,
        "group_size": 32,
        "d_architecture": "plain",
    },
    "auto": {**_ADA, "mapping_layers": 2},
    "small": {
        "resolution": 64,
        "z_dim": 128,
        "w_dim": 128,
        "mapping_layers": 4,
        "d_mapping_layers": 2,
        "channel_base": 2048,
        "channel_max": 128,
    },
}
