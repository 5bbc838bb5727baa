"""The recipe `Mix`: one picture's styles in some layers of another."""

from typing import Literal, Self

from pydantic import Field, model_validator

from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.fields import (
    MAX_SAMPLES,
    Location,
    Psi,
    Scale,
    SeedList,
    Threshold,
    model_title,
    seed_list,
)


class Mix(Painting):
    """A sheet of style mixing: each picture has its row's styles, and its column's in some layers.

    The first row and the first column show the pictures that give the styles.
    """

    kind: Literal["mix"] = "mix"
    model: Location = Field(description="a generator with styles: a name or a path")
    rows: SeedList = Field("0-3", description="seeds that give the styles: `3,5,10-17`")
    columns: SeedList = Field("4-9", description="seeds that give the styles of `layers`")
    layers: Location = Field(
        "coarse", description="coarse (4²-8² px), middle (16²-32²), fine (64² on), all, or 0-3"
    )
    classes: Location | None = Field(
        None, description="the class of all, or a mixture as `fox:0.5+owl:0.5`; none = by seed"
    )
    truncation_psi: Psi = None
    truncation_threshold: Threshold = None
    truncation_scale: Scale = None

    @model_validator(mode="after")
    def _fits_on_a_sheet(self) -> Self:
        count = (len(seed_list(self.rows)) + 1) * (len(seed_list(self.columns)) + 1)
        if count > MAX_SAMPLES:
            raise ValueError(f"rows: {count:,} pictures; use up to {MAX_SAMPLES}")
        return self

    @property
    def title(self) -> str:
        """The generator, and what is mixed."""
        return f"{model_title(self.model)} mix {self.layers}"

    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of the rows, then those of the columns."""
        return seed_list(self.rows) + seed_list(self.columns)

    def labels(self) -> list[str]:
        """There is one sheet; its first seed tells it from others."""
        return [str(self.all_seeds()[0])]
