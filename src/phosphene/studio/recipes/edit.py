"""The recipe `Edit`: a picture is moved along directions of the latent space."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from phosphene.studio.recipes.base import Painting, Plain
from phosphene.studio.recipes.breed import GenePsi
from phosphene.studio.recipes.fields import Location, Names, Seed, drawn_seed, model_title

MAX_EXAMPLES = 1024
MAX_DIRECTIONS = 32


class Examples(Plain):
    """What an attribute is: pictures that have it, and others."""

    having: Names = Field(
        min_length=1,
        max_length=MAX_EXAMPLES,
        description="seeds, ranges of seeds (10-17) or pictures with the attribute",
    )
    lacking: Names = Field(
        min_length=1, max_length=MAX_EXAMPLES, description="the same without the attribute"
    )


def _read_examples(value: Any) -> Any:
    """Read `3,5,10-17/1,2`: with the attribute, and without."""
    if not isinstance(value, str):
        return value
    having, slash, lacking = value.partition(" / ") if " / " in value else value.partition("/")
    if not slash:
        raise ValueError("should be seeds or pictures with it / without it, as 3,5/1,2")
    return {"having": having, "lacking": lacking}


class Edit(Painting):
    """A picture is moved along directions of the latent space."""

    kind: Literal["edit"] = "edit"
    model: Location | None = Field(
        None, description="the generator; none = that of the source, else faces-dcgan"
    )
    seed: Seed | None = Field(
        None, description="the picture that is edited; none = one is drawn and written down"
    )
    source: Location | None = Field(
        None, description="a picture that phosphene made, instead of a seed; of a sheet `x.png:3`"
    )
    classes: Location | None = Field(
        None, description="class of the seed's picture, or a mixture; none = drawn by the seed"
    )
    directions: Names = Field(
        (),
        max_length=MAX_DIRECTIONS,
        description="sliders, each `name:amount` in standard deviations: pc0, pc1, ... (what "
        "changes most), sefa0, ... (what the weights amplify most), or an attribute",
    )
    attributes: dict[str, Annotated[Examples, BeforeValidator(_read_examples)]] = Field(
        {},
        max_length=MAX_DIRECTIONS,
        description="directions of your own, by name, learnt from examples: "
        "`attributes.smile=3,5,10-17/1,2`",
    )
    layers: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        "all", description="of models with styles: coarse, middle, fine, all, 5 or 2-5"
    )
    psi: GenePsi = 1.0
    samples: int = Field(
        2048, ge=16, le=1_000_000, description="draws in which directions are looked for"
    )
    layout: Literal["picture", "sheet"] = Field(
        "picture", description="the picture, or a row of pictures for each direction"
    )
    num_directions: int = Field(
        6, ge=1, le=MAX_DIRECTIONS, description="rows of a sheet that names no directions"
    )
    reach: float = Field(3.0, gt=0, le=20, description="of a sheet: from -reach to reach")
    columns: int = Field(7, ge=2, le=33, description="of a sheet")
    start: str = Field("", description="filled in: the source's genes, which is all that is needed")

    @model_validator(mode="after")
    def _one_picture(self) -> Self:
        if self.source is not None and self.seed is not None:
            raise ValueError("source: should stand without a seed; edit one picture")
        if self.layout == "picture" and not self.directions:
            raise ValueError("directions: should name one, for example pc0:2; or ask for a sheet")
        return self

    @property
    def title(self) -> str:
        """The generator, or the picture that is edited."""
        if self.source is None:
            return model_title(self.model or "faces-dcgan")
        return self.source.replace("\\", "/").rpartition("/")[2].removesuffix(".png")

    def all_seeds(self) -> tuple[int, ...]:
        """The seed; 0 for a picture that has none."""
        return (self.seed or 0,)

    def labels(self) -> list[str]:
        """The sliders, or that it is a sheet of directions."""
        moved = "directions" if self.layout == "sheet" else "-".join(self.directions)
        moved = moved.replace(":", "")[:60]
        return [moved if self.source is not None else f"{self.seed}-{moved}"]

    def with_seed(self) -> Self:
        """The recipe with a seed, unless it edits a picture."""
        if self.seed is not None or self.source is not None or self.start:
            return self
        return self.model_copy(update={"seed": drawn_seed()})
