"""Breeding: cross and mutate genes so that the children are as likely as their parents.

Genes are a point of z, w or w+ and class weights. A mean of two z is shorter than both and paints
washed-out pictures; the operators here keep the length that the space wants (z from 0, w from
w_avg) and the sum of the class weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.latent import Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore import geometry

Vector = Float[Tensor, "..."]
ClassRow = Float[Tensor, "1 num_classes"]

SPACES = (Space.Z, Space.W, Space.W_PLUS)
QUARTER = math.pi / 2


@dataclass(frozen=True, slots=True, eq=False)
class Genes:
    """What a picture is made of; a batch of one.

    Args:
        latent: In z, w or w+.
        classes: Weights, or None for a model without classes.
    Raises:
        LatentMismatch: another space, or more than one sample.
    """

    latent: Latent
    classes: ClassRow | None = None

    def __post_init__(self) -> None:
        data = self.latent.expect(*SPACES)
        if len(data) != 1:
            raise LatentMismatch(f"genes of {len(data)} samples; breed them one by one")


@dataclass(frozen=True, slots=True)
class Inheritance:
    """Where a child's genes come from.

    Args:
        first: Numbers of the components that equal those of the first parent alone.
        second: Those of the second parent alone.
        both: Those that both parents share with the child.
        between: Those between the parents' values.
        new: Those that neither parent explains.
        classes: For each class whose weight differs from a parent's: child, first, second.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    both: tuple[int, ...]
    between: tuple[int, ...]
    new: tuple[int, ...]
    classes: dict[int, tuple[float, float, float]]


def cross(a: Genes, b: Genes, rng: Rng, share: float = 0.5) -> Genes:
    """A child that has each component from one parent; in w+ each layer's style.

    Nothing is averaged, so a child of draws from N(0, I) is such a draw itself, of the same length
    in the mean. Classes are mixed, `(1 - share) y_a + share y_b`.

    Args:
        rng: Of the child; decides what comes from whom.
        share: The probability of b's.
    Raises:
        LatentMismatch: parents of different models or spaces.
        RecipeError: a share outside of 0 to 1.
    """
    _demand_share("share", share)
    _demand_relatives(a, b)
    x, y = a.latent.data, b.latent.data
    shape = x.shape[1:2] if a.latent.space is Space.W_PLUS else x.shape[1:]
    chosen = (rng.fork("cross").uniform(*shape) < share).to(x.device)
    chosen = chosen.reshape(1, *shape, *[1] * (x.ndim - 1 - len(shape)))
    child = a.latent.with_data(torch.where(chosen, y, x))
    return Genes(child, _mixed(a.classes, b.classes, share))


def blend(a: Genes, b: Genes, share: float = 0.5, centre: Vector | None = None) -> Genes:
    """A child between its parents: on the arc around the centre, classes mixed.

    Raises:
        LatentMismatch: parents of different models or spaces.
        RecipeError: a share outside of 0 to 1.
    """
    _demand_share("share", share)
    _demand_relatives(a, b)
    x, y = _away(a.latent.data, centre), _away(b.latent.data, centre)
    child = _back(geometry.slerp(x, y, share), centre)
    return Genes(a.latent.with_data(child), _mixed(a.classes, b.classes, share))


def cross_classes(a: Genes, b: Genes, share: float = 0.5) -> Genes:
    """A child that is a in everything but the class, which is mixed with b's.

    Raises:
        LatentMismatch: parents of different models or spaces.
        RecipeError: a model without classes, or a share outside of 0 to 1.
    """
    _demand_share("share", share)
    _demand_relatives(a, b)
    if a.classes is None:
        raise RecipeError("this model knows no classes to cross; cross z or w")
    return Genes(a.latent, _mixed(a.classes, b.classes, share))


def likeness(child: Genes, parent: Genes, centre: Vector | None = None) -> float:
    """Cosine between the latents of two relatives, seen from the centre: 1 is the same.

    Raises:
        LatentMismatch: relatives of different models or spaces.
    """
    _demand_relatives(child, parent)
    own, other = (_away(g.latent.data, centre).double().flatten() for g in (child, parent))
    return float(torch.cosine_similarity(own, other, dim=0))


