"""The recipe `Train`: a model learns from pictures."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator

from phosphene.studio.recipes.base import Recipe
from phosphene.studio.recipes.fields import Every, Location, Names, Seed, Side

# of the run's own files: NAME.safetensors would be written over one of them at the end
RESERVED = ("checkpoint", "healthy")


class Train(Recipe):
    """A generator or a perceptor learns from pictures."""

    kind: Literal["train"] = "train"
    learner: Literal["vqgan", "perceptor", "sketches", "gan", "diffusion", "tokens"] = Field(
        description="what learns"
    )
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
    plain_share: float = Field(
        0.0, ge=0, le=1, description="of composed scenes, that show one object, large, on white"
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
    tensorboard: bool = Field(
        True, description="write a TensorBoard event file beside metrics.jsonl, if it is installed"
    )
    features: Location = Field(
        "efficientnet-lite0", description="pretrained features: perceptual distance, image tower"
    )
    text: Location = Field(
        "minilm", description="the frozen text network of a perceptor or of sketches"
    )
    painter: Location | None = Field(
        None,
        description="an autoencoder: its mistakes a perceptor learns to see through, its codes "
        "sketches are kept in, and diffusion and tokens learn to make",
    )
    model: dict[str, JsonValue] = Field({}, description="shape of the network")
    settings: dict[str, JsonValue] = Field({}, description="settings of the learner")

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name}.safetensors is a file of the run itself; choose another name")
        return name

    @field_validator("model", "settings")
    @classmethod
    def _is_json(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            raise ValueError("should hold finite numbers and whole characters only") from None
        return value
