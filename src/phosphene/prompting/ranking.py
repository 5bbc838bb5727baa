"""Which of several pictures shows the words best, in the eyes of one or more perceptors.

Source: Ramesh et al. 2021, section 2.6: candidates of DALL-E are ranked by a contrastive model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.images import Images, resize
from phosphene.core.protocols import Perceptor
from phosphene.prompting.objective import spherical_distance


@dataclass(frozen=True, slots=True)
class Ranking:
    """How far whole pictures are from a text: an `Objective` without cutouts.

    sum over perceptors of weight * spherical distance between picture and text.

    Args:
        judges: Perceptors, and how much each counts.
        text: The words.
    """

    judges: Sequence[tuple[Perceptor, float]]
    text: str

    @torch.no_grad()
    def __call__(self, images: Images) -> Float[Tensor, " b"]:
        """Distances of pictures in [-1, 1], one each; the lowest is the best."""
        total = torch.zeros(len(images), device=images.device)
        for perceptor, weight in self.judges:
            side = perceptor.input_size
            seen = perceptor.encode_image(resize(images, side, side))
            total += weight * spherical_distance(seen, perceptor.encode_text([self.text]))
        return total
