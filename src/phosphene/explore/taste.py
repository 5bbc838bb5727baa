"""Taste: from pictures that were liked, and others that were seen, to how much genes are liked.

The model is a line: a liking is the scalar product of the genes, seen from the centre, with a
direction that is learnt by ridge regression, so in closed form. Nobody liked, nothing learnt: all
are liked the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch
from phosphene.explore.breed import Genes, Vector

RIDGE = 1.0  # as much doubt in a label as an example's own genes weigh
Features = Float[Tensor, "b num_features"]


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """What is liked in genes of one model and space.

    Args:
        direction: Weights of the components of the latent, then of the classes; none at all if
            nothing was seen.
        centre: Where genes are seen from: w_avg in w, None for 0.
        scales: What latents and classes are divided by; a part's mean length is then 1.
    """

    direction: Float[Tensor, " num_features"]
    centre: Vector | None = None
    scales: tuple[float, float] = (1.0, 1.0)

    def liking(self, genes: Genes) -> float:
        """How much genes are liked: 0 in the mean of all that could be drawn, if z is.

        Raises:
            LatentMismatch: genes of another model or space.
        """
        if not len(self.direction):
            return 0.0
        x = _features([genes], self.centre, self.scales)[0]
        if x.shape != self.direction.shape:
            raise LatentMismatch(
                f"a taste in {len(self.direction)} numbers, genes of {len(x)}; take pictures of "
                "the same model, bred in the same space"
            )
        return float(x @ self.direction)

    def best(self, candidates: Sequence[Genes]) -> int:
        """Which of at least one candidate is liked best; of equals the first.

        Raises:
            LatentMismatch: genes of another model or space.
        """
        likings = [self.liking(genes) for genes in candidates]
        return likings.index(max(likings))


def learnt(liked: Sequence[Genes], others: Sequence[Genes], centre: Vector | None = None) -> Taste:
    """Learn from pictures that somebody saw.

    The direction d is the smallest of `|y - X d|^2 + RIDGE |d|^2`, solved as
    `X' (X X' + RIDGE)^-1 y`. A liked picture has y = 1; the others share as much below 0, at most 1
    each, so that one star among many is heard.

    Args:
        others: Seen, and not liked.
        centre: Where lengths are measured from: w_avg in w, None for 0.
    Raises:
        LatentMismatch: pictures of different models or spaces.
    """
    seen = [*liked, *others]
    if not seen:
        return Taste(torch.zeros(0, dtype=torch.float64), centre)
    plain = _features(seen, centre, (1.0, 1.0))
    size = seen[0].latent.data[0].numel()
    scales = (_length(plain[:, :size]), _length(plain[:, size:]))
    x = _features(seen, centre, scales)
    below = -min(1.0, len(liked) / len(others)) if others else 0.0
    y = torch.tensor([1.0] * len(liked) + [below] * len(others), dtype=torch.float64)
    alike = x @ x.T + RIDGE * torch.eye(len(x), dtype=torch.float64)
    return Taste(x.T @ torch.linalg.solve(alike, y), centre, scales)


def _features(genes: Sequence[Genes], centre: Tensor | None, scales: tuple[float, float]) -> Tensor:
    """Latents from the centre and classes, one row each."""
    rows = []
    for one in genes:
        data = one.latent.data.detach().cpu().double()
        away = data if centre is None else data - centre.detach().cpu().double()
        parts = [away.flatten() / scales[0]]
        if one.classes is not None:
            parts.append(one.classes[0].detach().cpu().double() / scales[1])
        rows.append(torch.cat(parts))
    if len({len(row) for row in rows}) > 1:
        raise LatentMismatch("pictures of different models or spaces do not make one taste")
    return torch.stack(rows)


def _length(rows: Tensor) -> float:
    """Root of the mean squared length; 1 where there is none."""
    return float(rows.square().sum(1).mean().sqrt()) or 1.0
