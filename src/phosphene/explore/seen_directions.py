"""Principal directions of what is seen: for models whose z has none of its own.

z ~ N(0, I) looks the same in every direction; what it paints does not. So the principal components
are those of the pictures, and each is led back to z by regression: Härkönen et al. 2020,
"GANSpace", section 3.2, does this with the activations of BigGAN's first layer, which is linear, so
that it finds what factorising its weights finds; pictures tell more.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.explore.directions import Direction, strongest

Batch = tuple[Float[Tensor, "b d"], Float[Tensor, "b2 n"]]


def seen_directions(batches: Iterable[Batch], count: int) -> list[Direction]:
    """The directions of z along which pictures change most, the strongest first.

    With c_k the coordinates of the pictures along their k-th principal component, the direction is
    `E[c_k z] / |E[c_k z]|`: by Stein's lemma the mean gradient of c_k, for a linear painter exactly
    the singular vector.

    Args:
        batches: z, and what is seen of each: pixels of small pictures, or features.
    Raises:
        RecipeError: fewer pictures than directions wanted, or pictures that are all the same.
        LatentMismatch: z and pictures that are not as many.
    """
    zs, seen = [], []
    for z, views in batches:
        if len(z) != len(views):
            raise LatentMismatch(f"{len(z)} latents with {len(views)} pictures; give one each")
        zs.append(z.detach().double().cpu().flatten(1))
        seen.append(views.detach().double().cpu().flatten(1))
    if not zs or sum(map(len, zs)) < 2:
        raise RecipeError("pictures have no directions; draw at least 2")
    z, views = _centred(torch.cat(zs)), _centred(torch.cat(seen))
    covariance = views.T @ views / (len(views) - 1)
    whole = float(covariance.trace())
    if whole == 0:
        raise RecipeError("all pictures look the same: nothing changes with z")
    most = min(len(covariance), z.shape[1], len(views) - 1)
    values, vectors = strongest(covariance, count, most)
    found = []
    for i, (value, vector) in enumerate(zip(values, vectors, strict=True)):
        led_back = z.T @ (views @ vector.double())
        length = float(torch.linalg.vector_norm(led_back))
        direction = (led_back / length if length else led_back).float()
        deviation = float(z.std(dim=0).square().mean().sqrt())
        found.append(Direction(f"pc{i}", direction, deviation, "seen", value / whole))
    return found


def _centred(rows: Tensor) -> Tensor:
    return rows - rows.mean(0)
