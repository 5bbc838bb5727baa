"""Discriminators and adversarial losses. Knows no generator."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from phosphene.core.images import Images


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches rather than the whole picture: one logit for each.

    Strided 4x4 convolutions with spectral norm, so that it needs no batch statistics.
    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks".

    Args:
        channels: Width of the first layer; doubles with each further one.
        num_layers: Strided layers; each doubles the patch a logit sees.
    """

    def __init__(self, channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        widths = [3] + [channels * 2**i for i in range(num_layers)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Images) -> Float[Tensor, "b 1 rows columns"]:
        logits: Tensor = self.layers(images)
        return logits


def hinge_d(real: Tensor, fake: Tensor) -> Float[Tensor, ""]:
    """Hinge loss of a discriminator: mean(relu(1 - real)) + mean(relu(1 + fake)), halved."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def hinge_g(fake: Tensor) -> Float[Tensor, ""]:
    """Hinge loss of a generator: the discriminator's logits on its pictures, to be raised."""
    return -fake.mean()
