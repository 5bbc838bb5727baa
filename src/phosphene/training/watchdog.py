"""Watches the numbers of a training for the ways in which it dies.

A GAN dies of numbers that are not finite, of collapse (all painted pictures alike), or of a
discriminator that is never wrong any more, so that nothing is learnt. Learners without these
numbers are watched for finiteness alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phosphene.core.errors import Diverged


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """When a training counts as dead.

    Args:
        least_diversity: Spread of the painted batch as a share of the real one's, below which
            pictures count as alike.
        perfect: Shares of real and painted pictures told right, both from this on, that count as
            never wrong.
        patience: Steps in a row that a sign must last.
        grace: Steps at the start in which alikeness and perfection are usual.
    """

    least_diversity: float = 0.03
    perfect: float = 0.999
    patience: int = 500
    grace: int = 200


class Watchdog:
    """Reads each step's log; raises when a sign has lasted."""

    def __init__(self, signs: Signs | None = None) -> None:
        self.signs = signs or Signs()
        self.alike = self.never_wrong = 0  # steps in a row

    @property
    def calm(self) -> bool:
        """Whether no sign is showing: what is saved now is healthy."""
        return self.alike == self.never_wrong == 0

    def observe(self, index: int, log: Mapping[str, float]) -> None:
        """Look at the log of step `index`.

        Raises:
            Diverged: a number is not finite, or a sign of death has lasted.
        """
        for name, value in log.items():
            if not math.isfinite(value):
                raise Diverged(f"step {index}: {name} became {value}; try a lower learning rate")
        if index < self.signs.grace:
            return
        alike = log.get("diversity", 1.0) < self.signs.least_diversity
        told = min(log.get("d_real", 0.0), log.get("d_fake", 0.0))
        self.alike = self.alike + 1 if alike else 0
        self.never_wrong = self.never_wrong + 1 if told >= self.signs.perfect else 0
        if self.alike >= self.signs.patience:
            raise Diverged(
                f"step {index}: the generator collapsed: its pictures have been alike for "
                f"{self.alike} steps (diversity {log['diversity']:.3g} of the data's); try a lower "
                "learning rate, r1_gamma or an augmentation"
            )
        if self.never_wrong >= self.signs.patience:
            raise Diverged(
                f"step {index}: the discriminator has not been wrong for {self.never_wrong} steps, "
                "so the generator learns nothing; try a lower d_rate, r1_gamma or an augmentation"
            )

    def state(self) -> dict[str, Any]:
        """How long the signs have shown."""
        return {"alike": self.alike, "never_wrong": self.never_wrong}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`; from nothing where there was none."""
        self.alike = int(state.get("alike", 0))
        self.never_wrong = int(state.get("never_wrong", 0))
