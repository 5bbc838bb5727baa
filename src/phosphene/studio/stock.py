"""Genes on one model: those of seeds, those of pictures that phosphene made, and their pictures.

Everybody is painted with the constant noise of the layers, so that relatives differ in their genes
alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, Space
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_from
from phosphene.explore.geometry import truncate_psi
from phosphene.explore.walk import Moment
from phosphene.studio.dreamer import Dreamer, set_up
from phosphene.zoo import Zoo

RICHER = (Space.Z, Space.W, Space.W_PLUS)  # each holds all pictures of those before it


@dataclass(frozen=True, slots=True)
class Untruncated:
    """A generator as `dreamer.set_up` knows it, without truncation: genes get theirs at the end."""

    model: str
    truncation_psi: float | None = None
    truncation_threshold: float | None = None
    truncation_scale: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """A generator and a space of genes.

    Args:
        space: z, w or w_plus.
        psi: Of the pictures; it does not change genes.
    Raises:
        RecipeError: a space that the model does not have.
    """

    dreamer: Dreamer
    space: Space
    psi: float = 1.0

    def __post_init__(self) -> None:
        if self.space is not Space.Z and self.dreamer.styled is None:
            raise RecipeError(
                f"space: {self.dreamer.recipe.model!r} has no styles, so no {self.space}; use z"
            )

    @property
    def model(self) -> str:
        """The generator's name."""
        return self.dreamer.recipe.model

    @property
    def centre(self) -> Float[Tensor, " w_dim"] | None:
        """Where lengths are measured from: w_avg for styles, None for 0."""
        styled = self.dreamer.styled
        if styled is None or self.space is Space.Z:
            return None
        return styled.w_avg.detach().float().cpu()

    @torch.no_grad()
    def founder(self, seed: int, classes: Mapping[str, float]) -> Genes:
        """Genes of the picture that `sample` gives for a seed.

        Args:
            classes: Weights by name; none lets the seed draw a class.
        Raises:
            Unsupported, RecipeError: classes that the model does not have.
        """
        condition: Condition | None = None
        if classes:
            condition = self.dreamer.generator.condition_of([dict(classes)])
        condition = self.dreamer.condition(seed, condition)
        weights = None if condition is None else condition.classes
        return self.lifted(Genes(Latent(Space.Z, self.dreamer.z(seed)), weights))

    def found(self, text: str) -> Genes:
        """Genes that a picture carries.

        Raises:
            RecipeError: damaged, of another model, or of a richer space than this.
        """
        genes = self.lifted(genes_from(text))
        try:
            self.picture(genes)
        except LatentMismatch:
            raise RecipeError(
                f"genes in {genes.latent.space} {list(genes.latent.data.shape[1:])} are not of "
                f"{self.model!r}; take the model that the picture was made with"
            ) from None
        return genes

    @torch.no_grad()
    def lifted(self, genes: Genes) -> Genes:
        """The same picture's genes in the stock's space.

        Raises:
            RecipeError: this space is poorer than theirs.
        """
        latent, styled = genes.latent, self.dreamer.styled
        if RICHER.index(latent.space) > RICHER.index(self.space):
            raise RecipeError(
                f"space: genes in {latent.space} cannot be had in {self.space}; use {latent.space}"
            )
        if latent.space is self.space:
            return genes
        assert styled is not None
        if latent.space is Space.Z:
            mapped = styled.map(latent, _condition(genes)).data[:, 0]
            latent = Latent(Space.W, mapped.float().cpu())
        if self.space is Space.W_PLUS:
            layers = latent.data[:, None].expand(-1, styled.num_ws, -1)
            latent = Latent(Space.W_PLUS, layers.contiguous())
        return Genes(latent, genes.classes)

    @torch.no_grad()
    def picture(self, genes: Genes, noise_of: int | None = None) -> Images:
        """Paint, 1 c h w, clipped to [-1, 1].

        Args:
            noise_of: The seed whose sample's layer noise it gets; None is constant noise.
        """
        latent, styled = genes.latent, self.dreamer.styled
        if styled is None:
            latent = latent.with_data(latent.data * self.psi)
        elif self.psi != 1:
            if latent.space is Space.Z:
                latent = styled.map(latent, _condition(genes))
            mean = styled.w_avg.detach().float().cpu()
            latent = latent.with_data(truncate_psi(latent.data.cpu().float(), mean, self.psi))
        noise = None
        if noise_of is not None and styled is not None:
            noise = self.dreamer.layer_noise(noise_of)
        return self.dreamer.paint(Moment(latent, _condition(genes), noise))

    def class_names(self) -> Sequence[str]:
        """Of the model's classes; none where it has none."""
        names: Sequence[str] = getattr(self.dreamer.generator, "class_names", ())
        return names


def open_stock(
    model: str, zoo: Zoo, device: str = "cpu", space: Space | None = None, psi: float = 1.0
) -> Stock:
    """Load a generator for its genes.

    Args:
        space: None is w for models with styles, z for others.
    Raises:
        Unsupported: the model is no generator that draws by itself.
        RecipeError: a space that it does not have.
        WeightsError: its weights are not here.
    """
    dreamer = set_up(Untruncated(model), zoo, device)
    if space is None:
        space = Space.Z if dreamer.styled is None else Space.W
    return Stock(dreamer, space, psi)


def _condition(genes: Genes) -> Condition | None:
    return None if genes.classes is None else Condition(classes=genes.classes)
