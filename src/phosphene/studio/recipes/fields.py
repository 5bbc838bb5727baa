"""Types of fields that recipes share, and how they are written on a command line."""

import math
import secrets
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

MAX_SEED = 2**63 - 1  # as in core/rng.py, which imports torch
MAX_SAMPLES = 1024  # pictures of one recipe
SEED_BITS = 32  # of a seed that is drawn: short enough to type


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
Psi = Annotated[
    float | None,
    Field(
        ge=0,
        le=100,
        description="of models with styles: w_avg + psi (w - w_avg); 1 or none changes nothing, "
        "0 gives the mean picture",
    ),
]
Threshold = Annotated[
    float | None,
    Field(gt=0, le=100, description="draw each component of z again until |z_i| is no larger"),
]
Scale = Annotated[
    float | None,
    Field(
        gt=0,
        le=1,
        description="the truncation of published BigGANs: a normal truncated at 2, times this",
    ),
]


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


def demand_room(seed: int | None, count: int) -> None:
    """Check that the last of many pictures has a seed too.

    Raises:
        ValueError: it would lie beyond the largest.
    """
    if seed is not None and seed + count - 1 > MAX_SEED:
        raise ValueError(f"should leave room for {count} pictures below {MAX_SEED}")


SeedList = Annotated[
    str,
    Field(min_length=1, max_length=20_000),
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    AfterValidator(_is_seed_list),
]


def drawn_seed() -> int:
    """A seed for a recipe that names none, drawn now."""
    return secrets.randbelow(2**SEED_BITS)


def split_weight(entry: str) -> tuple[str, float]:
    """Read `name` or `name:weight`; a colon that no finite number follows belongs to the name."""
    name, colon, weight = entry.rpartition(":")
    try:
        value = float(weight) if colon and name else math.nan
    except ValueError:
        value = math.nan
    return (name, value) if math.isfinite(value) else (entry, 1.0)


def model_title(model: str) -> str:
    """What a model is called where there is little room: its name, or its file's."""
    return PurePath(model).stem if model.endswith(".safetensors") else model
