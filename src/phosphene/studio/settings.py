"""Settings dataclasses made of a recipe's plain tables."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from phosphene.core.errors import PhospheneError, RecipeError, did_you_mean

Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], values: Mapping[str, Any], section: str) -> Settings:
    """Make a settings dataclass of plain values.

    Raises:
        RecipeError: an unknown key, or a value of the wrong type.
    """
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known)
            raise RecipeError(f"unknown key {section}.{key}{hint}; keys are: {', '.join(known)}")
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = first.get("ctx", {}).get("error")
        if isinstance(said, PhospheneError):  # the settings' own words, which name what is wrong
            raise RecipeError(str(said)) from None
        where = ".".join(str(part) for part in (section, *first["loc"]))
        reason = first["msg"].removeprefix("Input ")
        raise RecipeError(f"{where}: {first['input']!r} {reason}") from None
