"""What seeds, pictures and directions are to a walk: draws, genes that were found, a compass."""

import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from jaxtyping import Float
from torch import Tensor

from phosphene.core.latent import Condition, Space
from phosphene.explore.breed import Genes
from phosphene.explore.paths import NUMBERED
from phosphene.explore.walk import LayerNoise
from phosphene.studio.compass import Compass, genes_of
from phosphene.studio.dreamer import Dreamer
from phosphene.studio.recipe import Edit
from phosphene.studio.stock import open_stock
from phosphene.zoo import Zoo

NUM_KEPT = 16  # directions of a model that are found together, and kept as long as it is
_DIRECTIONS: MutableMapping[Any, dict[Any, list[Tensor]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class PictureAlbum:
    """An `explore.walk.Album` and `Guide` on a generator."""

    dreamer: Dreamer
    zoo: Zoo
    device: str

    def z(self, seed: int) -> Float[Tensor, "1 ..."]:
        """What a seed draws, truncated as the walk says."""
        return self.dreamer.z(seed)

    def classes(self, name: str) -> Float[Tensor, "1 num_classes"]:
        """Weights of a class by its name or number."""
        return self.dreamer.classes(name)

    def layer_noise(self, seed: int) -> LayerNoise:
        """The layer noise of a seed's sample."""
        return self.dreamer.layer_noise(seed)

    def found(self, picture: str, space: Space) -> Float[Tensor, "1 ..."]:
        """What a picture was painted from; the walk's truncation does not touch it.

        Raises:
            RecipeError: it is of another model, has no genes, or has them in a richer space.
            ImageError: it is unreadable, or not made by phosphene.
        """
        stock = open_stock(self.dreamer.recipe.model, self.zoo, self.device, space)
        return genes_of(picture, stock, self.zoo, self.device).latent.data

    def direction(self, name: str, condition: Condition | None) -> Float[Tensor, "1 d"]:
        """One standard deviation along a direction, as `edit` finds it.

        Args:
            condition: Classes within which a model without styles is looked at; a batch of one.
        Raises:
            RecipeError: no such direction.
        """
        styled = self.dreamer.styled
        size = math.prod(self.dreamer.generator.spec.shape) if styled is None else len(styled.w_avg)
        found, count = NUMBERED.fullmatch(name), min(NUM_KEPT, size)
        if found is None or int(found[2]) >= count:
            return self._found((name,), condition)[0]
        classes = None if condition is None else condition.classes
        row = () if classes is None else tuple(classes[0].tolist())
        kept = _DIRECTIONS.setdefault(self.dreamer.generator, {})
        if (found[1], row) not in kept:
            names = [f"{found[1]}{i}" for i in range(count)]
            kept[found[1], row] = self._found(names, condition)
        return kept[found[1], row][int(found[2])]

    def _found(self, names: Sequence[str], condition: Condition | None) -> list[Tensor]:
        model = self.dreamer.recipe.model
        space = Space.Z if self.dreamer.styled is None else Space.W_PLUS
        stock = open_stock(model, self.zoo, self.device, space)
        genes = stock.founder(0, {})
        if condition is not None:
            genes = Genes(genes.latent, condition.classes)
        asked = Edit.model_validate({"model": model, "layout": "sheet", "seed": 0})
        found = Compass(asked, stock, genes, self.zoo, self.device).directions(names)
        return [(d.deviation * d.vector.double().cpu())[None] for d in found]
