"""Even perceived speed: frames spaced by how much the picture changes, not by the path's time.

A step of equal length in a latent space may change nothing or everything. Here a path gets the
times at which each frame differs from the one before by the same perceptual distance. Knows no
model: distances between frames come from whoever renders them.
"""

import bisect
import itertools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from phosphene.core.errors import Diverged, RecipeError

ROUNDS = 4
GOOD_ENOUGH = 0.02  # unevenness that nobody sees


@dataclass(frozen=True, slots=True)
class Pace:
    """When to look at a path.

    Args:
        times: Of each frame, rising from 0; a loop's frames end before 1.
        before: Unevenness at even times, see `unevenness`.
        after: Unevenness at these times; never more than before.
        rounds: How often the frames were measured again.
    """

    times: tuple[float, ...]
    before: float
    after: float
    rounds: int


def unevenness(steps: Sequence[float]) -> float:
    """Coefficient of variation of steps, their standard deviation over their mean; 0 is even.

    0 also where nothing moves at all.
    """
    if not steps or not any(steps):
        return 0.0
    mean = math.fsum(steps) / len(steps)
    return math.sqrt(math.fsum((step - mean) ** 2 for step in steps) / len(steps)) / mean


def pacing(
    count: int, loop: bool, rounds: int = ROUNDS
) -> Generator[list[float], Sequence[float], Pace]:
    """Find times at which all steps between frames look equally large.

    A Python generator: it yields times (for a loop also 1, which is 0 again), is sent the
    perceptual distances between neighbouring frames there, one fewer than times, and returns the
    pace. So whoever measures can be watched, and stopped.

    Each round takes the frames' distances as the length of the path between them, adds them up to
    the length s(t) travelled by each time, and puts frame k of n where s is k/n of the whole:
    re-parametrisation by arc length. As chords are not arcs and s is known at frames only, the
    new frames are measured again; the most even of all rounds is kept.

    Args:
        count: Frames; those of a loop include no second copy of the first.
        rounds: At most so many times measured after the first.
    Raises:
        RecipeError: fewer frames than can be spaced.
        Diverged: a distance is not finite or below 0.
    """
    fewest = 2 if loop else 3
    if count < fewest:
        raise RecipeError(f"{count} frames cannot be spaced; use {fewest} or more")
    num_steps = count if loop else count - 1
    knots = [i / num_steps for i in range(num_steps + 1)]
    steps = _measured((yield knots), knots)
    before = best = unevenness(steps)
    kept, made = knots, 0
    while made < rounds and best > GOOD_ENOUGH and any(steps):
        knots = _respaced(knots, steps)
        steps = _measured((yield knots), knots)
        made += 1
        if unevenness(steps) < best:
            kept, best = knots, unevenness(steps)
    return Pace(tuple(kept[:count]), before, best, made)


def _measured(distances: Sequence[float], knots: Sequence[float]) -> list[float]:
    steps = [float(step) for step in distances]
    if len(steps) != len(knots) - 1:
        raise ValueError(f"{len(steps)} distances between {len(knots)} frames")
    for step in steps:
        if not (math.isfinite(step) and step >= 0):
            raise Diverged(f"the distance between two frames is {step}; the frames are damaged")
    return steps


def _respaced(knots: Sequence[float], steps: Sequence[float]) -> list[float]:
    """Times of equal shares of the length travelled, which is linear between knots."""
    travelled = [0.0, *itertools.accumulate(steps)]
    whole = travelled[-1]
    times = [0.0]
    for share in range(1, len(steps)):
        wanted = whole * share / len(steps)
        # the first knot that lies beyond: a span without length is never divided by
        index = min(bisect.bisect_right(travelled, wanted), len(steps)) - 1
        part = (wanted - travelled[index]) / (travelled[index + 1] - travelled[index] or 1.0)
        times.append(knots[index] + part * (knots[index + 1] - knots[index]))
    return [*times, 1.0]