def mutate(
    genes: Genes, stranger: Genes, strength: float = 0.3, centre: Vector | None = None
) -> Genes:
    """Turn genes by `strength` quarter turns towards a stranger; their length stays.

    `cos(θ) x + sin(θ) x'`, θ = strength π/2, x' the stranger's part perpendicular to x at x's
    length. For independent z ~ N(0, I) that is N(0, I) again (but for the length, which is kept);
    0 changes nothing, at 1 nothing is left of x.

    Args:
        stranger: A draw of its own; in w the style of a draw. Its classes are not used.
        strength: From 0 to 1.
        centre: The origin of lengths: w_avg in w, None for 0.
    Raises:
        LatentMismatch: a stranger of another model or space.
        RecipeError: a strength outside of 0 to 1.
    """
    _demand_share("strength", strength)
    _demand_relatives(genes, stranger)
    if strength == 0:
        return genes
    x = _away(genes.latent.data, centre)
    turned = geometry.across(_away(stranger.latent.data, centre), x)
    angle = strength * QUARTER
    child = math.cos(angle) * x + math.sin(angle) * turned
    return Genes(genes.latent.with_data(_back(child, centre)), genes.classes)


def mutate_classes(genes: Genes, rng: Rng, strength: float = 0.3) -> Genes:
    """Give a share of the class weights to a class drawn at random; the sum stays.

    Raises:
        RecipeError: a model without classes, or a strength outside of 0 to 1.
    """
    _demand_share("strength", strength)
    if genes.classes is None:
        raise RecipeError("this model knows no classes to mutate; mutate z or w")
    drawn = rng.fork("class").integers(1, high=genes.classes.shape[1])
    other = torch.zeros_like(genes.classes)
    other[0, int(drawn[0, 0])] = float(genes.classes.sum())
    return Genes(genes.latent, _mixed(genes.classes, other, strength))


def inheritance(child: Genes, first: Genes, second: Genes, tolerance: float = 1e-6) -> Inheritance:
    """Compare a child with both its parents, gene by gene, numbered along the flattened latent.

    Args:
        tolerance: Relative difference that counts as equal.
    Raises:
        LatentMismatch: relatives of different models or spaces.
    """
    _demand_relatives(child, first)
    _demand_relatives(child, second)
    own, a, b = (genes.latent.data.double().flatten() for genes in (child, first, second))
    room = tolerance * (1 + torch.maximum(a.abs(), b.abs()))
    is_a, is_b = (own - a).abs() <= room, (own - b).abs() <= room
    inside = (own > torch.minimum(a, b)) & (own < torch.maximum(a, b)) & ~is_a & ~is_b
    return Inheritance(
        first=_numbers(is_a & ~is_b),
        second=_numbers(is_b & ~is_a),
        both=_numbers(is_a & is_b),
        between=_numbers(inside),
        new=_numbers(~(is_a | is_b | inside)),
        classes=_class_differences(child.classes, first.classes, second.classes),
    )


def _class_differences(
    child: Tensor | None, first: Tensor | None, second: Tensor | None
) -> dict[int, tuple[float, float, float]]:
    if child is None or first is None or second is None:
        return {}
    rows = torch.stack([child[0], first[0], second[0]]).double()
    differ = (rows[:1] != rows[1:]).any(0)
    return {
        index: (float(rows[0, index]), float(rows[1, index]), float(rows[2, index]))
        for index in _numbers(differ)
    }


def _numbers(mask: Tensor) -> tuple[int, ...]:
    return tuple(int(index) for index in mask.nonzero()[:, 0])


def _mixed(a: Tensor | None, b: Tensor | None, share: float) -> Tensor | None:
    return None if a is None or b is None else geometry.lerp(a, b, share)


def _away(data: Tensor, centre: Tensor | None) -> Tensor:
    return data if centre is None else data - centre.to(data)


def _back(data: Tensor, centre: Tensor | None) -> Tensor:
    return data if centre is None else data + centre.to(data)


def _demand_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise RecipeError(f"{what} is {share}; use 0 to 1")


def _demand_relatives(a: Genes, b: Genes) -> None:
    sizes: list[Sequence[int]] = []
    for genes in (a, b):
        classes = 0 if genes.classes is None else genes.classes.shape[1]
        sizes.append([*genes.latent.data.shape[1:], classes])
    if a.latent.space is not b.latent.space or sizes[0] != sizes[1]:
        raise LatentMismatch(
            f"genes in {a.latent.space} {sizes[0]} and in {b.latent.space} {sizes[1]} (the last "
            "number counts classes) do not breed; take parents of the same model"
        )
