"""A perceptor draws by itself: its gradient is followed from a blank picture, without a decoder.

What `drawing` teaches is a direction at each stage of a picture, under noise that is large when
little is there. So the way is integrated as flows are (Euler's method): noise falls from
`NOISE_SIGMA` to 0, each step goes along the gradient as far as is left over the steps that are
left, and only the direction counts, not the gradient's length. What comes out has the large shapes
and the colours, and the weave of a gradient: a start for a decoder, which knows how surfaces look.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images
from phosphene.core.protocols import Objective
from phosphene.core.rng import Rng

NUM_STEPS = 60
NUM_COPIES = 4  # noisy copies a step, whose gradients are averaged
NOISE_SIGMA = 1.0  # at the start, of a range of 2
LENGTH = 1.2  # of the whole way: root mean square over pixels
PAPER = 0.9  # what is begun with; at 1 clipping would hide half of the directions
POOL = 2  # px over which the gradient is averaged: finer is texture


def draw(
    objective: Objective, height: int, width: int, rng: Rng, *, num_steps: int = NUM_STEPS
) -> Images:
    """Draw one picture, 1 3 height width, that an objective of whole pictures prefers.

    Args:
        objective: Takes `NUM_COPIES` pictures at a time.
        rng: Of one seed: draws the noise.
    """
    picture = torch.full((1, 3, height, width), PAPER)
    for index in range(num_steps):
        left = 1 - index / num_steps
        noise = rng.fork(index).normal(NUM_COPIES, 3, height, width)[0]
        direction = _descent(objective, picture + NOISE_SIGMA * left * noise)
        picture = (picture + LENGTH * 2 * left / num_steps * direction).clamp(-1, 1)
    return picture


@torch.enable_grad()
def _descent(objective: Objective, copies: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "1 3 h w"]:
    """The direction in which the losses fall, of root mean square 1; 0 where it is not finite."""
    copies = copies.contiguous(memory_format=torch.channels_last).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(copies).sum(), copies)
    mean = gradient.mean(dim=0, keepdim=True)
    smooth = F.interpolate(F.avg_pool2d(mean, POOL, ceil_mode=True), mean.shape[2:], mode="bicubic")
    length = smooth.square().mean().sqrt()
    if not bool(length > 0) or not bool(torch.isfinite(length)):
        return torch.zeros_like(smooth)
    return -smooth / length
