"""What clients of the OpenAI images API send, and what of it there is here.

Everything that the API knows is a field, so that what is not known is a mistake. What would change
the picture and cannot be done is refused; what is only a hint is taken and has no effect.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from phosphene.web.failures import Refused
from phosphene.web.renditions import QUALITY
from phosphene.web.wishes import MAX_SIDE, MIN_SIDE, Wish, words

MAX_PROMPT = 20_000
HIGH_FIDELITY, LOW_FIDELITY = 0.4, 0.75  # how much of a picture an edit paints over
THEIR_MODELS = ("gpt-image", "dall-e", "chatgpt-image")
_NUMBERS = ("n", "output_compression", "partial_images", "seed")
_UNABLE = {
    "frame_count": "films are shown by GET /prompt/...?format=gif",
    "frame_duration_ms": "films are shown by GET /prompt/...?format=gif",
    "svg": "pictures are pixels here",
    "complexity": "pictures are pixels here",
    "markup": "send a mask instead",
}


class Generate(BaseModel):
    """A request for pictures; of ours are `seed` and `phosphene`."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT)
    model: str | None = Field(None, max_length=200)
    n: int | None = Field(1, ge=1, le=10)
    size: str | None = Field("auto", description="auto, or as 1024x1024")
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"] | None = (
        Field("auto", description="no effect")
    )
    background: Literal["transparent", "opaque", "auto"] | None = "auto"
    output_format: Literal["png", "webp", "jpeg"] | None = "png"
    output_compression: int | None = Field(None, ge=0, le=100)
    response_format: Literal["url", "b64_json"] | None = "b64_json"
    stream: bool | None = False
    partial_images: int | None = Field(0, ge=0, le=3)
    style: Literal["vivid", "natural"] | None = Field(None, description="no effect")
    moderation: Literal["low", "auto"] | None = Field(None, description="no effect")
    user: str | None = Field(None, max_length=1000, description="no effect")
    safety_identifier: str | None = Field(None, max_length=1000, description="no effect")
    seed: int | None = Field(None, ge=0, le=2**63 - 1, description="of the first picture; ours")
    phosphene: dict[str, Any] = Field({}, description="fields of the recipe; ours")

    @property
    def sides(self) -> tuple[int | None, int | None]:
        """Width and height; None is what the model paints.

        Raises:
            Refused: no size.
        """
        if self.size in (None, "auto"):
            return None, None
        width, _, height = str(self.size).partition("x")
        sides = [
            int(s) if s.isascii() and s.isdigit() and len(s) < 5 else 0 for s in (width, height)
        ]
        if not all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
            said = f"size: {str(self.size)[:40]!r} should be auto, or as 1024x1024"
            raise Refused(400, "invalid_value", said, "size")
        return sides[0], sides[1]

    @property
    def kind(self) -> str:
        """The format."""
        return self.output_format or "png"

    @property
    def compression(self) -> int:
        """As a quality, 1 to 100."""
        return max(1, QUALITY if self.output_compression is None else self.output_compression)

    def wish(self, **more: Any) -> Wish:
        """The request in our words.

        Raises:
            Refused: it cannot be done here.
        """
        if self.background == "transparent":
            said = "background: models here paint no transparency; take opaque or auto"
            raise Refused(400, "unsupported", said, "background")
        width, height = self.sides
        theirs = (self.model or "").startswith(THEIR_MODELS)
        fields = {
            "prompt": words(self.prompt),
            "model": None if theirs else self.model,
            "seed": self.seed,
            "count": self.n or 1,
            "width": width,
            "height": height,
            "emphasis": False,  # brackets of prose are brackets
            "extra": self.phosphene,
        }
        return Wish(**{**fields, **more})


class Edit(Generate):
    """A request for a picture that starts from another."""

    input_fidelity: Literal["high", "low"] | None = None

    @property
    def strength(self) -> float:
        """How much of the picture is painted over."""
        return HIGH_FIDELITY if self.input_fidelity == "high" else LOW_FIDELITY


class Vary(BaseModel):
    """A request for pictures that resemble another."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200)
    n: int | None = Field(1, ge=1, le=10)
    size: str | None = "auto"
    response_format: Literal["url", "b64_json"] | None = "b64_json"
    user: str | None = Field(None, max_length=1000)
    seed: int | None = Field(None, ge=0, le=2**63 - 1)

    def asked(self) -> Generate:
        """As a request for pictures, whose words are never read."""
        return Generate(prompt="-", **self.model_dump())


def checked(kind: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """Make a request of plain values.

    Raises:
        Refused: in OpenAI's words, with the parameter that is wrong.
    """
    for name, instead in _UNABLE.items():
        if values.get(name) is not None:
            raise Refused(400, "unsupported", f"{name}: not here; {instead}", name)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        code = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
        said = f"{name}: {first['msg']}"
        raise Refused(400, code.get(first["type"], "invalid_value"), said, name) from None


async def form_values(form: Any) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    """Read a form: its values as JSON would have them, and its files.

    Raises:
        Refused: a number is none, or `phosphene` is not JSON.
    """
    values: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    for field, value in form.multi_items():
        name = field.removesuffix("[]")
        if isinstance(value, UploadFile):
            files.setdefault(name, []).append(await value.read())
        else:
            values[name] = _plain(name, value)
    return values, files


def _plain(name: str, text: str) -> Any:
    if name == "stream":
        return text.lower() == "true"
    if name not in (*_NUMBERS, "phosphene"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_value", f"{name}: {text[:40]!r} cannot be read", name) from None
