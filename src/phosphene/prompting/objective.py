"""What a picture is pulled towards: losses a sample, lower is better.

Everything here offers `at(index)`, the objective of one step, which is a pure function of pictures:
the same index sees the same cutouts. Objectives without randomness are their own `at`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.images import Images, Picture, resize
from phosphene.core.protocols import Objective, Perceptor
from phosphene.core.rng import Rng
from phosphene.core.streams import by_rows
from phosphene.prompting.cut_schedule import CutSchedule
from phosphene.prompting.cutouts import Cutouts, Views
from phosphene.prompting.prompt import Phrase
from phosphene.prompting.weighing import embed_words

Losses = Float[Tensor, " b"]


@runtime_checkable
class StepObjective(Protocol):
    """An objective for each step of an optimisation."""

    def at(self, index: int) -> Objective: ...


class Steady(ABC):
    """Base of objectives that are the same at every step: pure functions of pictures."""

    @abstractmethod
    def __call__(self, images: Images) -> Losses:
        """Losses of pictures, one each."""

    def at(self, index: int) -> Objective:
        """The objective of step `index`: itself."""
        return self


def spherical_distance(
    x: Float[Tensor, "... d"], y: Float[Tensor, "... d"]
) -> Float[Tensor, "..."]:
    """Half the squared angle between vectors of equal length, in [0, pi^2 / 2]; broadcasts.

    2 asin(|x - y| / 2)^2 for unit vectors, the classic loss (Crowson et al. 2022). Written as
    angle = 2 atan2(|x - y|, |x + y|) (Kahan), which keeps value and gradient finite from 0 to pi.
    """
    x, y = x.float(), y.float()
    angle = 2 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1))
    return angle.square() / 2


@dataclass(frozen=True, slots=True)
class Gaze:
    """A perceptor, how it looks at pictures, and how much it counts.

    Raises:
        RecipeError: the cutouts' size is not the perceptor's, or the weight is not finite.
    """

    perceptor: Perceptor
    cutouts: Cutouts
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.cutouts.size != self.perceptor.input_size:
            raise RecipeError(
                f"cutouts of {self.cutouts.size} px do not fit a perceptor that sees "
                f"{self.perceptor.input_size} px; give both the same size"
            )
        if not math.isfinite(self.weight):
            raise RecipeError(f"a perceptor has weight {self.weight}; use a finite number")


@dataclass(frozen=True, slots=True)
class PromptObjective:
    """How far pictures are from a scene's phrases, in the eyes of one or more perceptors.

    loss = sum over gazes of weight * sum over phrases of |w| mean over views of
    max(sign(w) distance, stop), as in the classic script: a phrase ends its pull at views nearer
    than its stop, and a negative weight pushes away.

    Args:
        gazes: Those with equal cutouts look at the same views, which are then cut once.
        targets: Unit embeddings of the phrases, one tensor m d a gaze.
        weights: Of the phrases, m.
        stops: Of the phrases, m, in the signed distance; -inf never stops.
        rng: One seed a picture; step `index` sees the views of `rng.fork(index)`.
        schedule: How the cutouts change, step by step; None leaves them as they are.
    """

    gazes: tuple[Gaze, ...]
    targets: tuple[Float[Tensor, "m _"], ...]
    weights: Float[Tensor, " m"]
    stops: Float[Tensor, " m"]
    rng: Rng
    schedule: CutSchedule | None = None

    @classmethod
    def of_scene(
        cls,
        scene: Sequence[Phrase],
        gazes: Sequence[Gaze],
        rng: Rng,
        pictures: Mapping[str, Picture] | None = None,
        schedule: CutSchedule | None = None,
    ) -> "PromptObjective":
        """Embed the phrases of a scene once, with every perceptor.

        Args:
            pictures: The opened picture of each image phrase, by its path as written.
        Raises:
            RecipeError: no gaze, or no picture for an image phrase.
        """
        if not gazes:
            raise RecipeError("a prompt needs at least one perceptor to judge the picture")
        return cls(
            tuple(gazes),
            tuple(_embed_scene(scene, gaze, rng, pictures or {}) for gaze in gazes),
            torch.tensor([phrase.pull for phrase in scene]),
            torch.tensor([phrase.stop for phrase in scene]),
            rng.fork("views"),
            schedule,
        )

    def at(self, index: int) -> Objective:
        """The objective of step `index`."""
        rng = self.rng.fork(index)

        def distance(images: Images) -> Losses:
            views: dict[Cutouts, Views] = {}
            for gaze in self.gazes:
                if gaze.cutouts not in views:
                    views[gaze.cutouts] = self._cutouts(gaze, index)(images, rng)
            losses = [
                gaze.weight * self._judge(gaze, views[gaze.cutouts], targets, len(images))
                for gaze, targets in zip(self.gazes, self.targets, strict=True)
            ]
            return torch.stack(losses).sum(dim=0)

        return distance

    def _cutouts(self, gaze: Gaze, index: int) -> Cutouts:
        return gaze.cutouts if self.schedule is None else self.schedule.at(index, gaze.cutouts)

    def _judge(self, gaze: Gaze, views: Views, targets: Tensor, num_images: int) -> Losses:
        seen = by_rows(gaze.perceptor.encode_image, views)
        seen = seen.view(gaze.cutouts.count, num_images, 1, -1)
        weights, stops = self.weights.to(seen.device), self.stops.to(seen.device)
        signed = spherical_distance(seen, targets) * weights.sign()  # cuts b m
        pull = torch.maximum(signed, stops).mean(dim=0)
        return (pull * weights.abs()).sum(dim=-1)


@torch.no_grad()
def _embed_scene(
    scene: Sequence[Phrase], gaze: Gaze, rng: Rng, pictures: Mapping[str, Picture]
) -> Float[Tensor, "m d"]:
    """Unit embeddings of the phrases; plain texts go through the perceptor in one batch."""
    texts = [phrase.words for phrase in scene if phrase.text is not None]
    embedded = iter(embed_words(gaze.perceptor.encode_text, texts) if texts else ())
    rows = []
    for phrase in scene:
        if phrase.image is None:
            rows.append(next(embedded))
        elif phrase.image in pictures:
            rows.append(embed_picture(pictures[phrase.image], gaze, rng))
        else:
            raise RecipeError(f"no picture was opened for the image prompt {phrase.image!r}")
    return torch.stack(rows).float()


@torch.no_grad()
def embed_picture(picture: Picture, gaze: Gaze, rng: Rng) -> Float[Tensor, " d"]:
    """The unit mean of the embeddings of a picture's cutouts: what an image prompt asks for."""
    # the target of a batch belongs to all its samples, so it is cut with the first one's seed
    seed = Rng(rng.seeds[:1], rng.purpose).fork("image prompt")
    views = gaze.cutouts(picture[None], seed)
    return F.normalize(gaze.perceptor.encode_image(views).float().mean(dim=0), dim=0)


