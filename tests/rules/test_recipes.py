"""Recipes: every file in recipes/ is valid, every field says what it means, nothing is ignored."""

import importlib
import inspect
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_origin

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.rules.syntax import ROOT, SRC, listed

FILES = sorted((ROOT / "recipes").rglob("*.toml"))
SCHEMA = SRC / "studio" / "recipe.py"


def loose(model: type[BaseModel]) -> list[str]:
    """What makes a recipe model ambiguous: fields without a description, ignored keys, mutation."""
    found = [
        f"{model.__name__}.{name} has no description"
        for name, field in model.model_fields.items()
        # the tag that tells recipes apart has one value and explains itself
        if not field.description and get_origin(field.annotation) is not Literal
    ]
    if model.model_config.get("extra") != "forbid":
        found.append(f"{model.__name__} ignores unknown keys: set extra='forbid'")
    if not model.model_config.get("frozen"):
        found.append(f"{model.__name__} can change: set frozen=True")
    return found


def schema():
    if not SCHEMA.exists():
        pytest.skip("phosphene.studio.recipe does not exist yet")
    return importlib.import_module("phosphene.studio.recipe")


def test_every_field_is_described():
    module = schema()
    models = {
        model
        for kind in module.HOMES
        for _, model in inspect.getmembers(sys.modules[kind.__module__], inspect.isclass)
        if issubclass(model, BaseModel) and model.__module__ == kind.__module__
    }
    assert models >= set(module.HOMES)
    found = [complaint for model in models for complaint in loose(model)]
    assert not found, listed(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_recipe_files_are_valid(path: Path):
    TypeAdapter(schema().AnyRecipe).validate_python(tomllib.loads(path.read_text()))


def test_the_rule_finds_violations():
    class Good(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")
        kind: Literal["good"] = "good"
        seed: Annotated[int, Field(description="Fixes the picture.")] = 0

    class Undescribed(Good):
        size: int = 3

    class Loose(BaseModel):
        size: int = Field(3, description="Pixels.")

    assert loose(Good) == []
    assert loose(Undescribed) == ["Undescribed.size has no description"]
    assert len(loose(Loose)) == 2
