"""A token transformer of a few thousand numbers, and a painter with a VQGAN of 16 px."""

from typing import Any

import torch

from phosphene.families.tokens.generator import TokenPainter
from phosphene.families.tokens.transformer import TokenTransformer, TokenTransformerConfig
from phosphene.families.tokens.vqgan import VQGAN
from tests.reader import TEXT_DIM, Reader
from tests.sketchbook import SHOWN, sketches
from tests.studio.fakes import TINY as TINY_VQGAN
from tests.studio.fakes import tiny_model

TINY_TOKENS = TokenTransformerConfig(
    resolution=16,
    grid_size=4,
    vocab=TINY_VQGAN.codebook_size,
    group_size=2,
    width=16,
    heads=2,
    layers=2,
    token_width=8,
    local_width=16,
    local_layers=1,
    text_dim=TEXT_DIM,
    text_length=4,
    autoencoder="tiny-vqgan",
    text="tiny-text",
)


def transformer(seed: int = 0, **changes: Any) -> TokenTransformer:
    """One whose weights are all random, so that everything that goes in matters."""
    config = TokenTransformerConfig.from_dict({**TINY_TOKENS.to_dict(), **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = TokenTransformer(config)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return made.requires_grad_(False).eval()


def autoencoder() -> VQGAN:
    assert TINY_VQGAN.resolution == TINY_TOKENS.resolution
    return tiny_model().requires_grad_(False).eval()


def token_painter(seed: int = 0) -> TokenPainter:
    return TokenPainter(transformer(seed), autoencoder(), Reader())


def after_sketches() -> TokenPainter:
    """One that paints after drawings."""
    return TokenPainter(transformer(**SHOWN), autoencoder(), Reader(), sketches())
