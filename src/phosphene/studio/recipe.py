"""Recipes: what is wanted, as plain data. Imports neither torch nor numpy.

A recipe is the same thing in a TOML file, in JSON, in a web form, on the command line and inside
the PNG it made. Its fields are the only declaration of an option.
"""

import json
import math
import secrets
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

MAX_SEED = 2**63 - 1  # as in core/rng.py, which imports torch
MAX_SAMPLES = 1024  # pictures of one recipe
SEED_BITS = 32  # of a seed that is drawn: short enough to type

Method = Literal["vqgan-clip", "gan-clip"]
Optimiser = Literal[
    "adam", "novograd", "adamw", "adagrad", "rmsprop", "radam", "adamax", "nadam", "sgd"
]
CutPolicy = Literal["random", "overview+inner", "whole"]
Start = Literal["auto", "codebook", "retrieval", "best-of", "image", "draw"]


def _well_formed(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 file can hold; bytes of a shell become them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _split_commas(value: Any) -> Any:
    """Read `a,b` as two items, so that lists can be given on a command line."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Prompt = Annotated[str, Field(min_length=1, max_length=20_000), BeforeValidator(_well_formed)]
Location = Annotated[str, Field(min_length=1, max_length=4096), BeforeValidator(_well_formed)]
Names = Annotated[tuple[Location, ...], BeforeValidator(_split_commas)]
Side = Annotated[int, Field(ge=16, le=4096)]
Every = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Weight = Annotated[float, Field(ge=0, le=1000)]


def seed_list(text: str) -> tuple[int, ...]:
    """Read `3,5,10-17` as seeds, in that order.

    Raises:
        ValueError: not a list of seeds, or too many of them.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isascii() or not first.isdigit() or (dash and not last.strip().isdigit()):
            raise ValueError(
                f"should be seeds and ranges as 3,5,10-17; {part.strip()!r} is neither"
            )
        low, high = int(first), int(last) if dash else int(first)
        if not low <= high <= MAX_SEED or high - low >= MAX_SAMPLES:
            raise ValueError(f"should name ranges of at most {MAX_SAMPLES} seeds, upwards")
        seeds += range(low, high + 1)
    return tuple(seeds)


def _is_seed_list(text: str) -> str:
    seed_list(text)
    return text


def _demand_room(seed: int | None, count: int) -> None:
    if seed is not None and seed + count - 1 > MAX_SEED:
        raise ValueError(f"should leave room for {count} pictures below {MAX_SEED}")


SeedList = Annotated[
    str,
    Field(min_length=1, max_length=20_000),
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    AfterValidator(_is_seed_list),
]


class _Plain(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


class Zoom(_Plain):
    """A camera that moves: every few iterations the picture is transformed and painted on."""

    scale: float = Field(
        1.02, ge=0.5, le=2, description="the picture grows by this factor; above 1 flies into it"
    )
    shift_x: float = Field(0, ge=-4096, le=4096, description="px that the picture moves right")
    shift_y: float = Field(0, ge=-4096, le=4096, description="px that the picture moves down")
    angle: float = Field(0, ge=-360, le=360, description="degrees that it turns clockwise")
    every: Every = Field(10, description="iterations between two movements; each makes a frame")


class Imagine(_Plain):
    """Words become pictures."""

    kind: Literal["imagine"] = "imagine"
    prompt: Prompt = Field(
        description="phrases between |, each `text`, `text:weight` or `text:weight:stop`; "
        "a phrase may name an image file; ^ separates the scenes of a story"
    )
    method: Method = Field("vqgan-clip", description="how the picture is found")
    model: Location = Field("emoji-vqgan", description="the model that paints: a name or a path")
    perceptors: Names = Field(
        ("emoji-clip",),
        min_length=1,
        max_length=8,
        description="who judges picture against words: each `name` or `name:weight`",
    )
    iterations: int | None = Field(
        None, ge=1, le=100_000, description="optimiser steps a picture; none = the model's default"
    )
    width: Side | None = Field(None, description="px; none = the model's own")
    height: Side | None = Field(None, description="px; none = the model's own")
    seed: Seed | None = Field(
        None, description="fixes the picture; none = one is drawn and written down"
    )
    count: int = Field(
        1, ge=1, le=64, description="pictures; the i-th is the sole picture of seed + i"
    )
    init_image: Location | None = Field(None, description="a picture to start from")
    init_weight: Weight = Field(0.0, description="pull back towards the picture started from")
    image_prompts: Names = Field(
        (), max_length=64, description="pictures to resemble: each `path` or `path:weight`"
    )
    start: Start = Field("auto", description="where the search starts")
    optimiser: Optimiser | None = Field(
        None, description="which rule takes the steps; none = the model's default"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=10, description="size of the steps; none = the model's default"
    )
    num_cutouts: int | None = Field(
        None, ge=1, le=256, description="cutouts judged a step; none = the model's default"
    )
    cut_policy: CutPolicy = Field("overview+inner", description="how cutouts are chosen")
    cut_power: float = Field(
        1.0, ge=0.05, le=20, description="above 1 prefers small cutouts, below 1 large ones"
    )
    cut_noise: float = Field(0.1, ge=0, le=2, description="largest sigma of noise on a cutout")
    tv_weight: Weight = Field(0.0, description="penalty on roughness (total variation)")
    save_every: Every | None = Field(
        None, description="iterations between saved frames; none = no frames, or enough for a video"
    )
    video: Literal["mp4", "gif"] | None = Field(None, description="make a video of the frames")
    fps: int = Field(15, ge=1, le=60, description="frames a second of the video")
    zoom: Zoom | None = Field(None, description="move a camera through the picture")
    story_every: Every | None = Field(
        None, description="iterations a scene of a ^ story; none = an equal share of all"
    )

    @model_validator(mode="after")
    def _last_seed_exists(self) -> "Imagine":
        _demand_room(self.seed, self.count)
        return self


class Sample(_Plain):
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

    @model_validator(mode="after")
    def _seeds_exist(self) -> "Sample":
        _demand_room(self.seed, self.count)
        if self.seeds is not None and len(seed_list(self.seeds)) > MAX_SAMPLES:
            raise ValueError(f"should name at most {MAX_SAMPLES} seeds")
        return self

    def all_seeds(self) -> tuple[int, ...]:
        """The seed of each picture."""
        if self.seeds is not None:
            return seed_list(self.seeds)
        return tuple((self.seed or 0) + i for i in range(self.count))


class Train(_Plain):
    """A generator or a perceptor learns from pictures."""

    kind: Literal["train"] = "train"
    learner: Literal["vqgan", "perceptor", "sketches", "gan"] = Field(description="what learns")
    data: Location | None = Field(
        None, description="a folder of `phosphene data`, of images with captions, or shards"
    )
    output: Location | None = Field(None, description="the run's folder; it resumes by itself")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")] = Field(
        "model", description="what the exported weights are called"
    )
    size: Side = Field(128, description="side of the training pictures, or their width, px")
    height: Side | None = Field(None, description="of the training pictures, px; none = square")
    channels: Literal[1, 3, 4] = Field(3, description="1 grey, 3 RGB, 4 RGBA")
    drawings: bool = Field(
        False, description="learn an emoji set's drawings one by one, without composed scenes"
    )
    classes: Names = Field(
        (), description="learn these classes alone: folders, or subgroups of an emoji set"
    )
    styles: Names = Field((), description="learn these drawing styles of an emoji set alone")
    steps: int = Field(ge=1, le=100_000_000, description="optimiser steps in all")
    batch_size: int = Field(16, ge=1, le=4096, description="pictures a step")
    siblings: int = Field(
        1, ge=1, le=64, description="composed scenes in a row that share their objects"
    )
    seed: Seed = Field(0, description="fixes the weights that come out")
    checkpoint_every: Every = Field(200, description="steps between checkpoints")
    sheet_every: Every = Field(500, description="steps between sample sheets")
    features: Location = Field(
        "efficientnet-lite0", description="pretrained features: perceptual distance, image tower"
    )
    text: Location = Field(
        "minilm", description="the frozen text network of a perceptor or of sketches"
    )
    painter: Location | None = Field(
        None,
        description="an autoencoder: its mistakes a perceptor learns to see through, its codes "
        "sketches are kept in",
    )
    model: dict[str, JsonValue] = Field({}, description="shape of the network")
    settings: dict[str, JsonValue] = Field({}, description="settings of the learner")

    @field_validator("model", "settings")
    @classmethod
    def _is_json(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            raise ValueError("should hold finite numbers and whole characters only") from None
        return value


Painting = Imagine | Sample
Recipe = Annotated[Imagine | Sample | Train, Field(discriminator="kind")]
Seeded = TypeVar("Seeded", Imagine, Sample)


def with_seed(recipe: Seeded) -> Seeded:
    """Return the recipe with a seed: its own, or one drawn now.

    Surfaces call this before they run a recipe, so that what runs is what is written down.
    """
    if recipe.seed is not None or (isinstance(recipe, Sample) and recipe.seeds is not None):
        return recipe
    return recipe.model_copy(update={"seed": secrets.randbelow(2**SEED_BITS)})


def split_weight(entry: str) -> tuple[str, float]:
    """Read `name` or `name:weight`; a colon that no finite number follows belongs to the name."""
    name, colon, weight = entry.rpartition(":")
    try:
        value = float(weight) if colon and name else math.nan
    except ValueError:
        value = math.nan
    return (name, value) if math.isfinite(value) else (entry, 1.0)
