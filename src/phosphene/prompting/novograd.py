"""NovoGrad for latents: Adam with one step size a picture instead of one a number.

Adam moves every number by about the learning rate, however little it matters. In a picture that
is a fault: the codes of a plain ground, whose gradient is the perceptor's noise, move as far as
those of the thing, and come out as specks. With one second moment for the whole latent they stay.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from phosphene.prompting.descent import Descent


class NovoGrad(Descent):
    """m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) mean(g^2);  x -= lr m / sqrt(v).

    Both moments are corrected for their start at zero, as Adam's are. The mean runs over all but
    the first axis: samples of a batch do not see one another, and a step of `lr` moves numbers by
    `lr` on average, as with Adam. Source: Ginsburg et al. 2019, "Stochastic Gradient Methods with
    Layer-wise Adaptive Moments", with a latent for a layer; they divide each gradient before the
    mean is taken, here the mean is divided, as Adam does.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.05,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-12,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def direction(self, x: Tensor, group: dict[str, Any]) -> Tensor:
        """The mean gradient over the root of its mean square."""
        (beta1, beta2), state = group["betas"], self.state[x]
        assert x.grad is not None
        if not state:
            state["step"] = torch.tensor(0.0)
            state["mean"] = torch.zeros_like(x)
            state["square"] = x.new_zeros(len(x), *[1] * (x.ndim - 1))
        state["step"] += 1
        index = float(state["step"])
        axes = tuple(range(1, x.ndim))
        state["mean"].lerp_(x.grad, 1 - beta1)
        state["square"].lerp_(x.grad.square().mean(dim=axes, keepdim=True), 1 - beta2)
        root = (state["square"] / (1 - beta2**index)).sqrt() + group["eps"]
        mean: Tensor = state["mean"] / (1 - beta1**index) / root
        return mean
