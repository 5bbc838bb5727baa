"""The lesson that makes a perceptor's gradient draw: at any stage it should point to the picture.

A search that climbs the similarity of picture and words passes through pictures that are nothing
yet: patches of colour, noise, another thing half painted over. Contrast teaches what the finished
picture is called, and says nothing of the way there. So here is the way: x_t lies between a start
x_0 and a picture x, and the gradient of the similarity with x's caption is asked to have the
direction of x - x_t,

    loss = 1 - cos(grad_x sim(x_t + sigma n, caption), x - x_t),

averaged over gradients pooled by `POOLS`: a search moves patches, not pixels. This is flow matching
(Lipman et al. 2023, "Flow Matching for Generative Modeling") of a field that is the gradient of an
energy (Salimans and Ho 2021, "Should EBMs model the energy or the score?"), with its length left
free, since optimisers choose their own.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images
from phosphene.core.rng import Rng

POOLS = (2, 4, 8)  # px averaged over, of the views' own
PATCHES = 4  # patches of colour a side of a start
PATCHED_PROB = 0.65  # of starts; the others are another picture of the batch
BLURRED_PROB = 0.5  # of those
BLURRED_SIDE = 8  # px a side that a blurred picture has left
LAST_T = 0.95  # nearer to the picture there is no way left
NOISE_SIGMA = 1.0  # largest deviation of the noise, of a range of 2
PATCH_SIGMA = 0.4  # largest deviation of patches from their start's colour
GREY_PROB = 0.3  # of starts of patches around grey, instead of any colour


def on_the_way(
    pictures: Float[Tensor, "b 3 size size"], rng: Rng
) -> tuple[Float[Tensor, "b 3 size size"], Float[Tensor, "b 3 size size"]]:
    """Stages of searches for some pictures, noised, and the direction that leads to each."""
    draw = rng.fork("stages").uniform(len(pictures), 3)[0]
    begun = torch.where(
        _column(draw[:, 0] < PATCHED_PROB), _patches(pictures, rng), _others(pictures, rng)
    )
    stages = torch.lerp(begun, pictures, LAST_T * _column(draw[:, 1]))
    noise = rng.fork("noise").normal(*pictures.shape)[0]
    return stages + NOISE_SIGMA * _column(draw[:, 2]) * noise, pictures - stages


def misdirection(
    gradient: Float[Tensor, "b c h w"], wanted: Float[Tensor, "b c h w"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return 1 - cosine of two fields, averaged over `POOLS`, and the cosine of the middle one."""
    cosines = [
        F.cosine_similarity(
            F.avg_pool2d(gradient, pool).flatten(1),
            F.avg_pool2d(wanted, pool).flatten(1),
            eps=1e-12,
        ).mean()
        for pool in POOLS
    ]
    return 1 - torch.stack(cosines).mean(), cosines[len(POOLS) // 2].detach()


def _patches(pictures: Images, rng: Rng) -> Images:
    """What a search begins with: soft patches of one colour or around grey."""
    b, c, size, _ = pictures.shape
    own = rng.fork("patches")
    draw = own.fork("kind").uniform(b, 2)[0]
    colour = own.fork("colour").uniform(b, c, 1, 1, low=-1.0, high=1.0)[0]
    colour = colour * _column(draw[:, 0] >= GREY_PROB)
    spread = PATCH_SIGMA * _column(draw[:, 1])
    coarse = colour + spread * own.fork("spread").normal(b, c, PATCHES, PATCHES)[0]
    return F.interpolate(coarse, (size, size), mode="bicubic", align_corners=False).clamp(-1, 1)


def _others(pictures: Images, rng: Rng) -> Images:
    """For each picture another one of the batch, some of them blurred."""
    others, size = pictures.roll(1, dims=0), pictures.shape[-1]
    few = F.adaptive_avg_pool2d(others, BLURRED_SIDE)
    blurred = F.interpolate(few, (size, size), mode="bicubic", align_corners=False).clamp(-1, 1)
    draw = rng.fork("blurred").uniform(len(pictures))[0]
    return torch.where(_column(draw < BLURRED_PROB), blurred, others)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
