"""Averaged weights: what is shipped is the running mean of what was trained."""

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, current: nn.Module, decay: float, index: int) -> None:
    """average += (1 - d) (current - average), for weights and buffers alike.

    Args:
        decay: Of the mean, once it has run for a while.
        index: Step from 0: d = min(decay, (1 + index) / (10 + index)), so that the weights of the
            start are soon forgotten.
    """
    decay = min(decay, (1 + index) / (10 + index))
    averaged = list(average.state_dict().values())
    torch._foreach_lerp_(averaged, list(current.state_dict().values()), 1 - decay)
