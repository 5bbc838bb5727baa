"""Learning-rate schedules. Knows no optimiser."""

import math


def cosine_rate(peak: float, index: int, total: int, warmup: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to 2 % of the peak."""
    if index < warmup:
        return peak * (index + 1) / warmup
    progress = (index - warmup) / max(1, total - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def trapezoid_rate(
    peak: float, index: int, total: int, warmup: int, decay_start: float = 0.6
) -> float:
    """Learning rate: linear warm-up, the peak, and from a share of the run on straight down.

    Unlike a cosine, a run can be lengthened while it is at the peak.
    """
    if index < warmup:
        return peak * (index + 1) / warmup
    begin = decay_start * total
    if index < begin:
        return peak
    return peak * max(0.0, (total - index) / max(1.0, total - begin))
