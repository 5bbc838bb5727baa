"""Directions: what to turn in a latent space, found without labels, in the weights, or by example.

A direction is a unit vector of w (or z) with the standard deviation of latents along it, so that
a slider at 2 means the same everywhere: two standard deviations.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError, did_you_mean
from phosphene.explore.geometry import style_layers

Samples = Float[Tensor, "n d"]
Others = Float[Tensor, "n2 d2"]  # of as many components, or LatentMismatch
AnySize = Float[Tensor, "_ _"]  # of a collection, whose items need not agree
Square = Float[Tensor, "d d"]


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One thing to turn.

    Args:
        vector: Unit length.
        deviation: Standard deviation of latents along it: what 1 on its slider means.
        source: Where it comes from: `principal`, `factor`, `example`.
        share: Of the variance (principal) or of the weights' energy (factor), 0 to 1.
    """

    name: str
    vector: Float[Tensor, " d"]
    deviation: float = 1.0
    source: str = "example"
    share: float = math.nan

    def to_data(self) -> dict[str, Any]:
        """Plain data, for JSON; NaN as None."""
        share = None if math.isnan(self.share) else self.share
        return {
            "name": self.name,
            "vector": self.vector.tolist(),
            "deviation": self.deviation,
            "source": self.source,
            "share": share,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Direction":
        """Read what `to_data` gave; the vector is brought to unit length.

        Raises:
            RecipeError: it is no direction.
        """
        try:
            vector = torch.tensor([float(value) for value in data["vector"]])
            deviation, share = float(data["deviation"]), data.get("share")
            made = cls(
                str(data["name"]),
                _unit(vector),
                deviation,
                str(data.get("source", "example")),
                math.nan if share is None else float(share),
            )
        except (KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:60]
            raise RecipeError(
                f"this is no direction ({reason}); it has a name and a vector"
            ) from None
        if not math.isfinite(deviation) or not bool(torch.isfinite(vector).all()):
            raise RecipeError(f"direction {made.name[:40]!r} has values that are not finite")
        return made


@dataclass(slots=True)
class Moments:
    """Mean and covariance of a stream of latents, in float64; the batches do not matter.

    Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.
    """

    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(0))
    scatter: Tensor = field(default_factory=lambda: torch.zeros(0, 0))

    def add(self, batch: Samples) -> None:
        """Take in latents.

        Raises:
            LatentMismatch: of another size than those before.
        """
        data = batch.detach().double().cpu()
        if self.count and data.shape[1] != len(self.mean):
            raise LatentMismatch(
                f"latents of {data.shape[1]} components after some of {len(self.mean)}; "
                "take all from the same model"
            )
        if len(data) == 0:
            return
        mean = data.mean(0)
        scatter = (data - mean).T @ (data - mean)
        if self.count == 0:
            self.count, self.mean, self.scatter = len(data), mean, scatter
            return
        whole = self.count + len(data)
        apart = mean - self.mean
        self.scatter += scatter + torch.outer(apart, apart) * (self.count * len(data) / whole)
        self.mean = self.mean + apart * (len(data) / whole)
        self.count = whole

    def covariance(self) -> Square:
        """Of the samples so far, divided by n - 1.

        Raises:
            RecipeError: fewer than two.
        """
        if self.count < 2:
            raise RecipeError(f"{self.count} latents have no directions; draw at least 2")
        return self.scatter / (self.count - 1)


def principal_directions(batches: Iterable[AnySize], count: int) -> list[Direction]:
    """The directions along which latents vary most, the strongest first (GANSpace).

    Principal components of w over draws of z, exact from any stream of batches.
    Härkönen et al. 2020, "GANSpace: Discovering Interpretable GAN Controls", section 2.

    Raises:
        RecipeError: fewer latents or components than directions wanted.
    """
    moments = Moments()
    for batch in batches:
        moments.add(batch)
    covariance = moments.covariance()
    most = min(len(covariance), moments.count - 1)
    values, vectors = strongest(covariance, count, most)
    whole = float(covariance.trace()) or 1.0
    return [
        Direction(f"pc{i}", vector, math.sqrt(value), "principal", value / whole)
        for i, (value, vector) in enumerate(zip(values, vectors, strict=True))
    ]


def factor_directions(
    weights: Sequence[AnySize], count: int, moments: Moments | None = None
) -> list[Direction]:
    """The directions that the first layers amplify most, from their weights alone (SeFa).

    Eigenvectors of `A^T A`, A the weights that take w (or z), stacked: the solutions of
    `max |A n|²` over unit n. Shen & Zhou 2021, "Closed-Form Factorization of Latent Semantics in
    GANs", equations 4 to 7.

    Args:
        weights: Of the layers chosen, out d each: of StyleGAN the affine layers of the styles.
        moments: Of latents; without them deviations are 1, right for z.
    Raises:
        RecipeError: no weights, or fewer components than directions wanted.
        LatentMismatch: weights that take latents of different sizes.
    """
    if not weights:
        raise RecipeError("no weights to factorise; choose at least one layer")
    sizes = {weight.shape[1] for weight in weights}
    if len(sizes) > 1:
        raise LatentMismatch(
            f"weights that take {sorted(sizes)} components; choose layers of one size"
        )
    size = sizes.pop()
    energy = torch.zeros(size, size, dtype=torch.float64)
    for weight in weights:
        matrix = weight.detach().double().cpu()
        energy += matrix.T @ matrix
    values, vectors = strongest(energy, count, len(energy))
    whole = float(energy.trace()) or 1.0
    found = []
    for i, (value, vector) in enumerate(zip(values, vectors, strict=True)):
        deviation = 1.0 if moments is None else _deviation(moments.covariance(), vector)
        found.append(Direction(f"sefa{i}", vector, deviation, "factor", value / whole))
    return found


