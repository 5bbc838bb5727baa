"""Distances between two sets of features: Fréchet (as FID) and kernel (as KID).

The formulas are those of FID and KID, the features are not: figures on EfficientNet-Lite0 compare
with one another, at the same number of pictures, and never with published FIDs (Inception).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng

Features = Float[Tensor, "n d"]
KERNEL_DEGREE = 3
MOST_RESAMPLES = 100_000


def frechet_distance(features_a: Float[Tensor, "n d"], features_b: Float[Tensor, "m d2"]) -> float:
    """Squared Fréchet distance of the two Gaussians that fit the features.

    |m_a - m_b|² + tr(A + B - 2 (A^½ B A^½)^½), with means m and covariances A, B; Heusel et al.
    2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6. In float64; both roots from
    symmetric eigenvalues, so that no complex numbers come up when there are fewer pictures than
    features. It falls with the number of pictures: compare at equal numbers.

    Returns:
        0 or more; 0 for equal means and covariances.
    Raises:
        RecipeError: fewer than two pictures, other features, or numbers that are not finite.
    """
    a, b = _checked(features_a), _checked(features_b)
    _demand_same(a, b)
    between = (a.mean(0) - b.mean(0)).square().sum()
    cov_a, cov_b = _covariance(a), _covariance(b)
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    inner = root @ cov_b @ root
    shared = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp_min(0).sqrt().sum()
    distance = between + cov_a.trace() + cov_b.trace() - 2 * shared
    return max(0.0, float(distance))


class KernelDistance(NamedTuple):
    """An estimate, and the interval that holds the given share of its resamplings."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How often pictures are drawn again, with replacement, and what share the interval holds."""

    resamples: int = 200
    share: float = 0.95

    def __post_init__(self) -> None:
        if not 1 <= self.resamples <= MOST_RESAMPLES or not 0 < self.share < 1:
            raise RecipeError(
                f"bootstrap of {self.resamples} resamples and share {self.share}; use 1 to "
                f"{MOST_RESAMPLES:,}, and a share between 0 and 1"
            )


def kernel_distance(
    features_a: Float[Tensor, "n d"],
    features_b: Float[Tensor, "m d2"],
    rng: Rng,
    bootstrap: Bootstrap | None = None,
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel (x·y / d + 1)³, unbiased.

    Bińkowski et al. 2018, "Demystifying MMD GANs", section 4: its expectation does not depend on
    the number of pictures, and is 0 for two sets from one distribution; it may come out negative.

    The interval tells what other pictures of the same two kinds might have given: both sets are
    drawn again, pictures that are drawn twice are never compared with themselves.

    Args:
        rng: One sample's; draws the resamplings.
    Raises:
        RecipeError: fewer than two pictures, other features, or numbers that are not finite.
    """
    a, b = _checked(features_a), _checked(features_b)
    _demand_same(a, b)
    bootstrap = bootstrap or Bootstrap()
    within_a, within_b, between = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    value = _discrepancy(within_a, within_b, between, torch.ones(len(a)), torch.ones(len(b)))
    drawn = []
    for i in range(bootstrap.resamples):
        own = rng.fork("bootstrap").fork(i)
        times_a, times_b = _times(own.fork("a"), len(a)), _times(own.fork("b"), len(b))
        drawn.append(_discrepancy(within_a, within_b, between, times_a, times_b))
    rest = (1 - bootstrap.share) / 2
    low, high = torch.quantile(
        torch.tensor(drawn, dtype=torch.float64), torch.tensor([rest, 1 - rest]).double()
    ).tolist()
    return KernelDistance(value, low, high)


def _kernel(x: Features, y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    return (x @ y.T / x.shape[1] + 1) ** KERNEL_DEGREE


def _times(rng: Rng, count: int) -> Float[Tensor, " n"]:
    """How often each of `count` pictures comes up in `count` draws."""
    return torch.bincount(rng.integers(count, high=count)[0], minlength=count).double()


def _discrepancy(
    within_a: Tensor, within_b: Tensor, between: Tensor, times_a: Tensor, times_b: Tensor
) -> float:
    """The estimate for pictures that count as often as told; pairs of one picture are left out."""
    times_a, times_b = times_a.double(), times_b.double()
    total = -2 * (times_a @ between @ times_b) / (times_a.sum() * times_b.sum())
    for kernel, times in ((within_a, times_a), (within_b, times_b)):
        pairs = times.sum() ** 2 - times.square().sum()
        alike = times @ kernel @ times - (times.square() * kernel.diagonal()).sum()
        # all draws hit one picture: there is no pair, and nothing to tell (of two pictures only)
        total = total + (alike / pairs if pairs > 0 else kernel.mean())
    return float(total)


def _covariance(x: Features) -> Float[Tensor, "d d"]:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _checked(features: Features) -> Features:
    if features.ndim != 2 or len(features) < 2:
        raise RecipeError(f"{len(features)} pictures tell no distance; give at least two")
    if not bool(torch.isfinite(features).all()):
        raise RecipeError("some features are not finite; are the pictures?")
    return features.detach().double()


def _demand_same(a: Tensor, b: Tensor) -> None:
    if a.shape[1] != b.shape[1]:
        raise RecipeError(
            f"features of {a.shape[1]} and of {b.shape[1]} numbers; use one extractor"
        )
