"""What seeds and pictures are to a walk: a generator's own draws, and genes that were found."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene.core.latent import Space
from phosphene.explore.walk import LayerNoise
from phosphene.studio.compass import genes_of
from phosphene.studio.dreamer import Dreamer
from phosphene.studio.stock import open_stock
from phosphene.zoo import Zoo


@dataclass(frozen=True, slots=True, eq=False)
class PictureAlbum:
    """An `explore.walk.Album` on a generator."""

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
