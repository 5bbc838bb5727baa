"""A coarse look at latents: exact where the autoencoder is linear, and good on a real one."""

from types import SimpleNamespace

import torch
from torch import nn

from phosphene.core.images import resize
from phosphene.families.diffusion.glimpse import Glimpse

FACTOR = 4


class Linear(nn.Module):
    """An autoencoder whose latents are mixed colours of its positions."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)
        self.config = SimpleNamespace(scaling_factor=0.5, shift_factor=0.3)
        self.asked = 0

    def encode(self, pixels):
        self.asked += 1
        small = nn.functional.avg_pool2d(pixels, FACTOR)
        mixed = torch.einsum("dc,bchw->bdhw", self.matrix, small) + 0.7
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: mixed))


def scaled(vae, pixels):
    latents = vae.encode(pixels).latent_dist.mode()
    return (latents - vae.config.shift_factor) * vae.config.scaling_factor


def test_a_linear_autoencoder_is_undone():
    vae = Linear(torch.randn(4, 3))
    pixels = resize(torch.rand(2, 3, 5, 6) * 1.6 - 0.8, 20, 24)
    small = nn.functional.avg_pool2d(pixels, FACTOR)
    seen = Glimpse(vae, FACTOR)(scaled(vae, pixels).detach(), 5, 6)
    torch.testing.assert_close(seen, small, rtol=1e-3, atol=1e-3)


def test_it_is_fitted_once_and_has_the_size_asked_for():
    vae = Linear(torch.randn(4, 3))
    glimpse = Glimpse(vae, FACTOR)
    for _ in range(2):
        seen = glimpse(torch.randn(1, 4, 5, 6) * 100, 20, 24)
        assert seen.shape == (1, 3, 20, 24)
        assert seen.abs().max() <= 1
    assert vae.asked == 1
    assert not seen.requires_grad


def test_latents_that_say_nothing_are_grey():
    seen = Glimpse(Linear(torch.zeros(4, 3)), FACTOR)(torch.zeros(1, 4, 2, 2), 8, 8)
    torch.testing.assert_close(seen, torch.zeros_like(seen), rtol=0, atol=1e-4)