@dataclass(frozen=True, slots=True)
class TotalVariation(Steady):
    """Mean squared difference of neighbouring pixels, right and below; 0 for a flat picture."""

    def __call__(self, images: Images) -> Losses:
        across = (images[..., :, 1:] - images[..., :, :-1]).square().sum(dim=(1, 2, 3))
        down = (images[..., 1:, :] - images[..., :-1, :]).square().sum(dim=(1, 2, 3))
        return (across + down) / images[0].numel()


@dataclass(frozen=True, slots=True)
class InitPull(Steady):
    """Mean squared difference to the init picture; least, and 0, at that picture.

    Args:
        target: One picture for all samples, b = 1, or one each; resampled to the images' size.
    """

    target: Images

    def __call__(self, images: Images) -> Losses:
        target = resize(self.target.to(images), *images.shape[-2:])
        return (images - target).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True, slots=True)
class LatentPull(Steady):
    """Mean squared difference of latents to a target; called with latents instead of images.

    Raises:
        LatentMismatch: the latents have another shape than the target (its b may be 1).
    """

    target: Float[Tensor, "b ..."]

    def __call__(self, latents: Float[Tensor, "b ..."]) -> Losses:
        if latents.shape[1:] != self.target.shape[1:]:
            raise LatentMismatch(
                f"latents of shape {list(latents.shape[1:])} cannot be pulled to one of shape "
                f"{list(self.target.shape[1:])}"
            )
        return (latents - self.target.to(latents)).square().flatten(1).mean(dim=1)


@dataclass(frozen=True, slots=True)
class RangePenalty(Steady):
    """Mean squared excess beyond [-1, 1]; 0 inside."""

    def __call__(self, images: Images) -> Losses:
        return (images.abs() - 1).clamp_min(0).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True, slots=True)
class Saturation(Steady):
    """Mean squared difference of the channels to their grey; 0 for a grey picture.

    A negative weight asks for stronger colours.
    """

    def __call__(self, images: Images) -> Losses:
        return (images - images.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """Several objectives as one."""

    terms: tuple[tuple[StepObjective, float], ...]

    def at(self, index: int) -> Objective:
        """The objective of step `index`."""
        parts = [(objective.at(index), weight) for objective, weight in self.terms]
        return lambda images: torch.stack([w * part(images) for part, w in parts]).sum(dim=0)


def weighted_sum(terms: Iterable[tuple[StepObjective, float]]) -> WeightedSum:
    """Add objectives; those of weight 0 are dropped, so that they cost nothing.

    Raises:
        RecipeError: no term is left, or a weight is not finite.
    """
    kept = tuple((objective, weight) for objective, weight in terms if weight != 0)
    if not kept:
        raise RecipeError("nothing to optimise: every objective has weight 0")
    for objective, weight in kept:
        if not math.isfinite(weight):
            raise RecipeError(f"{type(objective).__name__} has weight {weight}; use a number")
    return WeightedSum(kept)
