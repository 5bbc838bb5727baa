"""A discriminator that judges a frozen network's features: far fewer pictures until GANs look good.

Source: Sauer, Chitta, Müller, Geiger 2021, "Projected GANs Converge Faster". Features at several
scales are mixed across channels and scales by random, fixed convolutions (section 3.2), and each
scale has a small head of its own (section 3.1, equation 4). By class: projection (Miyato & Koyama
2018). Group norms stand for the paper's batch norms, so that each picture is judged alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images
from phosphene.nn.adversarial import spectrally_normed
from phosphene.nn.features import TAP_CHANNELS
from phosphene.nn.layers import channels_last, norm

MOST_HEADS = 4
LEAST_SIDE = 4  # px: feature maps are brought down to this, then judged
LARGE = 128  # px: from this side on, features start at stride 4, below at 2
CLASS_DIM = 64


@runtime_checkable
class Features(Protocol):
    """A frozen network's feature maps, from fine to coarse, each half as large as the last."""

    def __call__(self, images: Images, num_maps: int) -> Sequence[Tensor]: ...


class Mixing(nn.Module):
    """Random, fixed mixing of features across channels and from coarse scales to fine ones.

    Kaiming-initialised 1x1 convolutions mix channels; from the coarsest scale on, 3x3 convolutions
    and bilinear doubling carry each scale's result to the next finer one, where it is added.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.across = nn.ModuleList(
            nn.Conv2d(before, after, 1, bias=False)
            for before, after in zip(channels, widths, strict=True)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1, bias=False) for fine, coarse in pairwise(widths)
        )
        for conv in (*self.across, *self.down):
            nn.init.kaiming_normal_(conv.weight)
        self.requires_grad_(False)

    def forward(self, maps: Sequence[Tensor]) -> list[Float[Tensor, "_b _c _h _w"]]:
        mixed = [conv(x) for conv, x in zip(self.across, maps, strict=True)]
        for level in reversed(range(len(mixed) - 1)):
            carried = self.down[level](mixed[level + 1])
            fine = mixed[level]
            carried = F.interpolate(
                carried, size=fine.shape[-2:], mode="bilinear", align_corners=False
            )
            mixed[level] = (fine + carried) * 0.5**0.5
        return mixed


class Head(nn.Module):
    """Features of one scale to logits: halved down to 4 px, then one 4x4 convolution."""

    def __init__(self, width: int, halvings: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = width
        for _ in range(halvings):
            after = min(2 * before, 256)
            layers += [nn.Conv2d(before, after, 4, 2, 1), norm(after), nn.LeakyReLU(0.2)]
            before = after
        layers += [nn.Conv2d(before, before, 3, 1, 1), norm(before), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(before, CLASS_DIM if num_classes else 1, 4)
        if num_classes:
            self.embedding = nn.Embedding(num_classes, CLASS_DIM)
        spectrally_normed(self)

    def forward(self, x: Tensor, classes: Tensor | None) -> Float[Tensor, "b n"]:
        seen = self.main(x)
        if min(seen.shape[-2:]) < LEAST_SIDE:
            height, width = (max(side, LEAST_SIDE) for side in seen.shape[-2:])
            seen = F.interpolate(seen, size=(height, width), mode="nearest")
        verdict: Tensor = self.verdict(seen).flatten(2)  # b d n
        if classes is not None:
            fit = classes @ self.embedding.weight
            verdict = (verdict * fit[:, :, None]).sum(dim=1, keepdim=True)
        return verdict[:, 0]


class ProjectedDiscriminator(nn.Module):
    """Pictures to the logits of all heads, b n.

    Grey pictures are judged as RGB; RGBA ones twice, on white and on black.

    Args:
        features: The frozen network; it is not among this module's parameters.
        num_heads: Scales that are judged, from the finest.
        width: Channels of the mixed features at the finest scale; doubled with each coarser one.
        size: Side in px that pictures are scaled to (the longer one); 0 leaves them as they are.
        resolution: Height and width of the pictures, which sets the heads' depth.
    Raises:
        RecipeError: numbers out of range, or pictures too small for the heads.
    """

    def __init__(
        self,
        features: Features,
        resolution: tuple[int, int],
        *,
        num_classes: int = 0,
        num_heads: int = 4,
        width: int = 64,
        size: int = 0,
    ) -> None:
        super().__init__()
        if not 1 <= num_heads <= MOST_HEADS:
            raise RecipeError(f"projected_heads is {num_heads}; it must be from 1 to {MOST_HEADS}")
        if not 4 <= width <= 512 or (size and not 32 <= size <= 512):
            raise RecipeError(
                f"projected_width is {width} and projected_size {size}; use 4 to 512, and 0 or 32 "
                "to 512 px"
            )
        self._frozen = [features]  # in a list: not a part, not saved, not trained
        self.scale = size / max(resolution) if size else 1.0
        seen = [round(side * self.scale) for side in resolution]
        if min(seen) < 32:
            raise RecipeError(
                f"pictures of {seen[0]} x {seen[1]} px are too small for pretrained features; "
                "set projected_size to 64 or more"
            )
        self.first = 1 if min(seen) >= LARGE else 0
        self.num_maps = self.first + num_heads
        widths = [min(width * 2**i, 512) for i in range(num_heads)]
        self.mixing = Mixing(TAP_CHANNELS[self.first : self.num_maps], widths)
        sides = [min(seen) // 2 ** (self.first + 1 + i) for i in range(num_heads)]
        self.heads = nn.ModuleList(
            Head(w, max(0, (side // LEAST_SIDE).bit_length() - 1), num_classes)
            for w, side in zip(widths, sides, strict=True)
        )
        channels_last(self)

    def forward(
        self, images: Images, classes: Float[Tensor, "b num_classes"] | None = None
    ) -> Float[Tensor, "b n"]:
        views = self._views(images)
        logits = []
        for view in views:
            if self.scale != 1:
                view = F.interpolate(  # noqa: PLW2901
                    view, scale_factor=self.scale, mode="bilinear", align_corners=False
                )
            # its depthwise convolutions go back through float32 twice as fast as through bfloat16
            with torch.autocast(view.device.type, enabled=False):
                maps = self._frozen[0](view.float(), num_maps=self.num_maps)[self.first :]
            mixed = self.mixing(maps)
            logits += [head(x, classes) for head, x in zip(self.heads, mixed, strict=True)]
        return torch.cat(logits, dim=1)

    def bound(self, images: Images) -> Images:
        """Clip to [-1, 1], as saving does; see `clipped`.

        Frozen features were never shown more than white, and stop answering (ReLU6): generators
        without a tanh were seen to run away to ever louder pictures.
        """
        return clipped(images)

    def _views(self, images: Images) -> list[Tensor]:
        if images.shape[1] == 1:
            return [images.expand(-1, 3, -1, -1)]
        if images.shape[1] == 3:
            return [images]
        colour, alpha = images[:, :3], (images[:, 3:] + 1) / 2
        return [
            torch.lerp(torch.full_like(colour, ground), colour, alpha) for ground in (1.0, -1.0)
        ]


def clipped(images: Images) -> Images:
    """Clip to [-1, 1]; values beyond feel the gradients that would bring them back, no others."""
    inside = images.clamp(-1, 1).detach()
    if not images.requires_grad:
        return inside
    beyond = images.detach() - inside  # positive above 1, negative below -1
    kept = images * 1
    kept.register_hook(lambda slope: torch.where(beyond * slope < 0, 0.0, slope))  # type: ignore[no-untyped-call]
    return kept - beyond
