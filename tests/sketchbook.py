"""A sketchbook of random drawings of 16 px, for models that paint after some."""

import torch
import torch.nn.functional as F

from phosphene.core.rng import Rng
from phosphene.nn.sketching import Sketches
from phosphene.prompting.sketches import Sketchbook
from tests.reader import TEXT_DIM, Reader
from tests.studio.fakes import TINY as TINY_VQGAN
from tests.studio.fakes import tiny_model


def sketchbook(count: int = 12) -> Sketchbook:
    """Pictures of random tokens, with random captions."""
    book = Sketchbook(count, 4, 4, TEXT_DIM)
    rng = Rng(tuple(range(count)), "/sketches")
    book.tokens.copy_(rng.integers(4, 4, high=TINY_VQGAN.codebook_size).to(torch.int16))
    book.embeddings.copy_(F.normalize(rng.normal(TEXT_DIM), dim=1))
    return book


def sketches() -> Sketches:
    autoencoder = tiny_model().requires_grad_(False).eval()
    return Sketches(sketchbook(), autoencoder, lambda texts: Reader().tokens(texts)[0], 16)


SHOWN = {"sketches": "tiny-book"}  # the change of a config that paints after sketches
