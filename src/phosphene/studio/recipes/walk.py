"""The recipe `Walk`: a path through a generator's latent space becomes a film and a strip."""

import itertools
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.fields import (
    MAX_SEED,
    Location,
    Prompt,
    Psi,
    Scale,
    Seed,
    Side,
    Threshold,
    drawn_seed,
    model_title,
)

MAX_FRAMES = 10_000
NUM_STOPS = 4  # of the path that is taken where none is named

Time = Annotated[float, Field(ge=0, le=1)]


def _split_numbers(value: Any) -> Any:
    """Read `0,0.5` as two numbers, so that times can be given on a command line."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class Walk(Painting):
    """A walk through a generator's latent space."""

    kind: Literal["walk"] = "walk"
    model: Location = Field("faces-dcgan", description="the generator: a name or a path")
    path: Prompt | dict[str, JsonValue] | None = Field(
        None,
        description="what moves, as `z = 7 ~ 8 ~ 9; loop` (docs/paths.md); none = from the seed's "
        "picture through three more and back",
    )
    seed: Seed | None = Field(
        None,
        description="of what the path does not move; none = one is drawn and written down",
    )
    num_frames: int = Field(60, ge=1, le=MAX_FRAMES, description="pictures of the film")
    fps: int = Field(15, ge=1, le=60, description="frames a second of the film")
    even: bool = Field(
        True, description="space frames evenly by what is seen, not by the path's time"
    )
    features: Location = Field(
        "efficientnet-lite0",
        description="the network that tells how different frames look; if it is not here, colours "
        "are compared",
    )
    times: Annotated[
        tuple[Time, ...] | None,
        BeforeValidator(_split_numbers),
    ] = Field(None, description="when to look at the path, for each frame; none = found by `even`")
    truncation_psi: Psi = None
    truncation_threshold: Threshold = None
    truncation_scale: Scale = None
    side: Side | None = Field(
        None, description="longer side of the frames, px, resampled; none = the model's own"
    )
    video: Literal["mp4", "gif"] | None = Field(None, description="make a film of the frames")
    keep_frames: bool = Field(False, description="keep the frames as files")
    num_shown: int = Field(10, ge=1, le=64, description="frames on the strip that is painted")

    @field_validator("times")
    @classmethod
    def _times_rise(cls, times: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if times is not None and any(b < a for a, b in itertools.pairwise(times)):
            raise ValueError("should rise")
        return times

    @model_validator(mode="after")
    def _a_time_a_frame(self) -> Self:
        if self.times is not None and len(self.times) != self.num_frames:
            raise ValueError(
                f"times: should be one for each frame; {len(self.times)} for {self.num_frames}"
            )
        return self

    @property
    def title(self) -> str:
        """The generator, and that it is a walk."""
        return f"{model_title(self.model)} walk"

    @property
    def leaves_files(self) -> bool:
        """A film, or frames."""
        return self.video is not None or self.keep_frames

    def all_seeds(self) -> tuple[int, ...]:
        """The seed of what the path does not move."""
        return (self.seed or 0,)

    def with_seed(self) -> Self:
        """The recipe with a seed: its own, or one drawn now; and with a path from there."""
        seed = drawn_seed() if self.seed is None else self.seed
        path = self.path
        if path is None:
            stops = [min(seed, MAX_SEED - NUM_STOPS) + i for i in range(NUM_STOPS)]
            path = f"z = {' ~ '.join(map(str, stops))} : curve; loop"
        if (seed, path) == (self.seed, self.path):
            return self
        return self.model_copy(update={"seed": seed, "path": path})
