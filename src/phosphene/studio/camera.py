"""The camera of zoom videos: scale, shift and turn a picture. Knows no model."""

import math

import torch
import torch.nn.functional as F

from phosphene.core.images import Images
from phosphene.studio.recipe import Zoom


def move(images: Images, zoom: Zoom) -> Images:
    """Make one movement of the camera; what comes in at the borders is their reflection.

    A point q of the picture, in px from its centre, goes to scale * R(angle) q + shift.
    """
    b, _, h, w = images.shape
    cos = math.cos(math.radians(zoom.angle)) / zoom.scale
    sin = math.sin(math.radians(zoom.angle)) / zoom.scale
    x, y = zoom.shift_x, zoom.shift_y
    # grid_sample asks where each new pixel comes from, in halves of the picture's sides
    back = [
        [cos, sin * h / w, -(cos * x + sin * y) * 2 / w],
        [-sin * w / h, cos, (sin * x - cos * y) * 2 / h],
    ]
    matrix = torch.tensor(back, dtype=images.dtype, device=images.device).expand(b, 2, 3)
    where = F.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = F.grid_sample(
        images, where, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return moved.clamp(-1, 1)
