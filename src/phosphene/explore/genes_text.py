"""Genes as text, bit for bit: so a picture can carry what it was made of.

z|100|AAAAPw...            space | shape | float32, little-endian, base64
w_plus|8x512|...|30|...    with class weights after it
"""

import base64
import math

import numpy as np
import torch
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Latent
from phosphene.explore.breed import SPACES, Genes

MAX_NUMBERS = 1_000_000
KNOWN = {str(space): space for space in SPACES}


def genes_text(genes: Genes) -> str:
    """Write genes; `genes_from(genes_text(g))` is g, in float32."""
    parts = [str(genes.latent.space), *_written(genes.latent.data[0])]
    if genes.classes is not None:
        parts += _written(genes.classes[0])
    return "|".join(parts)


def genes_from(text: str) -> Genes:
    """Read genes.

    Raises:
        RecipeError: not what `genes_text` wrote.
    """
    space, *parts = text.split("|")
    if space not in KNOWN or len(parts) not in (2, 4):
        raise RecipeError(f"{text[:20]!r} are no genes; take those that phosphene wrote")
    latent = Latent(KNOWN[space], _read(*parts[:2])[None])
    return Genes(latent, _read(*parts[2:])[None] if parts[2:] else None)


def _written(numbers: Tensor) -> tuple[str, str]:
    values = numbers.detach().float().cpu().contiguous().numpy().astype("<f4")
    shape = "x".join(str(side) for side in numbers.shape)
    return shape, base64.b64encode(values.tobytes()).decode()


def _read(shape: str, numbers: str) -> Tensor:
    try:
        sides = [int(side) for side in shape.split("x")]
        values = np.frombuffer(base64.b64decode(numbers, validate=True), "<f4")
    except ValueError:
        raise RecipeError("the genes are damaged; take the picture as phosphene wrote it") from None
    fits = min(sides) > 0 and math.prod(sides) == len(values) <= MAX_NUMBERS
    if not fits or not np.isfinite(values).all():
        raise RecipeError("the genes are damaged: numbers are missing, too many or not finite")
    return torch.from_numpy(values.astype(np.float32)).reshape(sides)
