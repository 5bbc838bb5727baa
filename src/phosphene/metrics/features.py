"""What pictures look like, as one row of features each: what the distances of `scores` compare."""

from collections.abc import Iterable
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images

SEEN_SIDE = 128  # px of the shorter side that the extractor sees


class Extractor(Protocol):
    """A frozen network that sums a picture up; EfficientNet-Lite0's has 1,280 numbers."""

    def pooled(self, images: Images) -> Float[Tensor, "b n"]: ...


@torch.no_grad()
def features_of(
    batches: Iterable[Float[Tensor, "_ _ _ _"]], extractor: Extractor, side: int = SEEN_SIDE
) -> Float[Tensor, "n d"]:
    """Features of all pictures of some batches, float32, in order.

    Pictures are clipped to [-1, 1]; grey ones are seen as RGB, transparent ones on white. All are
    brought to the same `side` (bicubic, antialiased), for features depend on the size.

    Args:
        side: Of the shorter side, px; at least 32.
    Raises:
        RecipeError: no pictures, or a side below 32.
    """
    if side < 32:
        raise RecipeError(f"features are seen at {side} px; use at least 32")
    rows = [extractor.pooled(_seen(images, side)).float() for images in batches if len(images)]
    if not rows:
        raise RecipeError("no pictures to measure; give at least two")
    return torch.cat(rows)


def _seen(images: Images, side: int) -> Float[Tensor, "b 3 h2 w2"]:
    images = images.float().clamp(-1, 1)
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    elif images.shape[1] == 4:
        colour, alpha = images[:, :3], (images[:, 3:] + 1) / 2
        images = torch.lerp(torch.ones_like(colour), colour, alpha)
    height, width = images.shape[-2:]
    scale = side / min(height, width)
    if scale == 1:
        return images
    size = (round(height * scale), round(width * scale))
    scaled = F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)
    return scaled.clamp(-1, 1)
