"""What optimisers of latents share: a step is a direction, by the learning rate."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor


class Descent(torch.optim.Optimizer, ABC):
    """x -= lr direction(x): the closure, the groups and missing gradients, as torch has them."""

    @abstractmethod
    def direction(self, x: Tensor, group: dict[str, Any]) -> Tensor:
        """Where `x` goes, shaped as it; its gradient is there, its state is `self.state[x]`."""

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one step along the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for x in group["params"]:
                if x.grad is not None:
                    x.sub_(group["lr"] * self.direction(x, group))
        return loss
