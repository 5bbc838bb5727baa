"""Do two treatments of the same things look different, beyond what chance makes different?"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError

Distances = Float[Tensor, "s s"]


class Shift(NamedTuple):
    """Mean distances among pictures of one thing, treated and not, under several seeds.

    Args:
        pair: Between treated and not, of the same seed.
        chance: Between two that are not treated, of different seeds.
        beyond: Between treated and not of different seeds, less the mean of the distances within
            the treated and within the others. For squared distances of features it is, without
            bias, the squared distance of the two means over all seeds (the energy statistic,
            Szekely & Rizzo 2013, with pairs of one seed left out); for 0 of two alike treatments it
            may come out negative.
    """

    pair: float
    chance: float
    beyond: float


def shift_of(plain: Distances, treated: Distances, across: Distances) -> Shift:
    """Compare two sets of pictures, seed by seed.

    Args:
        plain: Distances among those that are not treated.
        treated: Among those that are.
        across: From each of the first (rows) to each of the second, seeds in the same order.
    Raises:
        RecipeError: fewer than two seeds, which say nothing about chance.
    """
    if len(across) < 2:
        raise RecipeError("one seed does not tell what chance changes; give at least two")
    within = (_between_seeds(plain) + _between_seeds(treated)) / 2
    return Shift(
        pair=float(across.double().diagonal().mean()),
        chance=_between_seeds(plain),
        beyond=_between_seeds(across) - within,
    )


def _between_seeds(distances: Distances) -> float:
    """The mean off the diagonal."""
    others = ~torch.eye(len(distances), dtype=torch.bool)
    return float(distances.double()[others].mean())
