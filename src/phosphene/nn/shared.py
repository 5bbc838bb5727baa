"""Batch statistics over all processes of a team: batch norm, and layers that compare pictures."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.team import ALONE, Team

FeatureMap = Float[Tensor, "b c h w"]


@runtime_checkable
class Teamed(Protocol):
    """A layer whose result for a picture depends on the others of its batch."""

    team: Team


def batch_norm(
    x: FeatureMap, mean: Tensor, var: Tensor, *, momentum: float, eps: float, team: Team
) -> FeatureMap:
    """Batch norm in training, without gain and shift, over the pictures of all processes.

    y = (x - E x) / sqrt(Var x + eps). Derivatives of any order are those of the whole batch.

    Args:
        mean, var: Running averages, moved by `momentum` towards the batch's.
    """
    if team.size == 1:
        return F.batch_norm(x, mean, var, training=True, momentum=momentum, eps=eps)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    count = team.size * x.numel() // x.shape[1]
    centre = team.sum(wide.sum((0, 2, 3))) / count
    apart = wide - centre[:, None, None]
    spread = team.sum(apart.square().sum((0, 2, 3))) / count
    with torch.no_grad():
        mean.lerp_(centre.to(mean.dtype), momentum)
        var.lerp_((spread * count / max(1, count - 1)).to(var.dtype), momentum)
    return (apart * torch.rsqrt(spread + eps)[:, None, None]).to(x.dtype)


class SharedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, with the statistics of all processes while it is trained."""

    team: Team = ALONE

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        if self.team.size == 1 or not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        y = batch_norm(
            input,
            self.running_mean,
            self.running_var,
            momentum=0.1 if self.momentum is None else self.momentum,
            eps=self.eps,
            team=self.team,
        )
        if not self.affine:
            return y
        gain, shift = (v.to(y.dtype)[:, None, None] for v in (self.weight, self.bias))
        return y * gain + shift


def share_statistics(networks: Iterable[nn.Module], team: Team) -> None:
    """Let all layers that look at a batch as a whole look at that of the whole team.

    Parameters, buffers and their names stay.
    """
    if team.size == 1:
        return
    for network in networks:
        for module in network.modules():
            if type(module) is nn.BatchNorm2d:
                # as it is, with its weights, under the class that has one more question to ask
                module.__class__ = SharedBatchNorm
            if isinstance(module, Teamed):
                module.team = team
