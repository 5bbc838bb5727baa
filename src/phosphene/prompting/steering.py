"""What gan-clip moves: all that a generator's picture depends on, as one row of numbers.

z and class weights of a GAN, or the styles of one that has them, so that a search moves both, and
is brought back after each step to what the generator was trained on: elsewhere a perceptor finds
pictures that please it and nobody else. The idea of moving BigGAN's z and classes by CLIP is
"The Big Sleep" (Ryan Murdock, 2021).
"""

import math
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Unsupported
from phosphene.core.images import Images, on_white
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.protocols import Decoder, Generator, Styled
from phosphene.core.rng import Rng

# What a step of 1 along a logit does: the classes move as far as z, whose components are about 1
CLASS_PACE = 4.0
CLASS_REACH = 12.0  # largest difference of logits from their mean, in nats
FIRST_SHARE = 0.9  # of the class that a start was drawn in
NUM_STYLES = 256  # draws that tell how far styles lie from their mean


class Steered:
    """A generator as a `Confined` decoder of rows.

    Args:
        generator: A GAN: it draws, and decodes in one differentiable pass.
    Raises:
        Unsupported: it does not.
    """

    def __init__(self, generator: object) -> None:
        if not (isinstance(generator, Generator) and isinstance(generator, Decoder)):
            raise Unsupported("this model cannot be steered: it has no differentiable decode()")
        self.generator: Any = generator
        self.styled = isinstance(generator, Styled)
        self.num_classes = 0 if self.styled else int(getattr(generator, "num_classes", 0))
        self.shape = self._latent_shape()
        self.spec = LatentSpec(Space.STEERED, (math.prod(self.shape) + self.num_classes,))
        self.reach = self._reach() if self.styled else math.inf

    @property
    def resolution(self) -> tuple[int, int]:
        """Height and width of the pictures, px."""
        return cast(tuple[int, int], self.generator.resolution)

    def draw(self, rng: Rng) -> Latent:
        """Rows of what the generator draws: of the seeds of `sample`, for its purpose."""
        condition = None
        if hasattr(self.generator, "any_condition"):
            condition = self.generator.any_condition(rng.fork("render"))
        latent = self.generator.draw(rng.fork("z"), condition)
        if self.styled:
            with torch.no_grad():
                latent = self.generator.map(latent, condition)
        return self.pack(latent, condition)

    def pack(self, latent: Latent, condition: Condition | None = None) -> Latent:
        """One row of a latent and its class weights; weights become logits a little short of 1."""
        row = latent.data.flatten(1).float()
        if not self.num_classes:
            return Latent(Space.STEERED, row)
        assert condition is not None
        assert condition.classes is not None
        rest = (1 - FIRST_SHARE) / self.num_classes
        logits = (FIRST_SHARE * condition.classes + rest).clamp_min(1e-6).log() / CLASS_PACE
        return Latent(Space.STEERED, torch.cat([row, logits.to(row)], dim=1))

    def unpack(self, row: Latent) -> tuple[Latent, Condition | None]:
        """The latent, in z or w+, and the class weights, which sum to 1."""
        data = row.expect(Space.STEERED)
        size = math.prod(self.shape)
        space = Space.W_PLUS if self.styled else Space.Z
        latent = Latent(space, data[:, :size].reshape(len(data), *self.shape))
        if not self.num_classes:
            return latent, None
        return latent, Condition(classes=torch.softmax(CLASS_PACE * data[:, size:], dim=1))

    def decode(self, latent: Latent, condition: Condition | None = None) -> Images:
        """Rows to images in about [-1, 1]; differentiable. The row has its own condition."""
        images: Images = self.generator.decode(*self.unpack(latent))
        return on_white(images)

    def confine(self, latent: Latent) -> Latent:
        """Bring rows back to where draws are.

        z ~ N(0, I) lies on a shell of radius sqrt(d), so it is scaled there; a uniform z is clipped
        to [-1, 1]; a layer's style comes no farther from the mean style than draws do on average.
        """
        data = latent.expect(Space.STEERED)
        size = math.prod(self.shape)
        own, logits = data[:, :size], data[:, size:]
        if self.styled:
            own = self._near_the_mean(own)
        elif getattr(self.generator, "prior", "normal") == "uniform":
            own = own.clamp(-1, 1)
        else:
            length = torch.linalg.vector_norm(own, dim=1, keepdim=True).clamp_min(1e-12)
            own = own * (math.sqrt(size) / length)
        if self.num_classes:
            logits = logits - logits.mean(dim=1, keepdim=True)
            logits = logits.clamp(-CLASS_REACH / CLASS_PACE, CLASS_REACH / CLASS_PACE)
        return latent.with_data(torch.cat([own, logits], dim=1))

    def _near_the_mean(self, rows: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        mean = self.generator.w_avg.to(rows)
        away = rows.reshape(len(rows), *self.shape) - mean
        length = torch.linalg.vector_norm(away, dim=-1, keepdim=True).clamp_min(1e-12)
        near: Tensor = mean + away * (self.reach / length).clamp_max(1)
        return near.flatten(1)

    def _latent_shape(self) -> tuple[int, ...]:
        if self.styled:
            return self.generator.num_ws, len(self.generator.w_avg)
        shape = self.generator.spec.shape
        if self.generator.spec.space is not Space.Z or None in shape:
            raise Unsupported("this model cannot be steered: it does not paint from a z of its own")
        return tuple(shape)

    @torch.no_grad()
    def _reach(self) -> float:
        """Mean distance of drawn styles from the mean style."""
        rng = Rng(tuple(range(NUM_STYLES)), "/steered")
        condition = self.generator.any_condition(rng)
        w = self.generator.map(self.generator.draw(rng, condition), condition).data[:, 0]
        away = w.float() - self.generator.w_avg.float()
        return float(torch.linalg.vector_norm(away, dim=1).mean())
