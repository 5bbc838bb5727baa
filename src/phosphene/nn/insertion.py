"""A drawing set into a hole of a picture: what a model is shown that paints a part anew.

The hole is first closed by the colours around it, coarse to fine (pull-push, Gortler et al. 1996,
"The Lumigraph", section 3.4), and the drawing laid over that, as large as the hole, without the
white ground it stands on.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images, resize

Share = Float[Tensor, "1 1 h w"]  # in [0, 1]

PAPER = 0.9  # all channels above: the ground of a drawing, where it touches the border
TOUCHED = 0.5  # of a mask: within the hole


def inserted(images: Images, mask: Share, drawing: Images) -> Images:
    """A picture whose hole shows a drawing.

    Args:
        images: 1 3 h w in [-1, 1].
        mask: 1 in the hole; where it is nowhere above a half, the picture stays as it is.
        drawing: A thing on white.
    """
    rows, columns = ((mask[0, 0] > TOUCHED).any(dim=axis).nonzero().flatten() for axis in (1, 0))
    if len(rows) == 0:
        return images
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    side = min(height, width)  # it keeps its shape, in the middle of the hole
    top, left = top + (height - side) // 2, left + (width - side) // 2
    seen = 1 - ground(drawing)
    frame = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    canvas = closed(images, mask)
    opaque = resize(seen, side, side).clamp(0, 1)
    canvas[frame] = torch.lerp(canvas[frame], resize(drawing, side, side), opaque)
    return torch.lerp(images, canvas, mask)


def closed(images: Images, mask: Share) -> Images:
    """A picture whose hole has the colours around it; grey if all of it is hole."""
    known = 1 - mask
    return _pull_push(images * known, known)


def ground(drawing: Images) -> Share:
    """1 where a drawing is white from the border on, 0 where it shows something."""
    white = (drawing.amin(dim=1, keepdim=True) > PAPER).to(drawing)
    edge = torch.zeros_like(white)
    edge[..., 0, :] = edge[..., -1, :] = edge[..., :, 0] = edge[..., :, -1] = 1
    reached = white * edge
    while True:
        wider = F.max_pool2d(reached, 3, stride=1, padding=1) * white
        if torch.equal(wider, reached):
            return F.max_pool2d(reached, 3, stride=1, padding=1)  # with the rim, half of it white
        reached = wider


def _pull_push(colour: Tensor, weight: Tensor) -> Images:
    """The weighted mean of what is known nearby, at the finest scale that knows anything.

    Args:
        colour: Times its weight.
    """
    here = colour / weight.clamp_min(1e-6)
    height, width = weight.shape[-2:]
    if max(height, width) == 1 or bool((weight >= 1).all()):
        return here
    halved = ((height + 1) // 2, (width + 1) // 2)
    coarse = _pull_push(*(F.adaptive_avg_pool2d(each, halved) for each in (colour, weight)))
    wide = F.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return torch.lerp(wide, here, weight.clamp(max=1))
