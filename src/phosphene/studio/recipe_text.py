"""Recipes as text: TOML and JSON files, `--set key=value`, errors of one line. Imports no torch."""

import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.studio.recipe import KINDS, AnyRecipe, Recipe

MAX_BYTES = 4_000_000

Kind = TypeVar("Kind", bound=Recipe)


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe of plain values.

    Raises:
        RecipeError: names the first field that is wrong, its value and what is allowed.
    """
    try:
        return _validator()(dict(values))
    except ValidationError as error:
        raise RecipeError(_one_line(error, _model_of(values.get("kind")))) from None


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML or JSON file.

    Raises:
        RecipeError: missing, not TOML or JSON, or not a recipe.
    """
    text = _read(path)
    try:
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] or type(error).__name__
        raise RecipeError(f"{str(path)!r} is not a recipe: {reason}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{str(path)!r} is not a recipe: it holds no fields")
    try:
        return parse_recipe(values)
    except RecipeError as error:
        raise RecipeError(f"{str(path)!r}: {error}") from None


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe as canonical JSON: equal recipes give equal text, which reads back equal."""
    values = recipe.model_dump(mode="json")
    return json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False)


def recipe_with(recipe: Kind, changes: Mapping[str, str]) -> Kind:
    """Change fields by name, with the values as text: `{"width": "256", "zoom.angle": "3"}`.

    A dot reaches inside; `null` takes a value away; lists may be `a,b` or JSON.

    Raises:
        RecipeError: unknown name, or a value that is not allowed.
    """
    for key, value in changes.items():
        recipe = _changed(recipe, key, value)
    return recipe


def _changed(recipe: Kind, key: str, value: str) -> Kind:
    """Try the text itself, then what it means as JSON; in free-form fields the other way round."""
    free = key.startswith(("model.", "settings."))
    meanings = [value, *_as_json(value)]
    error: ValidationError | None = None
    for meaning in reversed(meanings) if free else meanings:
        values = recipe.model_dump(mode="python")
        _set_at(values, key, meaning, type(recipe))
        try:
            return type(recipe).model_validate(values)
        except ValidationError as problem:
            error = error or problem
    assert error is not None
    raise RecipeError(_one_line(error, type(recipe)))


def _as_json(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _set_at(values: dict[str, Any], key: str, value: Any, model: type[BaseModel]) -> None:
    *parents, last = key.split(".")
    if parents and parents[0] not in model.model_fields:
        raise RecipeError(_unknown(parents[0], model))
    for name in parents:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    values[last] = value


@functools.cache
def _validator() -> Callable[[dict[str, Any]], Recipe]:
    """Made once and late: it takes a moment."""
    return TypeAdapter[Recipe](AnyRecipe).validate_python


def _model_of(kind: object) -> type[BaseModel] | None:
    return KINDS.get(kind) if isinstance(kind, str) else None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecipeError(f"{str(path)!r} is larger than {MAX_BYTES:,} bytes; not a recipe")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecipeError(f"{str(path)!r} is not text; a recipe is TOML or JSON") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"cannot read the recipe {str(path)!r}: {reason}") from None


def _one_line(error: ValidationError, model: type[BaseModel] | None) -> str:
    """Say what the first problem is: field, value, what is allowed."""
    first = error.errors(include_url=False)[0]
    whole = [str(part) for part in first["loc"]]
    path = [part for part in whole if part not in KINDS]
    match first["type"]:
        case "extra_forbidden":
            return _unknown(path[-1], _inner(model, whole[:-1]))
        case "missing":
            return f"{'.'.join(path)!r} is missing; {_help(model, whole)}"
        case "union_tag_not_found":
            return f"'kind' is missing; it should be {_either(map(str, KINDS))}"
        case "union_tag_invalid":
            tag = str(first["ctx"]["tag"])
            kinds = str(first["ctx"]["expected_tags"]).replace("'", "").split(", ")
            hint = did_you_mean(tag, kinds)
            where = ".".join([*path, "kind"])
            return f"{where}: {_shown(tag)} should be {_either(kinds)}{hint}"
        case "value_error":
            said = first["msg"].removeprefix("Value error, ")
            # what is said of the whole recipe may name the field itself
            named = not path and re.match(r"[a-z_.]+: ", said)
            return said if named else f"{'.'.join(path) or 'seed'}: {said}"
    allowed = re.sub(r"^(Input|String|Tuple|Value) ", "", first["msg"])
    return f"{'.'.join(path)}: {_shown(first['input'])} {allowed}{_near(first)}"


def _either(kinds: Iterable[str]) -> str:
    *names, last = (f"'{kind}'" for kind in kinds)
    return f"{', '.join(names)} or {last}"


def _near(problem: ErrorDetails) -> str:
    if problem["type"] != "literal_error":
        return ""
    allowed = str(problem["ctx"]["expected"]).replace(" or ", ", ").split(", ")
    return did_you_mean(str(problem["input"]), [name.strip("'") for name in allowed])


def _inner(model: type[BaseModel] | None, path: list[str]) -> type[BaseModel] | None:
    """Follow a path of field names, and of kinds where recipes differ, to its last model."""
    for name in path:
        if name in KINDS:
            model = KINDS[name]
            continue
        field = model.model_fields.get(name) if model else None
        model = _model_in(field.annotation) if field else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    kinds = (annotation, *getattr(annotation, "__args__", ()))
    models: list[type[BaseModel]] = [
        kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)
    ]
    return models[0] if models else None


def _unknown(name: str, model: type[BaseModel] | None) -> str:
    known = list(model.model_fields) if model else []
    return f"unknown key {_shown(name)}{did_you_mean(name, known)}; keys are: {', '.join(known)}"


def _help(model: type[BaseModel] | None, path: list[str]) -> str:
    inner = _inner(model, path[:-1])
    field = inner.model_fields.get(path[-1]) if inner else None
    return field.description or "give it" if field else "give it"


def _shown(value: object, limit: int = 60) -> str:
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
