"""The recipe `Sample`: a generator paints what it dreams of."""

from typing import Literal, Self

from pydantic import Field, model_validator

from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.fields import (
    MAX_SAMPLES,
    Location,
    Names,
    Psi,
    Scale,
    Seed,
    SeedList,
    Threshold,
    demand_room,
    drawn_seed,
    model_title,
    seed_list,
)


class Sample(Painting):
    """A generator paints what it dreams of: one picture a seed."""

    kind: Literal["sample"] = "sample"
    model: Location = Field("faces-dcgan", description="the generator: a name or a path")
    count: int = Field(
        1, ge=1, le=1024, description="pictures; the i-th is the sole picture of seed + i"
    )
    seed: Seed | None = Field(
        None, description="fixes the pictures; none = one is drawn and written down"
    )
    seeds: SeedList | None = Field(
        None, description="these seeds instead of seed and count: `3,5,10-17`"
    )
    classes: Names = Field(
        (),
        max_length=1024,
        description="classes that the pictures take turns in: each a name, or a mixture as "
        "`fox:0.5+owl:0.5`; none = drawn by the seed",
    )
    layout: Literal["files", "grid"] = Field("files", description="one file each, or one sheet")
    columns: int | None = Field(
        None, ge=1, le=256, description="of a grid; none = as many as classes, or near square"
    )

    truncation_psi: Psi = None
    truncation_threshold: Threshold = None
    truncation_scale: Scale = None
    transparent: bool | None = Field(
        None,
        description="keep the see-through ground of RGBA models, or lay pictures on white; "
        "none = as the model paints",
    )

    @model_validator(mode="after")
    def _seeds_exist(self) -> Self:
        demand_room(self.seed, self.count)
        if self.seeds is not None and len(seed_list(self.seeds)) > MAX_SAMPLES:
            raise ValueError(f"should name at most {MAX_SAMPLES} seeds")
        return self

    def all_seeds(self) -> tuple[int, ...]:
        """The seed of each picture."""
        if self.seeds is not None:
            return seed_list(self.seeds)
        return tuple((self.seed or 0) + i for i in range(self.count))

    @property
    def title(self) -> str:
        """The generator."""
        return model_title(self.model)

    def labels(self) -> list[str]:
        """The seed of each picture; of a sheet, the first one's."""
        labels = [str(seed) for seed in self.all_seeds()]
        return labels if self.layout == "files" else [f"{labels[0]}-grid"]

    def with_seed(self) -> Self:
        """The recipe with seeds: its own, or one drawn now."""
        if self.seed is not None or self.seeds is not None:
            return self
        return self.model_copy(update={"seed": drawn_seed()})
