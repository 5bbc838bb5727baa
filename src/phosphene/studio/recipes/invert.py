"""The recipe `Invert`: a photo is looked for in a generator's latent space."""

from typing import Literal, Self

from pydantic import Field

from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.breed import GeneSpace
from phosphene.studio.recipes.fields import (
    Every,
    Location,
    Seed,
    Weight,
    drawn_seed,
    model_title,
)


class Invert(Painting):
    """A photo is looked for in a generator's latent space."""

    kind: Literal["invert"] = "invert"
    photo: Location = Field(description="the picture to find; its middle, in the model's shape")
    model: Location = Field("faces-dcgan", description="the generator: a name or a path")
    space: GeneSpace | None = Field(
        None,
        description="z; of models with styles also w, or w+ (a style a layer: nearest to the "
        "photo, farthest from what the model knows); none = w+, else z",
    )
    classes: Location | None = Field(
        None, description="class, or a mixture; none = that of the best draw"
    )
    iterations: int = Field(400, ge=1, le=100_000, description="optimiser steps")
    learning_rate: float = Field(0.1, gt=0, le=10, description="size of the steps at their largest")
    num_draws: int = Field(
        128, ge=1, le=65_536, description="draws of z, of which the most like the photo begin"
    )
    num_starts: int = Field(
        4, ge=1, le=64, description="searches in z side by side; the nearest counts"
    )
    features: Location = Field(
        "efficientnet-lite0", description="pretrained features that tell how pictures look"
    )
    pixel_weight: Weight = Field(
        0.5, description="of the mean squared difference of pixels, beside that of features"
    )
    prior_weight: Weight = Field(
        0.01, description="pull towards the mean: higher looks more like the model's own pictures"
    )
    seed: Seed | None = Field(
        None, description="fixes the search; none = one is drawn and written down"
    )
    video: Literal["mp4", "gif"] | None = Field(
        None, description="make a film of the search, beside the photo"
    )
    fps: int = Field(15, ge=1, le=60, description="frames a second of the video")
    save_every: Every | None = Field(
        None, description="iterations between frames of the film; none = about 100 frames in all"
    )

    @property
    def title(self) -> str:
        """The photo, and where it is looked for."""
        name = self.photo.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
        return f"{name[:40]} {model_title(self.model)}"

    def all_seeds(self) -> tuple[int, ...]:
        """The one of the search."""
        return (self.seed or 0,)

    def labels(self) -> list[str]:
        """That it is an inversion."""
        return ["inverted"]

    @property
    def leaves_files(self) -> bool:
        """The film."""
        return self.video is not None

    def with_seed(self) -> Self:
        """The recipe with a seed: its own, or one drawn now."""
        if self.seed is not None:
            return self
        return self.model_copy(update={"seed": drawn_seed()})
