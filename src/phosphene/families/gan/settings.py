"""The settings of a GAN's training, and their ranges. Knows no network."""

from dataclasses import dataclass

from phosphene.core.errors import RecipeError
from phosphene.families.gan.generator import Prior
from phosphene.nn.adversarial import LossName


@dataclass(frozen=True, slots=True, kw_only=True)
class GANTraining:
    """Settings of the training.

    Args:
        loss: non-saturating, hinge, wasserstein or least-squares.
        g_rate, d_rate: Learning rates of Adam; two of them are TTUR.
        beta1, beta2: Of Adam.
        decay_start: Share of the run after which both rates fall, linearly, to a tenth.
        d_steps, g_steps: Optimiser steps a step; the batch is shared out among `d_steps`.
        accumulate: Parts that each of these batches is worked through in, to save memory.
        ema_kimg: Half-life of the averaged generator, in thousands of pictures.
        r1_gamma: Weight of R1; 0 is none. `r1_every` steps of D lie between two.
        gp_weight: Of the gradient penalty of WGAN-GP; 0 is none.
        path_weight: Of the path length penalty of styled networks; 0 is none.
        style_mixing_prob: Of a picture whose later layers follow another z; styled networks.
        mirror_prob: Of a real picture shown in the mirror.
        prior: Distribution of z: normal, or uniform in [-1, 1].
        conditional: Learn the classes of the data.
        bf16: Compute in bfloat16 where that is safe.
    """

    loss: LossName = "non-saturating"
    g_rate: float = 2e-4
    d_rate: float = 2e-4
    beta1: float = 0.0
    beta2: float = 0.99
    decay_start: float = 1.0
    d_steps: int = 1
    g_steps: int = 1
    accumulate: int = 1
    ema_kimg: float = 10.0
    r1_gamma: float = 0.0
    r1_every: int = 16
    gp_weight: float = 0.0
    path_weight: float = 0.0
    path_every: int = 4
    style_mixing_prob: float = 0.0
    mirror_prob: float = 0.0
    prior: Prior = "normal"
    conditional: bool = False
    bf16: bool = True

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            RecipeError: names the setting, its value and the range.
        """
        for name in ("d_steps", "g_steps", "accumulate", "r1_every", "path_every"):
            if not 1 <= getattr(self, name) <= 1000:
                raise RecipeError(f"{name} is {getattr(self, name)}; it must be from 1 to 1000")
        for name in ("decay_start", "style_mixing_prob", "mirror_prob", "beta1", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        for name in ("g_rate", "d_rate", "ema_kimg", "r1_gamma", "gp_weight", "path_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise RecipeError(f"{name} is {getattr(self, name)}; it must be 0 or above")
