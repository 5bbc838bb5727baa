"""The straight path between pictures and noise, and the steps along it. Knows no network."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

# Codes of neighbouring patches resemble one another, so shapes show through much noise, and are
# decided there: docs/log.md, 2026-11-26.
SHIFT = 3.0


def sigmas_of(steps: int, strength: float = 1.0, shift: float = SHIFT) -> Float[np.ndarray, " n"]:
    """Noise before each step: from `strength` evenly down, so that the next one would be 0.

    Then shifted (Esser et al. 2024, equation 23): s t / (1 + (s - 1) t).

    Args:
        shift: Above 1 spends more steps on much noise.
    """
    count = max(1, round(steps * strength))
    even = np.linspace(strength, strength / count, count, dtype=np.float64)
    return shift * even / (1 + (shift - 1) * even)


def between(clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """x = (1 - sigma) x0 + sigma e."""
    return (1 - sigma) * clean + sigma * noise
