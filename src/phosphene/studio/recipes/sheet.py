"""The recipe `Sheet`: one field of another recipe against a second one, as a table of pictures."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from phosphene.studio.recipes.base import Painting, Plain
from phosphene.studio.recipes.fields import Prompt
from phosphene.studio.recipes.imagine import Imagine
from phosphene.studio.recipes.sample import Sample

MAX_VALUES = 64
MAX_CELLS = 1024
STYLE = "style"  # no field of a recipe: words that follow the prompt, as `fox | watercolour`
SHORT = {
    "psi": "truncation_psi",
    "threshold": "truncation_threshold",
    "scale": "truncation_scale",
    "class": "classes",
}  # what people write, and the field that they mean
NOT_VARIED = ("kind", "count", "alternatives", "seeds", "layout", "columns", "video", "save_every")

_RANGE = re.compile(r"(\d+)-(\d+)")
_STEPS = re.compile(r"([-+.\de]+):([-+.\de]+):(\d+)")


class Vary(Plain):
    """What one axis of a sheet changes.

    Args:
        field: Its name in the recipe.
        values: As they would be given to `--set`.
    """

    field: str = Field(min_length=1, max_length=100, description="name of the field")
    values: tuple[Prompt, ...] = Field(
        min_length=1, max_length=MAX_VALUES, description="its values, as for --set"
    )


def vary(text: str) -> Vary:
    """Read `psi=0:1:6` (six values from 0 to 1), `seed=0-7`, `style=flat,neon` or a JSON list.

    Raises:
        ValueError: none of these, or too many values.
    """
    name, equals, values = text.partition("=")
    name, values = name.strip(), values.strip()
    if not equals or not name or not values:
        raise ValueError(f"{text[:60]!r} should be as psi=0:1:6, seed=0-7 or style=flat,neon")
    found = _values(values)
    if not 1 <= len(found) <= MAX_VALUES:
        raise ValueError(f"{name} takes {len(found)} values; use 1 to {MAX_VALUES}")
    return Vary(field=SHORT.get(name, name), values=tuple(found))


def _values(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [v if isinstance(v, str) else json.dumps(v) for v in json.loads(text)]
        except (ValueError, RecursionError):
            raise ValueError(f"{text[:60]!r} should be a list in JSON, or a,b,c") from None
    if steps := _STEPS.fullmatch(text):
        return _evenly(text, *steps.groups())
    found: list[str] = []
    for part in text.split(","):
        if whole := _RANGE.fullmatch(part.strip()):
            first, last = map(int, whole.groups())
            if not 0 <= last - first < MAX_VALUES:
                raise ValueError(f"{part.strip()[:40]!r} should rise, by less than {MAX_VALUES}")
            found += map(str, range(first, last + 1))
        elif part.strip():
            found.append(part.strip())
    return found


def _evenly(text: str, first: str, last: str, number: str) -> list[str]:
    """So many numbers from the first to the last, both included."""
    count = int(number)
    if not 2 <= count <= MAX_VALUES:
        raise ValueError(f"{text[:60]!r} has {count} values; use 2 to {MAX_VALUES}")
    try:
        low, high = float(first), float(last)
    except ValueError:
        raise ValueError(f"{text[:60]!r} should be as 0:1:6, from 0 to 1 in 6 values") from None
    spaced = (low + (high - low) * i / (count - 1) for i in range(count))
    return [f"{value:.6g}" for value in spaced]


def _read(value: Any) -> Any:
    """Read what stands as text, so that a recipe file may have `vary = ["psi=0:1:6"]`."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    return tuple(vary(entry) if isinstance(entry, str) else entry for entry in value)


def _differ(axes: tuple[Vary, ...]) -> tuple[Vary, ...]:
    fields = [axis.field for axis in axes]
    if len(set(fields)) < len(fields):
        raise ValueError(f"should name two fields; {fields[0]!r} is given twice")
    return axes


class Sheet(Painting):
    """A table of pictures that differ in one field of their recipe, or in two."""

    kind: Literal["sheet"] = "sheet"
    of: Annotated[Sample | Imagine, Field(discriminator="kind")] = Field(
        description="the recipe that is varied: what each picture has in common"
    )
    vary: Annotated[tuple[Vary, ...], BeforeValidator(_read), AfterValidator(_differ)] = Field(
        min_length=1,
        max_length=2,
        description="what changes across, then what changes down: `psi=0:1:6`, `seed=0-7`, "
        "`style=flat,neon` (words that follow a prompt)",
    )

    @model_validator(mode="after")
    def _one_picture_a_cell(self) -> Self:
        for axis in self.vary:
            if axis.field in NOT_VARIED:
                raise ValueError(f"vary: a sheet cannot vary {axis.field!r}; try seed=0-7")
        if self.of.count != 1 or getattr(self.of, "seeds", None) is not None:
            raise ValueError("of: should ask for one picture; vary the seed instead")
        if isinstance(self.of, Imagine) and self.of.alternatives == "all":
            raise ValueError("of.alternatives: should be random; to see all, vary the prompt")
        if isinstance(self.of, Sample) and self.of.layout != "files":
            raise ValueError("of.layout: should be files; the sheet is the grid")
        if self.num_cells > MAX_CELLS:
            raise ValueError(f"vary: {self.num_cells} pictures; use up to {MAX_CELLS}")
        return self

    @property
    def num_cells(self) -> int:
        """Pictures on the sheet."""
        across, *down = (len(axis.values) for axis in self.vary)
        return across * (down[0] if down else 1)

    @property
    def title(self) -> str:
        """What the pictures show, and what varies."""
        prompts = [", ".join(a.values) for a in self.vary if a.field == "prompt"]
        shown = (prompts or [self.of.title])[0]
        return f"{shown[:30]} by {' and '.join(axis.field for axis in self.vary)}"

    def all_seeds(self) -> tuple[int, ...]:
        """Those that vary, or the one that all pictures share."""
        varied = [value for axis in self.vary if axis.field == "seed" for value in axis.values]
        return tuple(int(value) for value in varied if value.isdigit()) or self.of.all_seeds()

    def labels(self) -> list[str]:
        """There is one sheet; its first seed tells it from others."""
        return [str(self.all_seeds()[0])]

    def with_seed(self) -> Self:
        """The recipe with a seed for what is varied, drawn now if it has none and none varies."""
        seeded = self.of if any(a.field == "seed" for a in self.vary) else self.of.with_seed()
        return self if seeded is self.of else self.model_copy(update={"of": seeded})


def listed(text: str) -> list[str]:
    """Read `red apple; dog face` as a list of values that may hold commas."""
    return [value.strip() for value in text.split(";") if value.strip()]


def sheet_fields(entries: Sequence[str], of: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a sheet of `imagine` if there is a prompt, also one that varies; else `sample`.

    Args:
        entries: What varies, as `vary` reads it.
        of: Fields of what is varied; those that are None are left out.
    """
    given = {name: value for name, value in of.items() if value is not None}
    prompts = [entry for entry in entries if entry.partition("=")[0].strip() == "prompt"]
    if prompts and "prompt" not in given:
        given["prompt"] = "..."  # each picture has one of its own
    kind = "imagine" if "prompt" in given else "sample"
    return {"vary": list(entries), "of": {"kind": kind, **given}}
