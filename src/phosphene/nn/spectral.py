"""What keeps the singular values of weights in bounds: spectral norm, orthogonal regularisation.

Sources: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks"; Brock et
al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", section 3.1.
"""

from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

LAYERS = (nn.Conv2d, nn.Linear, nn.Embedding)


def _weighted(network: nn.Module, skip: tuple[nn.Module, ...]) -> Iterator[nn.Module]:
    for module in network.modules():
        if isinstance(module, LAYERS) and not any(module is other for other in skip):
            yield module


def add_spectral_norm(
    network: nn.Module, skip: tuple[nn.Module, ...] = (), eps: float = 1e-12
) -> None:
    """Divide the weight of every convolution, linear map and table by its largest singular value.

    One power iteration a training step, none in evaluation. The start of the iteration is drawn
    from torch's generator: call it inside `fork_rng`, as layers are made.

    Args:
        skip: Modules that stay as they are.
    """
    for module in list(_weighted(network, skip)):
        if not parametrize.is_parametrized(module, "weight"):
            spectral_norm(module, eps=eps)


def fold_spectral_norm(network: nn.Module) -> None:
    """Write the normalised weights down as plain ones; pictures stay the same to the bit.

    They are what the network uses in evaluation, so it is put into evaluation.
    """
    network.eval()
    for module in list(_weighted(network, ())):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def orthogonal_penalty(network: nn.Module) -> Float[Tensor, ""]:
    """Sum over weights W of ||W W^T * (1 - I)||^2: how far filters are from orthogonal pairs.

    Their lengths are free (Brock et al. 2019, equation 3; they weigh it by 1e-4). Tables of
    embeddings and vectors do not count.
    """
    total = torch.zeros(())
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        # reading `weight` of a normalised module would iterate once more
        normalised = parametrize.is_parametrized(module, "weight")
        weight = module.parametrizations.weight.original if normalised else module.weight  # type: ignore[union-attr]
        rows = cast(Tensor, weight).flatten(1)
        gram = rows @ rows.T
        total = total.to(gram) + gram.pow(2).sum() - gram.diagonal().pow(2).sum()
    return total
