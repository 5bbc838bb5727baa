"""Latents: a tensor together with the space it lives in. Knows no model.

Shape letters used throughout phosphene: `b` batch, `c h w` image, `z_dim`, `w_dim`, `num_ws`,
`n` tokens, `k` codebook entries, `d` embedding, `cuts` cutouts.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from torch import Tensor

from phosphene.core.errors import LatentMismatch


class Space(StrEnum):
    """Where a latent lives."""

    Z = "z"
    W = "w"
    W_PLUS = "w_plus"
    CODES = "codes"  # continuous, before the codebook: b d h w
    TOKENS = "tokens"  # indices into the codebook: b h w, int64
    NOISE = "noise"
    IMAGE = "image"
    STEERED = "steered"  # a generator's latent and class logits as one row: b n


@dataclass(frozen=True, slots=True)
class LatentSpec:
    """What one latent of a model looks like.

    Args:
        shape: Without the batch axis; None where the model takes any size.
        vocab: Number of codebook entries, for tokens.
    """

    space: Space
    shape: tuple[int | None, ...]
    vocab: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """A batch of points of one space. Compared by identity: tensors have no single truth value."""

    space: Space
    data: Tensor

    def expect(self, *spaces: Space) -> Tensor:
        """Return the tensor if the latent lives in one of `spaces`.

        Raises:
            LatentMismatch: it lives elsewhere.
        """
        if self.space not in spaces:
            wanted = " or ".join(spaces)
            raise LatentMismatch(f"this needs a latent in space {wanted}, not in {self.space}")
        return self.data

    def with_data(self, data: Tensor) -> "Latent":
        """The same space, another tensor."""
        return replace(self, data=data)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What a generator is asked for.

    Args:
        classes: Float weights, b num_classes, so that classes can be mixed.
        text: One prompt a sample.
    """

    classes: Tensor | None = None
    text: tuple[str, ...] | None = None
