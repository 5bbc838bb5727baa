"""Discriminators, adversarial losses by name, and their penalties. Knows no generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from phosphene.core.images import Images

LossName = Literal["non-saturating", "hinge", "wasserstein", "least-squares"]
Scalar = Float[Tensor, ""]
Network = TypeVar("Network", bound=nn.Module)


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


def hinge_d(real: Tensor, fake: Tensor) -> Scalar:
    """Hinge loss of a discriminator: mean(relu(1 - real)) + mean(relu(1 + fake)), halved."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def hinge_g(fake: Tensor) -> Scalar:
    """Hinge loss of a generator: the discriminator's logits on its pictures, to be raised."""
    return -fake.mean()


@dataclass(frozen=True, slots=True)
class AdversarialLoss:
    """What discriminator and generator minimise, given logits of any shape.

    Args:
        d: Of logits on real and on painted pictures.
        g: Of logits on painted pictures.
        boundary: The logit between "real" and "painted"; None where only differences mean anything.
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor], Tensor]
    boundary: float | None

    def accuracy(self, real: Tensor, fake: Tensor) -> tuple[float, float]:
        """Shares of real and of painted pictures that are told right.

        Without a boundary, the middle between the two means stands for it.
        """
        real, fake = real.detach(), fake.detach()
        middle = (real.mean() + fake.mean()) / 2 if self.boundary is None else self.boundary
        return float((real > middle).float().mean()), float((fake < middle).float().mean())


LOSSES: Mapping[LossName, AdversarialLoss] = {
    # Goodfellow et al. 2014, section 3: log D for real, log(1 - D) for painted; G raises log D
    "non-saturating": AdversarialLoss(
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: F.softplus(-fake).mean(),
        0.0,
    ),
    # Lim & Ye 2017, "Geometric GAN"
    "hinge": AdversarialLoss(hinge_d, hinge_g, 0.0),
    # Arjovsky et al. 2017, equation 3; needs `gradient_penalty`, or a bound on D by other means
    "wasserstein": AdversarialLoss(
        lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean(), None
    ),
    # Mao et al. 2017, equation 9 (a = 0, b = c = 1)
    "least-squares": AdversarialLoss(
        lambda real, fake: 0.5 * ((real - 1).square().mean() + fake.square().mean()),
        lambda fake: 0.5 * (fake - 1).square().mean(),
        0.5,
    ),
}

Judge = Callable[[Tensor], Tensor]  # pictures to logits, b first


def r1_penalty(judge: Judge, images: Images) -> Scalar:
    """Half the squared norm of D's gradient at real pictures, averaged: to be scaled by gamma.

    Source: Mescheder, Geiger, Nowozin 2018, "Which Training Methods for GANs do actually
    Converge?", equation 9. Differentiable, to reach D's weights.
    """
    return 0.5 * _gradient_at(judge, images).square().flatten(1).sum(1).mean()


def gradient_penalty(
    judge: Judge, real: Images, fake: Images, share: Float[Tensor, " b"]
) -> Scalar:
    """Mean of (|gradient of D| - 1)^2 between real and painted pictures: WGAN-GP.

    Source: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3.

    Args:
        share: Uniform in [0, 1]: where between the two, for each pair.
    """
    mixed = torch.lerp(fake.detach(), real.detach(), share[:, None, None, None])
    slopes = _gradient_at(judge, mixed).flatten(1).norm(dim=1)
    penalty: Tensor = (slopes - 1).square().mean()
    return penalty


def path_lengths(
    images: Images, ws: Float[Tensor, "b num_ws w_dim"], noise: Images
) -> Float[Tensor, " b"]:
    """How far pictures move for a step in w: |J^T y| for random y, averaged over layers.

    Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", equation 4.

    Args:
        images: Made from `ws`, with their graph.
        noise: Standard normal, as large as the pictures.
    """
    h, w = images.shape[-2:]
    (gradient,) = torch.autograd.grad(
        (images * noise).sum() / (h * w) ** 0.5, ws, create_graph=True
    )
    lengths: Tensor = gradient.square().sum(2).mean(1).sqrt()
    return lengths


def spectrally_normed(network: Network) -> Network:
    """Divide each convolution's, linear map's and embedding's weight by its largest singular value.

    The value is estimated by one power iteration a forward pass in training.
    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks".
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
            spectral_norm(module)
    return network


def _gradient_at(judge: Judge, images: Images) -> Images:
    leaf = images.detach().requires_grad_()
    # a sum over the batch: no sample's logit depends on another's picture (batch norm apart)
    (gradient,) = torch.autograd.grad(judge(leaf).float().sum(), leaf, create_graph=True)
    return gradient
