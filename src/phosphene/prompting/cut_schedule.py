"""How cutouts change during a run: whole and coarse things first, then parts and fine ones.

Whole views say where things are, inner ones what they are made of. Source: Disco Diffusion's
schedules of overview and inner cuts (Somnai and gandamu 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from phosphene.prompting.cutouts import Cutouts


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFall:
    """How the noise on cutouts falls during a run: first coarse shapes count, then fine ones.

    Largest deviation at step i of n, with t = i / (n - 1): end + (start - end) (1 - t)^2; step n
    begins anew, as the scenes of a story do. Seen through much noise, a gradient is that of a
    smoothed perceptor, which says where things should be while nothing is there yet: Kaur et al.
    2019, "Are Perceptually-Aligned Gradients a General Property of Robust Classifiers?"
    """

    start: float
    end: float
    iterations: int

    def at(self, index: int) -> float:
        """Largest deviation of a view's noise at a step, of a range of 2."""
        left = 1 - index % self.iterations / max(1, self.iterations - 1)
        return self.end + (self.start - self.end) * left**2


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSchedule:
    """What cutouts are at each step of a run.

    Args:
        noise: Largest deviation of the noise on them.
        overview: Share of whole views; None leaves it to the cutouts.
        smallest: Least side of the others as a share of the picture's; None as well.
    """

    noise: NoiseFall
    overview: Callable[[int], float] | None = None
    smallest: Callable[[int], float] | None = None

    def at(self, index: int, cutouts: Cutouts) -> Cutouts:
        """The cutouts of step `index`, otherwise as given."""
        curves = {"overview": self.overview, "smallest": self.smallest}
        changed: dict[str, Any] = {k: of(index) for k, of in curves.items() if of is not None}
        return replace(cutouts, noise=self.noise.at(index), **changed)
