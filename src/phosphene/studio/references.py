"""`artifact:ID` in a recipe: a picture of the gallery, wherever the name of a file may stand.

Before a recipe is carried out, each becomes the plain name of a file in a folder of the run's own,
so that no path of this machine gets into a picture. Imports no torch.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from phosphene.studio.recipe import Breed, Recipe

ID_LENGTH = 64
PREFIX = "artifact:"
REFERENCE = re.compile(rf"{PREFIX}([0-9a-f]{{{ID_LENGTH}}})(?![0-9a-f])")

Kind = TypeVar("Kind", bound=Recipe)


def is_id(text: str) -> bool:
    """Whether a text could be the id of a picture: it then has no path in it."""
    return re.fullmatch(rf"[0-9a-f]{{{ID_LENGTH}}}", text) is not None


def file_name(artifact: str) -> str:
    """What a picture is called in the folder of a run."""
    return f"{artifact}.png"


def referenced(recipe: Recipe) -> list[str]:
    """The ids of the pictures that a recipe names, each once."""
    found: list[str] = []

    def collect(text: str) -> str:
        found.extend(REFERENCE.findall(text))
        return text

    _each_text(recipe.model_dump(mode="json"), collect)
    return list(dict.fromkeys(found))


def descended_from(recipe: Recipe) -> list[str]:
    """The ids of the pictures that a recipe's own come from: those that it names, but for those
    that only say what is liked."""
    if not isinstance(recipe, Breed):
        return referenced(recipe)
    return referenced(recipe.model_copy(update={"liked": (), "shown": ()}))


def with_files(recipe: Kind) -> Kind:
    """The recipe with names of files instead of references; itself, if it has none."""
    if not referenced(recipe):
        return recipe

    def name(text: str) -> str:
        return REFERENCE.sub(lambda match: file_name(match[1]), text)

    return type(recipe).model_validate(_each_text(recipe.model_dump(mode="json"), name))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    """Change every text in plain data."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_each_text(inner, change) for inner in value]
    return value