def mean_direction(name: str, without: Samples, with_it: Others) -> Direction:
    """From the mean of examples without an attribute to the mean of examples with it.

    Raises:
        RecipeError: no example on a side, or both have the same mean.
        LatentMismatch: examples of different models.
    """
    lacking, having = _groups(without, with_it)
    apart = having.mean - lacking.mean
    return _example(name, apart, _pooled(lacking, having))


def discriminant_direction(
    name: str, without: Samples, with_it: Others, shrinkage: float = 0.1
) -> Direction:
    """The direction that tells examples with an attribute from those without, correlations undone.

    `S^-1 (m1 - m0)`, Fisher's linear discriminant: for normal groups of one covariance S it is the
    direction that logistic regression finds with any number of examples, in closed form. S is
    shrunk towards its mean variance, `(1 - k) S + k tr(S)/d I`, so that few examples suffice.

    Args:
        shrinkage: k, from 0 (needs more examples than components) to 1 (the difference of means).
    Raises:
        RecipeError: too few examples, or a shrinkage out of range.
        LatentMismatch: examples of different models.
    """
    if not 0 <= shrinkage <= 1:
        raise RecipeError(f"shrinkage is {shrinkage}; use 0 to 1")
    lacking, having = _groups(without, with_it)
    pooled = _pooled(lacking, having)
    size = len(pooled)
    if shrinkage == 0 and lacking.count + having.count - 2 < size:
        raise RecipeError(
            f"{lacking.count + having.count} examples of {size} components need shrinkage; "
            "use 0.1, or give more"
        )
    identity = torch.eye(size, dtype=pooled.dtype)
    level = (pooled.trace() / size).clamp_min(1e-12)
    shrunk = (1 - shrinkage) * pooled + shrinkage * level * identity
    return _example(name, torch.linalg.solve(shrunk, having.mean - lacking.mean), pooled)


def turned(
    latents: Float[Tensor, "b *layers d"],
    directions: Sequence[Direction],
    sliders: Mapping[str, float],
    layers: str = "all",
) -> Float[Tensor, "b *layers d"]:
    """Move latents along named directions: `w + sum_i slider_i deviation_i vector_i`.

    Args:
        latents: z or w, b d; or w+, b num_ws d.
        sliders: In standard deviations, by name of the direction.
        layers: Of w+, see `geometry.style_layers`.
    Raises:
        RecipeError: no direction of that name, a slider that is not finite, layers without w+.
        LatentMismatch: directions of another model.
    """
    move = torch.zeros(latents.shape[-1], dtype=torch.float64)
    for name, amount in sliders.items():
        direction = find(directions, name)
        if len(direction.vector) != len(move):
            raise LatentMismatch(
                f"direction {name!r} has {len(direction.vector)} components, the latent "
                f"{len(move)}; both must be of the same model"
            )
        if not math.isfinite(amount):
            raise RecipeError(f"slider {name!r} is {amount}; use a number such as 2")
        move += amount * direction.deviation * direction.vector.double().cpu()
    if layers == "all":
        return (latents.double() + move.to(latents.device)).to(latents.dtype)
    if latents.ndim != 3:
        raise RecipeError(f"layers {layers[:40]!r} are of w+; leave them out in z and w")
    chosen = style_layers(layers, latents.shape[1])
    changed = latents.clone()
    part = changed[:, chosen.start : chosen.stop]
    changed[:, chosen.start : chosen.stop] = (part.double() + move.to(part.device)).to(part.dtype)
    return changed


def find(directions: Sequence[Direction], name: str) -> Direction:
    """A direction by its name.

    Raises:
        RecipeError: there is none.
    """
    for direction in directions:
        if direction.name == name:
            return direction
    names = [direction.name for direction in directions]
    hint = did_you_mean(name, names)
    raise RecipeError(f"no direction {name[:40]!r}{hint}; there are {len(names)}")


def _example(name: str, apart: Tensor, pooled: Tensor) -> Direction:
    if not bool(apart.any()):
        raise RecipeError(f"examples with and without {name[:40]!r} are the same; label others")
    vector = _unit(apart)
    return Direction(name, vector.float(), _deviation(pooled, vector), "example")


def _groups(without: Tensor, with_it: Tensor) -> tuple[Moments, Moments]:
    groups = []
    for examples in (without, with_it):
        moments = Moments()
        moments.add(examples)
        if moments.count == 0:
            raise RecipeError("an attribute needs examples with it and without it; label more")
        groups.append(moments)
    lacking, having = groups
    if len(lacking.mean) != len(having.mean):
        raise LatentMismatch(
            f"examples of {len(lacking.mean)} and of {len(having.mean)} components; "
            "take all from the same model"
        )
    return lacking, having


def _pooled(lacking: Moments, having: Moments) -> Tensor:
    """Covariance within the groups."""
    return (lacking.scatter + having.scatter) / max(1, lacking.count + having.count - 2)


def _deviation(covariance: Tensor, vector: Tensor) -> float:
    """Standard deviation along a unit vector; 1 where there is none."""
    variance = float(vector.double() @ covariance @ vector.double())
    return math.sqrt(variance) if variance > 0 else 1.0


def strongest(symmetric: Tensor, count: int, most: int) -> tuple[list[float], list[Tensor]]:
    """The largest eigenvalues and their vectors, signs fixed so that machines agree."""
    if not 1 <= count <= most:
        raise RecipeError(f"{count} directions of {most} that there are; ask for 1 to {most}")
    values, vectors = torch.linalg.eigh(symmetric)
    values, vectors = values.flip(0)[:count].clamp_min(0), vectors.T.flip(0)[:count]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return values.tolist(), list((vectors * largest.sign()).float())


def _unit(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector)
    return vector / length.clamp_min(1e-12)
