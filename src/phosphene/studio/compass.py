"""The directions that a recipe names, found on its model: from draws, from weights, from examples.

All are deterministic: draws have seeds of their own, so a slider means the same in every picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.images import on_white, resize
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.rng import Rng
from phosphene.explore.breed import Genes
from phosphene.explore.directions import (
    Direction,
    Moments,
    discriminant_direction,
    factor_directions,
    principal_directions,
)
from phosphene.explore.family_tree import Nursery
from phosphene.explore.geometry import style_layers
from phosphene.explore.paths import NUMBERED
from phosphene.explore.seen_directions import seen_directions
from phosphene.studio.ancestry import origin_of
from phosphene.studio.recipe import Edit
from phosphene.studio.recipes.fields import seed_list, split_weight
from phosphene.studio.stock import Stock
from phosphene.zoo import Zoo

AT_ONCE = 64  # draws
ENOUGH = 2  # examples a component of w, from which on their correlations are known
SHRINKAGE = 0.1
SEEN_SIDE = 16  # px: pictures whose changes are looked at


@dataclass(frozen=True, slots=True, eq=False)
class Compass:
    """Finds directions on a model.

    Args:
        stock: In w_plus for models with styles, else in z.
        genes: Of the picture that is edited: a model that knows classes turns within its own.
    """

    recipe: Edit
    stock: Stock
    genes: Genes
    zoo: Zoo
    device: str

    def directions(self, names: Sequence[str]) -> list[Direction]:
        """The directions of these names, in order.

        Raises:
            RecipeError: one that there is not.
        """
        numbered: dict[str, int] = {}
        for name in names:
            self._demand(name)
            if name not in self.recipe.attributes and (found := NUMBERED.fullmatch(name)):
                kind, number = found[1], int(found[2])
                numbered[kind] = max(numbered.get(kind, 0), number + 1)
        known: dict[str, Direction] = {}
        for kind, count in numbered.items():
            made = self._principal(count) if kind == "pc" else self._factors(count)
            known |= {direction.name: direction for direction in made}
        known |= {n: self._attribute(n) for n in names if n in self.recipe.attributes}
        return [known[name] for name in names]

    def _demand(self, name: str) -> None:
        if name in self.recipe.attributes or NUMBERED.fullmatch(name):
            return
        hint = did_you_mean(name, self.recipe.attributes)
        raise RecipeError(
            f"no direction {name[:40]!r}{hint}; there are pc0, pc1, ..., sefa0, sefa1, ... and "
            "attributes that are given examples: attributes.smile=3,5/1,2"
        )

    def _principal(self, count: int) -> list[Direction]:
        if self.stock.dreamer.styled is None:
            return seen_directions(self._seen(), count)
        return principal_directions(self._styles(), count)

    def _factors(self, count: int) -> list[Direction]:
        weights = self.stock.dreamer.generator.latent_weights()
        if self.stock.dreamer.styled is None:
            return factor_directions(weights, count)
        layers = style_layers(self.recipe.layers, len(weights))
        moments = Moments()
        for batch in self._styles():
            moments.add(batch)
        return factor_directions(weights[layers.start : layers.stop], count, moments)

    def _attribute(self, name: str) -> Direction:
        """From examples without to examples with it.

        Correlations are undone only where there are examples enough to know them. A slider counts
        deviations of all draws: those of the examples are theirs alone, and along what tells them
        apart nearly 0.
        """
        examples = self.recipe.attributes[name]
        lacking, having = (
            torch.cat([self._example(entry) for entry in entries_of(given)])
            for given in (examples.lacking, examples.having)
        )
        known = len(lacking) + len(having) >= ENOUGH * lacking.shape[1]
        shrinkage = SHRINKAGE if known and self.stock.dreamer.styled is not None else 1.0
        found = discriminant_direction(name, lacking, having, shrinkage)
        return replace(found, deviation=self._deviation(found.vector))

    def _deviation(self, vector: Float[Tensor, " d"]) -> float:
        """Standard deviation of draws along a unit vector."""
        if self.stock.dreamer.styled is None:
            batches = (rng.fork("z") for rng in self._draws())
            draws = [self.stock.dreamer.generator.draw(rng).data.flatten(1) for rng in batches]
        else:
            draws = list(self._styles())
        return float((torch.cat(draws).float().cpu() @ vector).std())

    def _example(self, entry: int | str) -> Float[Tensor, "1 d"]:
        """z of a seed or a picture; of models with styles the mean of its layers' w."""
        if isinstance(entry, int):
            genes = self.stock.founder(entry, {})
        else:
            genes = genes_of(entry, self.stock, self.zoo, self.device)
        data = genes.latent.data.float().cpu()
        return data.mean(1) if genes.latent.space is Space.W_PLUS else data

    @torch.no_grad()
    def _styles(self) -> Iterator[Float[Tensor, "b w_dim"]]:
        """w of many draws."""
        styled = self.stock.dreamer.styled
        assert styled is not None
        for rng in self._draws():
            condition = self.stock.dreamer.generator.any_condition(rng.fork("render"))
            z = self.stock.dreamer.generator.draw(rng.fork("z"))
            yield styled.map(z, condition).data[:, 0].float().cpu()

    @torch.no_grad()
    def _seen(self) -> Iterator[tuple[Float[Tensor, "b d"], Float[Tensor, "b n"]]]:
        """z of many draws, and small pictures of them, of the class that is edited."""
        for rng in self._draws():
            z = self.stock.dreamer.generator.draw(rng.fork("z")).data
            condition = None
            if self.genes.classes is not None:
                condition = Condition(classes=self.genes.classes.expand(len(z), -1))
            images = self.stock.dreamer.generator.decode(Latent(Space.Z, z), condition)
            small = resize(on_white(images.clamp(-1, 1)), SEEN_SIDE, SEEN_SIDE)
            yield z.float().flatten(1).cpu(), small.flatten(1).cpu()

    def _draws(self) -> Iterator[Rng]:
        for start in range(0, self.recipe.samples, AT_ONCE):
            seeds = range(start, min(start + AT_ONCE, self.recipe.samples))
            yield Rng(tuple(seeds), "/directions")


def sliders_of(recipe: Edit) -> dict[str, float]:
    """The amounts of a recipe's directions, by name; one that is named twice adds up."""
    sliders: dict[str, float] = {}
    for entry in recipe.directions:
        name, amount = split_weight(entry)
        sliders[name] = sliders.get(name, 0.0) + amount
    return sliders


def genes_of(entry: str, stock: Stock, zoo: Zoo, device: str) -> Genes:
    """Genes of a picture that phosphene made, in a stock's space.

    Raises:
        RecipeError: it is of another model, or has no genes.
        ImageError: it is unreadable, or not made by phosphene.
    """
    origin = origin_of(entry, zoo, device)
    if origin.model != stock.model:
        raise RecipeError(
            f"{entry[:60]!r} is of the model {origin.model[:60]!r}, not of {stock.model[:60]!r}"
        )
    own = Stock(stock.dreamer, Space(origin.space or stock.space))
    nursery = Nursery(origin.tree, own.founder, own.centre, own.found)
    return stock.lifted(nursery.genes(origin.name))


def entries_of(given: Sequence[str]) -> list[int | str]:
    """Seeds, ranges of seeds, and paths."""
    found: list[int | str] = []
    for entry in given:
        try:
            found += seed_list(entry)
        except ValueError:
            found.append(entry)
    return found
