"""The straight path between pictures and noise, and the steps along it. Knows no network."""

import numpy as np
from jaxtyping import Float
from torch import Tensor


def sigmas_of(steps: int, strength: float = 1.0) -> Float[np.ndarray, " n"]:
    """Noise before each step: from `strength` evenly down, so that the next one would be 0."""
    count = max(1, round(steps * strength))
    return np.linspace(strength, strength / count, count, dtype=np.float64)


def between(clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """x = (1 - sigma) x0 + sigma e."""
    return (1 - sigma) * clean + sigma * noise
