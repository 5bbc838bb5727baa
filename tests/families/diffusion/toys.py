"""A flow of a few thousand numbers, with a VQGAN of 16 px."""

from typing import Any

import torch
from torch import Tensor

from phosphene.families.diffusion.flow import Flow, LatentDiffusionConfig, Words
from phosphene.families.diffusion.latent import LatentDiffusion
from phosphene.families.tokens.vqgan import VQGAN
from tests.reader import SENTENCE_DIM, TEXT_DIM, Reader
from tests.studio.fakes import TINY as TINY_VQGAN
from tests.studio.fakes import tiny_model

TINY = LatentDiffusionConfig(
    resolution=16,
    latent_channels=4,
    latent_size=4,
    patch_size=2,
    width=16,
    heads=2,
    layers=2,
    text_dim=TEXT_DIM,
    sentence_dim=SENTENCE_DIM,
    text_length=4,
    autoencoder="tiny-vqgan",
    text="tiny-text",
)


def flow(seed: int = 0, **changes: Any) -> Flow:
    """One whose weights are all random, so that everything that goes in matters."""
    config = LatentDiffusionConfig.from_dict({**TINY.to_dict(), **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Flow(config)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made.requires_grad_(False).eval()


def autoencoder() -> VQGAN:
    assert TINY_VQGAN.resolution == TINY.resolution
    return tiny_model().requires_grad_(False).eval()


def painter(seed: int = 0) -> LatentDiffusion:
    return LatentDiffusion(flow(seed), autoencoder(), Reader())


class Gaussian(Flow):
    """The exact flow of codes that are normal with mean m and deviation s, whatever is said.

    v(x) = E[e - x0 | x] = -m + (sigma - (1 - sigma) s^2) / ((1 - sigma)^2 s^2 + sigma^2)
    (x - (1 - sigma) m); it takes noise e to m + s e.
    """

    def __init__(self, m: float, s: float) -> None:
        super().__init__(TINY)
        self.m, self.s = m, s

    def forward(self, x: Tensor, sigma: Tensor, words: Words) -> Tensor:
        t = sigma.view(-1, 1, 1, 1)
        variance = (1 - t) ** 2 * self.s**2 + t**2
        slope = (t - (1 - t) * self.s**2) / variance
        return slope * (x - (1 - t) * self.m) - self.m


class Parrot(Flow):
    """Its velocity is the sentence's first number, everywhere."""

    def __init__(self) -> None:
        super().__init__(TINY)

    def forward(self, x: Tensor, sigma: Tensor, words: Words) -> Tensor:
        return words.sentence[:, 0].view(-1, 1, 1, 1).expand_as(x).clone()


def say(*numbers: float) -> Words:
    """What `Parrot` repeats, one row a number."""
    sentence = torch.zeros(len(numbers), TINY.sentence_dim)
    sentence[:, 0] = torch.tensor(numbers)
    return Words(torch.zeros(len(numbers), 1, TINY.text_dim), sentence)
