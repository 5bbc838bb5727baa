"""A toy model with styles, whose pictures are known in closed form."""

import torch
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.rng import Rng

NAMES = ("fox", "owl", "face-smiling", "bow tie")
Z_DIM, NUM_WS = 5, 9


class ToyStyled:
    """w = 3 z + 1 + sum of the class weights; the picture's rows are the styles."""

    spec = LatentSpec(Space.Z, (Z_DIM,))
    w_avg = torch.ones(Z_DIM)
    num_ws = NUM_WS

    def map(self, z: Latent, condition: Condition | None = None) -> Latent:
        w = 3 * z.expect(Space.Z) + 1
        if condition is not None and condition.classes is not None:
            w = w + condition.classes @ torch.arange(len(NAMES), dtype=w.dtype)[:, None]
        return Latent(Space.W_PLUS, w[:, None].expand(-1, NUM_WS, -1))

    def decode(self, latent: Latent, condition: Condition | None = None) -> Tensor:
        if latent.space is Space.Z:
            latent = self.map(latent, condition)
        return latent.expect(Space.W_PLUS)[:, None]


class ToyAtlas:
    """Seeds and class names on that model."""

    def z(self, seed: int) -> Tensor:
        return Rng((seed,)).normal(Z_DIM)

    def classes(self, name: str) -> Tensor:
        if name not in NAMES:
            raise RecipeError(f"no class {name!r}")
        return torch.eye(len(NAMES))[NAMES.index(name)][None]

    def layer_noise(self, seed: int) -> tuple[Tensor, ...]:
        own = Rng((seed,)).fork("layer_noise")
        return tuple(own.fork(i).normal(1, side, side) for i, side in enumerate((2, 4)))
