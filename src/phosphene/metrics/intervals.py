"""Is there an effect, and how sure is that? Differences of pairs: their size, and an interval.

A pair is one thing looked at twice, with and without what is asked about; its difference is one
number. What varies between pairs that does not vary within cancels out.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.metrics.scores import Bootstrap

Values = Float[Tensor, " n"]
FEWEST = 6  # pairs that can tell at 5 %: that n signs agree by chance has probability 2 / 2^n
RESAMPLES = 10_000
SIGNIFICANCE, POWER = 0.05, 0.8  # usual ones, of `pairs_needed`


@dataclass(frozen=True, slots=True)
class Interval:
    """What the mean of other pairs of the same kind might have been."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Effect:
    """What a number of pairs say.

    Args:
        mean: Of the differences.
        size: Cohen's d_z, see `paired_effect_size`.
        interval: Of the mean.
        num_pairs: Looked at.
        needed: Pairs that would tell an effect of this size, see `pairs_needed`.
    """

    mean: float
    size: float
    interval: Interval
    num_pairs: int
    needed: int | None

    @property
    def verdict(self) -> str:
        """In words: whether there is an effect that can be told from none."""
        if 0.0 in self.interval:
            return "no measurable effect"
        if self.num_pairs < FEWEST:
            return f"too few to tell: {self.num_pairs} of at least {FEWEST}"
        return "a measurable effect"

    @property
    def measurable(self) -> bool:
        """Whether there is one."""
        return 0.0 not in self.interval and self.num_pairs >= FEWEST


def effect_of(differences: Values, rng: Rng, bootstrap: Bootstrap | None = None) -> Effect:
    """All that the differences of pairs say.

    Args:
        rng: One sample's; draws the resamplings.
    Raises:
        RecipeError: fewer than two pairs, or numbers that are not finite.
    """
    values = _checked(differences)
    size = paired_effect_size(values)
    return Effect(
        mean=float(values.mean()),
        size=size,
        interval=bootstrap_interval(values, rng, bootstrap),
        num_pairs=len(values),
        needed=pairs_needed(size),
    )


def paired_effect_size(differences: Values) -> float:
    """Cohen's d_z: the mean of the differences over their standard deviation (n - 1).

    0.2 is called small, 0.5 medium, 0.8 large; Cohen 1988, "Statistical Power Analysis for the
    Behavioral Sciences", equation 2.3.5. Equal differences give 0 if they are 0, else infinity with
    their sign.

    Raises:
        RecipeError: fewer than two pairs, or numbers that are not finite.
    """
    values = _checked(differences)
    mean, deviation = float(values.mean()), float(values.std())
    if bool((values == values[0]).all()):
        mean, deviation = float(values[0]), 0.0  # as a sum may not be, by rounding
    if deviation == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / deviation


def bootstrap_interval(values: Values, rng: Rng, bootstrap: Bootstrap | None = None) -> Interval:
    """Percentile bootstrap of a mean: the values are drawn again, with replacement.

    Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13. For few values it is
    too narrow (of ten it holds the truth in about 90 % of cases instead of 95 %): see `FEWEST`.

    Args:
        rng: One sample's; draws the resamplings.
        bootstrap: None is 10,000 resamplings and 95 %.
    Raises:
        RecipeError: fewer than two values, or some that are not finite.
    """
    known = _checked(values)
    bootstrap = bootstrap or Bootstrap(resamples=RESAMPLES)
    own = rng.fork("bootstrap")
    drawn = own.integers(bootstrap.resamples, len(known), high=len(known))[0]
    means = known[drawn].mean(dim=1)
    rest = (1 - bootstrap.share) / 2
    low, high = torch.quantile(means, torch.tensor([rest, 1 - rest]).double()).tolist()
    # a mean of equal numbers may differ from them by rounding
    least, most = float(known.min()), float(known.max())
    return Interval(min(max(low, least), most), max(min(high, most), least))


def pairs_needed(
    size: float, power: float = POWER, significance: float = SIGNIFICANCE
) -> int | None:
    """Pairs that tell an effect of a size d_z from none, with a probability of `power`.

    n = ((z_(1 - a/2) + z_power) / d_z)^2 + z_(1 - a/2)^2 / 2, rounded up: the normal approximation
    of the paired t-test with Guenther's correction (1981, "Sample Size Formulas for Normal Theory
    T Tests"). At least `FEWEST`; None for no effect at all, which no number of pairs tells.
    """
    if size == 0:
        return None
    normal = NormalDist()
    z_side, z_power = normal.inv_cdf(1 - significance / 2), normal.inv_cdf(power)
    ratio = (z_side + z_power) / abs(size)
    return max(FEWEST, math.ceil(ratio**2 + z_side**2 / 2)) if ratio < 1e150 else None


def _checked(values: Values) -> Values:
    if values.ndim != 1 or len(values) < 2:
        raise RecipeError(f"{len(values)} pairs tell no effect; give at least two")
    if not bool(torch.isfinite(values).all()):
        raise RecipeError("some differences are not finite; are the pictures?")
    return values.detach().double()
