"""Learning-rate schedules. Knows no optimiser."""

import math


def cosine_rate(peak: float, index: int, total: int, warmup: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to 2 % of the peak."""
    if index < warmup:
        return peak * (index + 1) / warmup
    progress = (index - warmup) / max(1, total - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
