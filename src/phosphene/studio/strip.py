"""A strip: some frames of a film side by side, small. Knows neither recipe nor model."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images, Picture, grid, resize

SHOWN_SIDE = 128  # px: longer side of a picture on the strip, at most
MOST_IN_A_ROW = 16


def frames_shown(count: int, num_shown: int, loop: bool = False) -> list[int]:
    """Which of `count` frames are on the strip: evenly spaced, the last unless it leads to the
    first.
    """
    shown = min(num_shown, count)
    if loop or shown == 1:
        return [i * count // shown for i in range(shown)]
    return [round(i * (count - 1) / (shown - 1)) for i in range(shown)]


def strip_of(frames: Sequence[Images]) -> Float[Tensor, "c _h _w"]:
    """Lay frames of one size out in rows, in order."""
    sheet: Picture = grid(torch.cat(list(frames)), min(len(frames), MOST_IN_A_ROW))
    return sheet


def small(images: Images) -> Float[Tensor, "b c _h _w"]:
    """As they are on a strip: no larger than that."""
    return to_side(images, SHOWN_SIDE) if max(images.shape[-2:]) > SHOWN_SIDE else images


def to_side(images: Images, side: int) -> Float[Tensor, "b c _h _w"]:
    """Resample to a longer side in px."""
    height, width = images.shape[-2:]
    scale = side / max(height, width)
    resized: Images = resize(images, max(1, round(height * scale)), max(1, round(width * scale)))
    return resized
