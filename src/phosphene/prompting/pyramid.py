"""Adam over a pyramid of a latent: large shapes move as easily as small ones.

In a grid of codes every code has a step of its own, so an optimiser makes texture long before it
makes a thing. Here the gradient is also averaged over larger and larger cells, each level has
Adam's moments of its own, and a step adds the steps of all levels, enlarged. Early in a run the
coarse levels do most of the moving, late the fine one. Source of the idea: Olah et al. 2017,
"Feature Visualization" (a spatially decorrelated parameterisation); moments: Kingma & Ba 2015.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.prompting.descent import Descent

COARSEST = 2  # rows or columns of the coarsest level, at least


class PyramidAdam(Descent):
    """x -= lr sum over levels k of w_k enlarge(m_k / (sqrt(v_k) + eps)), m_k and v_k as in Adam.

    With f the share of the run that is over (`progress` of the parameter group, which the caller
    sets), w_0 = min(1, 0.2 + 1.5 f) for the latent's own grid, and (1 + (k - 1) / 2) (1 - f)^2 for
    the k-th halving of it. Latents that are no grid (b d) have one level, w_0. Each number has its
    own moments, so samples of a batch do not see one another.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.05,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-12,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "progress": 0.0})

    def direction(self, x: Tensor, group: dict[str, Any]) -> Tensor:
        """The steps of all levels, added up."""
        (beta1, beta2), state = group["betas"], self.state[x]
        assert x.grad is not None
        grids = _grids(x)
        if not state:
            state["step"] = torch.tensor(0.0)
            for level, grid in enumerate(grids):
                state[f"mean_{level}"] = x.new_zeros(*x.shape[:2], *grid)
                state[f"square_{level}"] = x.new_zeros(*x.shape[:2], *grid)
        state["step"] += 1
        index, total = float(state["step"]), torch.zeros_like(x)
        for level, grid in enumerate(grids):
            gradient = F.adaptive_avg_pool2d(x.grad, (grid[0], grid[1])) if level else x.grad
            mean, square = state[f"mean_{level}"], state[f"square_{level}"]
            mean.lerp_(gradient, 1 - beta1)
            square.lerp_(gradient.square(), 1 - beta2)
            root = (square / (1 - beta2**index)).sqrt() + group["eps"]
            moved = mean / (1 - beta1**index) / root
            if level:
                moved = F.interpolate(moved, x.shape[2:], mode="bilinear")
            total += level_weight(level, group["progress"]) * moved
        return total


def level_weight(level: int, progress: float) -> float:
    """How much the steps of a level count when a share `progress` of the run is over."""
    if level == 0:
        return min(1.0, 0.2 + 1.5 * progress)
    return (1 + (level - 1) / 2) * (1 - progress) ** 2


def _grids(x: Tensor) -> list[tuple[int, ...]]:
    """Rows and columns of each level, the latent's own first."""
    if x.ndim != 4:
        return [tuple(x.shape[2:])]
    grids = [tuple(x.shape[2:])]
    while min(grids[-1]) >= 2 * COARSEST:
        grids.append(tuple(-(-side // 2) for side in grids[-1]))
    return grids
